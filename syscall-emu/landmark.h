/*
 * Execution points of the landmark kind (vmm/exec_point.h) in a running task: stopping the guest when it passes an
 * address in a wanted state, and describing or recognising the state it is in.
 *
 * While a task is armed the guest's code is changed at one site, so nobody else may look at guest memory: run loop and
 * sessions disarm before anything but the run itself (landmark_stop() does it for every stop but its own).
 */
#ifndef SANDREC_LANDMARK_H
#define SANDREC_LANDMARK_H

#include "syscall-emu/session.h"
#include "vmm/exec_point.h"

struct landmark; /* of a process, made at first use; t->proc->landmark: one thread runs at a time, and only it can be armed */

/* Can the code at addr carry a site? 0, or -EOPNOTSUPP. */
struct landmark_place {
	bool good;     /* passing it should cost next to nothing; else it may leave the guest each time */
	bool string;   /* a repeated string instruction, which may be half done */
	bool ends;     /* a jump or return: what follows is not executed next */
	uint64_t next; /* the address behind the first instruction */
	uint64_t target; /* where its direct jump leads, or 0 */
};
int landmark_look(const struct task *t, uint64_t addr, struct landmark_place *p);

/*
 * From now on the run stops with LANDMARK_HIT whenever addr is reached and c holds. Armed already at addr: only c
 * changes. Memory words the guest cannot read now are left out. The pass at hand, when rip is addr, does not count.
 * Negative errno: not possible here (then nothing is armed). 0 and not armed: an instruction has to run first.
 */
int landmark_arm(struct task *t, uint64_t addr, const struct tramp_cond *c);
void landmark_disarm(struct task *t);
bool landmark_armed(const struct task *t);
/* With c->count: how often the site has been passed since this was asked last, or since it was armed. */
uint64_t landmark_counted(struct task *t);
/* How often the site has been passed by leaving the guest for nothing since it was armed: a bad place when many. */
unsigned landmark_detours(const struct task *t);

enum landmark_stop {
	LANDMARK_NONE,  /* a stop like any other; no longer armed, except after VCPU_KICK */
	LANDMARK_HIT,   /* at the site, before its first instruction, in a state for which c holds; still armed */
	LANDMARK_AGAIN  /* nothing happened: run on */
};
void landmark_enter(struct task *t);              /* before vcpu_run() */
enum landmark_stop landmark_stop(struct task *t); /* after it: t->stop and t->regs become the program's own view */

/*
 * Fills p from the state now: words whose addresses p holds get their values (unreadable ones go), memory is covered
 * up to about `bytes`. A session calls it disarmed or at a hit.
 */
int landmark_take(struct task *t, uint64_t bytes, struct exec_point *p);

/* The XMM registers as words, two each. */
int landmark_lanes(struct task *t, uint64_t lane[TRAMP_LANES]);

/* 1: the state now is the point's. 0: *why says what differs first. Or a negative errno. */
int landmark_check(struct task *t, const struct guest_regs *regs, const struct exec_point *p, const char **why);

/* A copy of guest memory at addr: puts back what the site covers. */
void landmark_hide(const struct task *t, uint64_t addr, uint8_t *bytes, size_t len);

#endif
