/*
 * Who runs: the baton of a live process with several threads. One thread holds it while it runs guest code and while it
 * uses what belongs to the process; a call that may wait is made without it. Those who want it stand in a queue, first
 * come first served, or, with chaos, as chaos.h decides. The first in the queue asks the holder to give way when its time slice is over, by a signal that only ends KVM_RUN (signal_host_kick_tag).
 *
 * The struct belongs to the process and is made with its second thread. All functions are called by the thread t itself.
 */
#ifndef SANDREC_SCHED_H
#define SANDREC_SCHED_H

#include "syscall-emu/session.h"

#define SCHED_SLICE_NS 20000000ULL /* unless process_self says otherwise */

/*
 * A slice on the branch clock: so many branches for a nanosecond. Time is then only for code without branches, or with so
 * few that it would keep the others waiting; later where the length of slices was asked for, as turns are to be the same
 * on a slow machine.
 */
#define SCHED_BRANCHES(ns) ((ns) / 2)
#define SCHED_PATIENCE_NS 1000000000ULL
#define SCHED_PATIENCE_ASKED_NS 30000000000ULL

/* A process becomes one with threads: t holds the baton. */
int sched_begin(struct task *t);

/*
 * Waits for the baton. Returns the thread that had it before and gave it up by sched_leave(), if it was another one: it is
 * in a call now, which the log has to say. Else NULL.
 */
struct task *sched_enter(struct task *t);
/* The same for a new thread: queued(arg) is called once it stands in the queue, which the holder of the baton waits for. */
struct task *sched_enter_new(struct task *t, void (*queued)(void *arg), void *arg);
void sched_leave(struct task *t, bool said); /* said: the log knows already */

/* t ends: gives the baton up for good. */
void sched_exit(struct task *t);

/* t has the baton and stands where it may be taken away. Should it be? Then sched_yield_baton(), which returns when it is back. */
bool sched_wants_switch(struct task *t);
struct task *sched_yield_baton(struct task *t);

/*
 * Has a slice of t's begun since the last call? If so it is to be counted, sched_branches() of them; sched_counts() says
 * whether that could be done, else it is over when its time is.
 */
bool sched_new_slice(struct task *t);
uint64_t sched_branches(const struct task *t);
void sched_counts(struct task *t, bool counted);

/* t has used its slice up: true when somebody waits for the baton, who now has asked for it; else there is a new slice. */
bool sched_slice_used(struct task *t);

/* Does anybody wait for the baton? */
bool sched_contended(const struct task *t);

/* Did somebody ask t, running guest code, to come to such a place? */
bool sched_asked(const struct task *t);

/*
 * Chaos at places (chaos.h). sched_steps(): is the holder t to go on instruction by instruction, so that none is missed? It
 * then stands where it may give way: sched_place() decides, and true means that t has been asked to.
 *
 * A thread that t wakes takes a while to come into the queue, and who is next should not depend on that: after a futex
 * call with this result, sched_await() waits for those it has woken, for a short time; arrivals: sched_arrivals() before it.
 */
bool sched_steps(struct task *t);
bool sched_place(struct task *t);
uint64_t sched_passed(const struct task *t); /* places so far */
void sched_calm(struct task *t);             /* no more chaos from here on */
bool sched_chaotic(const struct task *t);
uint64_t sched_arrivals(const struct task *t);
void sched_await(const struct task *t, uint64_t arrivals, const struct guest_regs *call, int64_t ret);

/*
 * Chaos: after how many nanoseconds of guest code from here on the holder t is to be stopped and asked by sched_ask();
 * 0: not this time, or no chaos.
 */
uint64_t sched_chaos_delay(const struct task *t);
void sched_ask(const struct task *t); /* to give way, if anybody waits */

#endif
