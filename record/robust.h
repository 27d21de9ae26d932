/*
 * Robust futexes (set_robust_list(2)) in memory that processes share, when SIGKILL ends who holds one. Every other end is
 * threads.h's business.
 *
 * The host kernel marks them and wakes who waits: a guest's addresses and thread numbers are the host's. The list that it
 * knows of a host thread is ours, for the baton of the group (group.h) has to come free as well; the guest's is linked to it.
 *
 * The dead log nothing, so who is left does: a process says in the tree's memory which futexes it holds, and the others look
 * at them after each of their calls. A call that sends SIGKILL to a holder ends when that one has ended. Who sees the mark
 * without any call of its own, in a loop, sees it too early on replay.
 *
 * Source: Linux kernel/futex/core.c (exit_robust_list). The functions with a tree's memory: with the group's baton.
 */
#ifndef SANDREC_ROBUST_H
#define SANDREC_ROBUST_H

#include <stdint.h>

#include "syscall-emu/session.h"

#define TREE_ROBUSTS 256

/* A futex that is held: dev, ino and offset name it in all processes. */
struct tree_robust {
	uint32_t used;
	int32_t pid, tid;
	uint64_t dev, ino, offset;
};

struct tree_robusts {
	uint32_t n; /* only these were ever used */
	struct tree_robust futex[TREE_ROBUSTS];
};

/* The calling host thread is about to take the lock whose word this is, or has given it back. The kernel frees it with the thread. */
void robust_hold(uint32_t *word);
void robust_release(void);

/* What t holds now. At a call, before it is made, and when t has ended. */
void robust_note(struct tree_robusts *r, const struct task *t);

/* What others held when they ended, where t has it mapped. After a call. */
void robust_died(struct tree_robusts *r, const struct task *t, void (*piece)(void *arg, uint64_t addr, uint64_t len), void *arg);

/* t's call has succeeded: if it has killed a process that holds a futex, waits until the kernel has marked it. Any process. */
void robust_killed(const struct tree_robusts *r, const struct task *t);

#endif
