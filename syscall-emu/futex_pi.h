/*
 * Priority-inheritance futexes between the threads of a process. The kernel writes such a word whenever a thread begins to
 * wait, which is a moment that no recording holds; so who owns and who waits is kept here, the word changes only with
 * the baton, and the kernel is asked for nothing but sleep. Priorities are not inherited: one thread runs at a time, and
 * the scheduler decides which. A word in memory that other processes may share is left to the kernel.
 *
 * Live sessions only: on replay results and words come from the trace.
 *
 * Source: futex(2), Linux kernel/futex/pi.c and requeue.c.
 */
#ifndef SANDREC_FUTEX_PI_H
#define SANDREC_FUTEX_PI_H

#include "syscall-emu/session.h"

struct pi_waiter; /* on the stack of who waits; process.pi_waiters: in the order in which they are served */

sys_handler do_futex_lock_pi, do_futex_trylock_pi, do_futex_unlock_pi, do_futex_wait_requeue_pi,
	do_futex_cmp_requeue_pi;

/* t ends: what it owned goes to those who wait, marked. Before thread_release_memory(); p: of the call it ends with. */
void futex_pi_owner_died(struct task *t, struct plan *p);

#endif
