/*
 * Do all processes of a running recording wait for each other, for ever? Seen from outside, in /proc: every thread sleeps in
 * a futex call without a timeout, or waits for a child. One thread.
 */
#ifndef SANDREC_STUCK_H
#define SANDREC_STUCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STUCK_PROCESSES 256

struct stuck {
	uint64_t switches; /* context switches of all, the last time */
	unsigned times;    /* in a row that they were all waiting, and nothing had moved */
};

/* The processes that descend from pid, itself excluded: how many there are; the first max of them in out. */
size_t stuck_descendants(pid_t pid, pid_t *out, size_t max);

/* To be asked now and then, some tenths of a second apart: true when it is certain enough. */
bool stuck_look(struct stuck *s, pid_t supervisor);

#endif
