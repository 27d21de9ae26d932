/*
 * A point in a thread's execution that no instruction of its own marks: where an asynchronous event happened. As it
 * stands in a trace: the annex of a REC_SIGNAL with REC_F_POINT holds the siginfo, then this. The registers are the
 * event's own.
 *
 * A landmark is a state: what replay compares with what it passes. The run from the last event to the point is
 * deterministic, so the first equal state is the point: two equal states have the same future.
 *
 * Where the branch clock counts (branches.h) the point is right behind a branch, and its count says which pass it is. The
 * state is described all the same: replay checks it there, and without a counter it finds the point by it.
 */
#ifndef SANDREC_EXEC_POINT_H
#define SANDREC_EXEC_POINT_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/trampoline.h"

#define POINT_RANGES 64

enum point_kind {
	POINT_LANDMARK = 1,
	POINT_BRANCHES = 2
};

struct point_range {
	uint64_t start, len, hash; /* syscall-emu/fingerprint.h */
};

struct exec_point {
	uint16_t kind;
	uint16_t nwords, nranges;
	uint32_t changed;                    /* registers that were seen to differ when this place was passed */
	uint64_t branches;                   /* POINT_BRANCHES: by the thread since its last point, or its beginning */
	uint64_t xsave;                      /* XXH3-64 of the extended state */
	struct tramp_word word[TRAMP_WORDS]; /* memory that differs from one pass to the next */
	struct point_range range[POINT_RANGES];
};

#define POINT_ENCODED_MAX (24 + 8 + TRAMP_WORDS * 16 + POINT_RANGES * 24)

/* Bytes written to buf, which holds POINT_ENCODED_MAX. */
size_t exec_point_encode(const struct exec_point *p, unsigned char *buf);
/* 0, or -EBADMSG: not one, or of a kind or shape this version cannot use. Everything is checked. */
int exec_point_decode(const void *bytes, size_t len, struct exec_point *p);

#endif
