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
#include "tests/fuzz/fuzz.h"

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

static size_t random_rule(char *buf, size_t room)
{
	static const char *const words[] = {
		"openat", "read", "exit", "clone3", ",", ":", "errno=", "error=", "retval=", "signal=", "delay=", "when=", "ENOENT", "EIO",
		"ERESTARTSYS", "SIGTERM", "USR1", "RT_3", "0", "1", "5", "4095", "512", "64", "65", "18446744073709551615", "99999999999999999999",
		"+", "..", "ms", "us", "s", "ns", "-", "x", "$", "ioctl$TCGETS", "=", " ", "0x", "\377",
	};
	size_t len = 0;

	if (fuzz_next() % 4)
		len = (size_t)snprintf(buf, room, "%s:", words[fuzz_next() % 4]);
	for (uint64_t n = fuzz_next() % 12; n; n--) {
		const char *w = words[fuzz_next() % (sizeof(words) / sizeof(words[0]))];

		if (len + strlen(w) >= room)
			break;
		memcpy(buf + len, w, strlen(w));
		len += strlen(w);
	}
	if (len && fuzz_next() % 4 == 0)
		buf[fuzz_next() % len] = (char)(1 + fuzz_next() % 255);
	return len;
}

int main(void)
{
	unsigned long runs = 0;
	char buf[200];

	printf("1..1\n");
	fflush(stdout);
	for (; fuzz_goes_on(runs, 1000); runs++)
		fuzz_exact(buf, random_rule(buf, sizeof(buf)));
	printf("ok 1 - %lu random rules\n", runs);
	return 0;
}

#endif
