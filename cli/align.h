/*
 * The differences of two sequences: a shortest list of deletions and insertions, by E. Myers, "An O(ND) Difference
 * Algorithm and Its Variations" (Algorithmica 1986), in linear space. Where the sequences have so little in common that
 * the shortest list would take too long, a short one.
 */
#ifndef SANDREC_CLI_ALIGN_H
#define SANDREC_CLI_ALIGN_H

#include <stddef.h>
#include <stdint.h>

/* na elements from a[a] on stand where the other sequence has nb from b[b] on. Not both are 0. */
struct align_run {
	size_t a, na, b, nb;
};

/* Elements are equal when their numbers are. *runs in order, the caller's to free. 0 or -ENOMEM. */
int align(const uint64_t *a, size_t na, const uint64_t *b, size_t nb, struct align_run **runs, size_t *nruns);

#endif
