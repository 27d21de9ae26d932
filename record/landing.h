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
	LANDING_BRANCH, /* behind the next conditional branch, which the branch clock counts */
	LANDING_PASS,   /* past a string instruction that is half done, or to a place where passes cost nothing */
	LANDING_SEARCH, /* does this place come again with the same registers, and what differs then? */
	LANDING_RETURN  /* it does, and that is known: the next time it is the place */
};

/* A timer that kicks one thread. */
struct landing_timer {
	bool made, on;
	timer_t id;
	int owner;               /* the host thread it was made by: the child of a fork has none of them */
};
void landing_timer_every(struct landing_timer *timer, uint64_t ns); /* periodic; 0: off */
void landing_timer_end(struct landing_timer *timer); /* on the thread, at its end */

/* One for all threads of a process: a search is over before another one runs. */
struct landing {
	enum landing_phase phase;
	bool ready;              /* point is the state now */
	bool no_branch;          /* none is near: this landing is a search for a state */
	struct landing_timer *timer; /* of the thread at hand */
	unsigned tries, rounds;
	bool quick;              /* land without a search: little has run since the last event */
	uint64_t site, last_ns, search_ns, tick_ns;
	struct guest_regs first; /* registers at the first kick, then at the site */
	struct exec_point point;
	struct snapshot start, before; /* when the search began, and at the last pass */
};

/*
 * The task was kicked, by a signal, another thread or our timer; wanted: there is something to be done at such a place. 0: run
 * on; TASK_SIGNAL: here.
 */
int landing_kicked(struct landing *l, struct task *t, bool wanted);
int landing_hit(struct landing *l, struct task *t);

/* Kicks the thread in so many nanoseconds, unless a search or landing_stop() comes first. */
void landing_tick(struct landing *l, uint64_t ns);

/* The branch clock has stopped the task, for no search: this is the place. As above. */
int landing_here(struct landing *l, struct task *t);

/* The same for who has gone there step by step: a state that has not come again since the last event, or is no other. */
int landing_place(struct landing *l, struct task *t);

/*
 * The search is over, whatever it was at: before every system call and every delivery. The point if the state now is
 * one, valid until the next call; else NULL.
 */
const struct exec_point *landing_stop(struct landing *l, struct task *t);

#endif
