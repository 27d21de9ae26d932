/*
 * The guest's writable memory as evidence: hashes of ranges, and copies to see what a piece of computation changes.
 *
 * A range's hash is a sum over its pages of content that is not all zeros, so a page never touched and a page of zeros
 * are the same. The ranges that are looked at are chosen when recording and stored; replay hashes what it is told.
 * Code that is displaced at the moment (landmark.h) counts as if it were in place.
 */
#ifndef SANDREC_FINGERPRINT_H
#define SANDREC_FINGERPRINT_H

#include "syscall-emu/task.h"
#include "vmm/exec_point.h"

/*
 * Chooses ranges, most likely to differ first, until about `bytes` of present memory are covered: the stack from the red
 * zone up, what registers point to, then all other private or anonymous writable memory, small mappings first.
 * Shared file mappings are left out: others may write there. So is the stack below the red zone: XSAVEC, with which the
 * dynamic loader saves registers there, tells what the host did in between. Returns how many of at most max.
 */
unsigned fingerprint_choose(const struct task *t, uint64_t bytes, struct point_range *range, unsigned max);

/* The hash of one range now. */
uint64_t fingerprint_range(const struct task *t, uint64_t start, uint64_t len);

/* A copy of up to `bytes` of the same choice. Contents are kept until the next one is taken. */
struct snapshot {
	uint8_t *bytes;
	uint64_t *page;  /* addresses */
	size_t n, cap;
	uint64_t lane[TRAMP_LANES];
};
int snapshot_take(struct task *t, uint64_t bytes, struct snapshot *s);
void snapshot_free(struct snapshot *s);

/*
 * Aligned words, and halves of XMM registers, that differ between the copy and now, best first: counters (small differences) near the beginning of the
 * choice. Words already in `have` are left out, and those at `limit` or above. Returns how many of at most max.
 */
unsigned snapshot_differences(struct task *t, const struct snapshot *s, const struct tramp_word *have, unsigned nhave,
			      uint64_t limit, struct tramp_word *word, unsigned max);

#endif
