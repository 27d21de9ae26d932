/*
 * Random --inject rules: no crash, no read outside the text, and what is accepted makes sense. Runs for two seconds, or
 * SECONDS_TO_FUZZ; or on libFuzzer.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "syscall-emu/inject.h"

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz_inject: %s\n", what);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inject *in = calloc(1, sizeof(*in));
	char *text = malloc(size + 1), why[64] = "";

	memcpy(text, data, size);
	text[size] = '\0';
	if (inject_add(in, text, why, sizeof(why))) {
		const struct inject_rule *r = &in->rule[0];

		require(in->n == 1 && !*why, "one rule");
		require(r->has_result || r->signal || r->delay_ns, "something is to happen");
		require(r->result > -4096 && r->signal >= 0 && r->signal <= 64, "a result or signal that Linux could give");
		require(r->first && r->last >= r->first, "invocations count from 1");
		for (uint64_t i = 0; i < 8; i++)
			inject_decide(in, data[0] + i, (pid_t)(i / 4));
	} else {
		require(!in->n && *why, "what is wrong is said");
	}
	free(text);
	free(in);
	return 0;
}

#ifndef LIBFUZZER

static uint64_t state;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static size_t random_rule(char *buf, size_t room)
{
	static const char *const words[] = {
		"openat", "read", "exit", "clone3", ",", ":", "errno=", "error=", "retval=", "signal=", "delay=", "when=", "ENOENT", "EIO",
		"ERESTARTSYS", "SIGTERM", "USR1", "RT_3", "0", "1", "5", "4095", "512", "64", "65", "18446744073709551615", "99999999999999999999",
		"+", "..", "ms", "us", "s", "ns", "-", "x", "$", "ioctl$TCGETS", "=", " ", "0x", "\377",
	};
	size_t len = 0;

	if (next() % 4)
		len = (size_t)snprintf(buf, room, "%s:", words[next() % 4]);
	for (uint64_t n = next() % 12; n; n--) {
		const char *w = words[next() % (sizeof(words) / sizeof(words[0]))];

		if (len + strlen(w) >= room)
			break;
		memcpy(buf + len, w, strlen(w));
		len += strlen(w);
	}
	if (len && next() % 4 == 0)
		buf[next() % len] = (char)(1 + next() % 255);
	return len;
}

int main(void)
{
	const char *seconds = getenv("SECONDS_TO_FUZZ"), *seed = getenv("FUZZ_SEED");
	time_t end = time(NULL) + (seconds ? atoi(seconds) : 2);
	unsigned long runs = 0;
	char buf[200];

	state = seed ? strtoull(seed, NULL, 0) | 1 : 1;
	printf("1..1\n");
	fflush(stdout);
	for (; time(NULL) < end || runs < 1000; runs++) {
		size_t len = random_rule(buf, sizeof(buf));
		uint8_t *exact = malloc(len + 1);

		memcpy(exact, buf, len);
		exact[len] = 0;
		LLVMFuzzerTestOneInput(exact, len);
		free(exact);
	}
	printf("ok 1 - %lu random rules\n", runs);
	return 0;
}

#endif
