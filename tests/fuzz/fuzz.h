/*
 * What the fuzzers share when they are built without libFuzzer: random inputs, the same for the same FUZZ_SEED, for
 * SECONDS_TO_FUZZ (default 2), or the files named on the command line.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline uint64_t fuzz_number(const char *variable, uint64_t otherwise)
{
	const char *v = getenv(variable);

	return v && *v ? strtoull(v, NULL, 0) : otherwise;
}

static inline uint64_t fuzz_seed(void)
{
	return fuzz_number("FUZZ_SEED", 1);
}

/* xorshift64 (Marsaglia, 2003). */
static inline uint64_t fuzz_next(void)
{
	static uint64_t state;

	if (!state)
		state = fuzz_seed() * 0x9e3779b97f4a7c15 | 1;
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Is there time for another run after these? There is for `least`, however long they take. */
static inline bool fuzz_goes_on(unsigned long runs, unsigned long least)
{
	static time_t end;

	if (!end)
		end = time(NULL) + (time_t)fuzz_number("SECONDS_TO_FUZZ", 2);
	return time(NULL) < end || runs < least;
}

/* In a block of its exact size, so that a sanitizer sees what reads behind it. */
static inline void fuzz_exact(const void *bytes, size_t len)
{
	uint8_t *exact = malloc(len + !len);

	if (!exact)
		abort();
	memcpy(exact, bytes, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

/* Runs the inputs in the files; max: the longest that makes sense. The value is main()'s. */
static inline int fuzz_files(int n, char **paths, size_t max)
{
	uint8_t *bytes = malloc(max);

	for (int i = 0; bytes && i < n; i++) {
		FILE *f = fopen(paths[i], "re");

		if (!f) {
			perror(paths[i]);
			free(bytes);
			return 1;
		}
		fuzz_exact(bytes, fread(bytes, 1, max, f));
		fclose(f);
	}
	free(bytes);
	return !bytes;
}

#endif
