/*
 * Guest threads of a live session: a host thread each, so that tid, signal mask, timers and blocking are the kernel's.
 * Called with the baton.
 */
#ifndef SANDREC_RECORD_THREAD_H
#define SANDREC_RECORD_THREAD_H

#include "syscall-emu/threads.h"

/*
 * Starts the host thread of made, which waits for the baton, calls begin(made, before) with it (before: sched_enter()'s),
 * and runs the task until it ends. made->tid is set. The tid, or -EAGAIN.
 */
int64_t live_thread(struct task *t, struct task *made, void (*begin)(struct task *made, struct task *before));

/*
 * session_ops.thread_ended of live sessions: frees the task and passes the baton on, *next = NULL. A process's first
 * thread, whose end the kernel must not see before the process's, does not return.
 */
int live_thread_ended(struct session *s, struct task *t, struct task **next);

/* Before a fork that copies memory: no host thread is in libc's code any more. */
void live_threads_settle(const struct process *p);

int live_turn(struct session *s, struct task **t);
void live_futex_wake(struct session *s, uint64_t addr, int n);

#endif
