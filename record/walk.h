/*
 * Chaos in programs that live for microseconds: no timer meets them. While another thread waits and the way that was
 * chosen (chaos.h) has places in store, the program's own code runs instruction by instruction, so that each access
 * to memory other threads may see can be the place of a switch. Libraries run freely in between, from a call to its
 * return. On the task's thread, which has the baton.
 */
#ifndef SANDREC_WALK_H
#define SANDREC_WALK_H

#include "record/landing.h"
#include "record/tree.h"

/* Of one thread. */
struct walk {
	bool armed;              /* a landmark where the program's own code goes on */
	bool stood;              /* this place has been decided about */
	uint64_t back, back_rsp; /* where the library that runs returns to, and the stack pointer then; 0: unknown */
};

/*
 * The task is about to run. 0: freely, to its next stop; TASK_SIGNAL: it gives way here, l has the point; TASK_STOPPED:
 * t->stop is a stop to be dealt with; or a negative errno.
 */
int walk_resume(struct walk *w, struct task *t, struct landing *l, struct tree *tree);

/* A landmark was hit, or something else is to be done: true if it was ours, which is gone now. */
bool walk_over(struct walk *w, struct task *t);

#endif
