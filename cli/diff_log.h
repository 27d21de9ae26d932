/*
 * The lines in which two texts differ that calls have given besides their results: the verifier's logs of bpf(2).
 */
#ifndef SANDREC_DIFF_LOG_H
#define SANDREC_DIFF_LOG_H

#include <stdbool.h>

#include "cli/memory.h"

typedef void diff_log_fn(void *arg, char sign, const char *line, int len);

/* Calls fn for each line that only a ('-') or only b ('+') has, in order. False: out of memory. */
bool diff_log(const struct event *a, const struct memory *mem_a, const struct event *b, const struct memory *mem_b,
	      diff_log_fn *fn, void *arg);

#endif
