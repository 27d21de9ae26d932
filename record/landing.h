/*
 * Finding the place where an asynchronous signal lands when no system call comes along: recording's half of execution
 * points (doc/exec-points.md). A state machine driven by kicks of its own timer and by landmark hits.
 */
#ifndef SANDREC_LANDING_H
#define SANDREC_LANDING_H

#include <time.h>

#include "syscall-emu/fingerprint.h"
#include "syscall-emu/landmark.h"

enum landing_phase {
	LANDING_IDLE,
	LANDING_WAIT,   /* for a system call, which would be the better place */
	LANDING_PASS,   /* past a string instruction that is half done */
	LANDING_SEARCH, /* does this place come again with the same registers, and what differs then? */
	LANDING_RETURN  /* it does, and that is known: the next time it is the place */
};

struct landing {
	enum landing_phase phase;
	bool ready;              /* point is the state now */
	bool have_timer, timer_on;
	timer_t timer;
	int owner;               /* thread of the timer */
	unsigned tries, rounds;
	uint64_t site, last_ns, search_ns;
	struct guest_regs first; /* registers at the first kick, then at the site */
	struct exec_point point;
	struct snapshot start, before; /* when the search began, and at the last pass */
};

/* The task was kicked, by a signal or by our timer. 0: run on; TASK_SIGNAL: here. */
int landing_kicked(struct landing *l, struct task *t);
int landing_hit(struct landing *l, struct task *t);

/*
 * The search is over, whatever it was at: before every system call and every delivery. The point if the state now is
 * one, valid until the next call; else NULL.
 */
const struct exec_point *landing_stop(struct landing *l, struct task *t);

#endif
