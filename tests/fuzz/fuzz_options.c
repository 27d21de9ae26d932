/*
 * Random command lines against a table with every kind of option: no crash, no read outside the strings, and a line
 * that is accepted has its operands where it says. Runs for two seconds, or SECONDS_TO_FUZZ; or on libFuzzer.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "tests/fuzz/fuzz.h"

#define WORDS_MAX 24

struct values {
	bool flag;
	const char *string;
	uint64_t number;
	int choice;
	struct option_list list;
};

static const struct cli_option options[] = {
	{ "flag", 'f', OPT_FLAG, offsetof(struct values, flag), NULL, "a flag" },
	{ "string", 's', OPT_STRING, offsetof(struct values, string), "S", "a string" },
	{ "number", 'n', OPT_UINT, offsetof(struct values, number), "N", "a number" },
	{ "choice", 'c', OPT_CHOICE, offsetof(struct values, choice), "one|two|", "a choice, the last one empty" },
	{ "list", 'l', OPT_LIST, offsetof(struct values, list), "L", "a list" },
	{ 0 }
};

static const struct cli_command commands[] = {
	{ .name = "mixed", .operands = "[X]...", .summary = "x", .options = options, .max = -1 },
	{ .name = "one", .operands = "[X]", .summary = "x", .options = options, .max = 1 },
	{ .name = "program", .operands = "P", .summary = "x", .options = options, .min = 1, .max = -1,
	  .takes_program = true },
	{ .name = "bare", .operands = "", .summary = "x" },
};

static FILE *tap; /* help goes to the standard output */

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(tap ? tap : stderr, "not ok 1 - %s\n", what);
	fflush(tap);
	abort();
}

/* The first byte chooses the command; words end with a zero byte. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cli_command *c = &commands[size ? data[0] % (sizeof(commands) / sizeof(commands[0])) : 0];
	char *argv[WORDS_MAX + 2] = { strdup("x") };
	struct values v = { .choice = -1 };
	int argc = 1, first = -1, status = -1;

	for (size_t at = 1; at < size && argc <= WORDS_MAX;) {
		size_t len = strnlen((const char *)data + at, size - at);

		argv[argc++] = strndup((const char *)data + at, len);
		at += len + 1;
	}
	if (options_parse(c, argc, argv, &v, &first, &status)) {
		require(first >= 1 && first <= argc, "the first operand is in the line");
		require(argc - first >= c->min, "enough operands");
		require(c->max < 0 || argc - first <= c->max, "not too many operands");
		require(v.choice >= -1 && v.choice <= 2, "one of the choices");
	} else {
		require(status == STATUS_USAGE || status == STATUS_OK, "a known exit status");
	}
	options_free_list(&v.list);
	for (int i = 0; i < argc; i++)
		free(argv[i]);
	return 0;
}

#ifndef LIBFUZZER

static size_t random_line(uint8_t *buf, size_t size)
{
	static const char *const words[] = {
		"-", "--", "-f", "--flag", "--fl", "--flag=", "-s", "--string", "--string=", "-sabc", "-n", "-n12",
		"--number=0x", "--number", "18446744073709551616", "0", "-1", "07", "--choice=two", "--choice=", "-cone", "-c", "-l",
		"--list", "--list=a", "thing", "", "-fs", "-fln", "--help=", "--h", "--x", "-\377", "--\377=\n", "--=", "-=", "=",
	};
	size_t len = 0;

	buf[len++] = (uint8_t)fuzz_next();
	for (uint64_t n = fuzz_next() % 8; n; n--) {
		const char *w = words[fuzz_next() % (sizeof(words) / sizeof(words[0]))];

		if (len + strlen(w) + 1 > size)
			break;
		memcpy(buf + len, w, strlen(w) + 1);
		len += strlen(w) + 1;
	}
	if (fuzz_next() % 4 == 0)
		buf[fuzz_next() % len] = (uint8_t)fuzz_next();
	return len;
}

int main(void)
{
	unsigned long runs = 0;
	uint8_t buf[256];

	tap = fdopen(dup(STDOUT_FILENO), "w");
	/* What it tells people is not looked at here. */
	if (!tap || !freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
		return 1;
	fprintf(tap, "1..1\n");
	fflush(tap);
	for (; fuzz_goes_on(runs, 500); runs++)
		fuzz_exact(buf, random_line(buf, sizeof(buf)));
	fprintf(tap, "ok 1 - %lu random command lines\n", runs);
	return fclose(tap) ? 1 : 0;
}

#endif
