/*
 * Chaos: at random, but from the seed in process_self, who runs and where that changes. The decisions only; sched.h makes
 * them come true, walk.h finds the places. A seed stands for one of three ways, each of which finds bugs that the
 * others miss:
 *
 * - priorities (Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", ASPLOS 2010): of
 *   the threads that can run the one with the highest rank does; ranks are drawn when threads begin, and at up to four
 *   places, drawn beforehand, the running thread's becomes the lowest;
 * - a random walk: at each place another thread may take over, with a chance that the seed says;
 * - time: random slices, ranks that change, switches at every eighth system call.
 *
 * A place is an instruction of the program's own code that is about to use memory other threads could see, or a system
 * call, while another thread waits for its turn.
 *
 * Not thread-safe: for the holder of sched's lock.
 */
#ifndef SANDREC_CHAOS_H
#define SANDREC_CHAOS_H

#include <stdbool.h>
#include <stdint.h>

enum chaos_way { CHAOS_OFF, CHAOS_TIME, CHAOS_PRIORITIES, CHAOS_WALK };

#define CHAOS_CHANGES_MAX 4

struct chaos {
	enum chaos_way way;
	uint64_t passed;                     /* places since the process has threads */
	uint64_t since;                      /* the same since the last switch */
	uint64_t steps;                      /* instructions that were executed one by one */
	unsigned nchanges, changed;          /* CHAOS_PRIORITIES: how many there are, and have been */
	uint64_t change[CHAOS_CHANGES_MAX];  /* ascending, counted as `passed` */
	bool news;                           /* a thread has come to wait for its turn since the last place */
	unsigned lowest;                     /* rank given last */
	unsigned chance;                     /* CHAOS_WALK: one of so many places is a switch */
};

/* The next number of the generator. */
uint64_t chaos_draw(void);

/* For a process that has now threads: chooses a way. */
void chaos_begin(struct chaos *c);

/* The rank of a new thread, above all that chaos_lower() gives. Never 0. */
unsigned chaos_rank(void);
/* Of who makes the first other one: mostly it goes on making them until it waits, else they never meet. */
unsigned chaos_first_rank(void);
unsigned chaos_lower(struct chaos *c);

/* Are single steps worth their time now? rival: the highest rank of those who wait. */
bool chaos_steps(struct chaos *c, unsigned rank, unsigned rival);
bool chaos_learns(const struct chaos *c); /* or because this run is to find out where threads meet? */

/* The running thread, whose rank this is, has come to a place. True: it gives way, with its rank changed. */
bool chaos_place(struct chaos *c, unsigned *rank, unsigned rival);

/* CHAOS_WALK: which of n that wait is next, counted from 0, those who have waited longest first. */
uint64_t chaos_choose(uint64_t n);

/* Another thread runs. */
void chaos_switched(struct chaos *c);

#endif
