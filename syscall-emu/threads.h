/*
 * The threads of a guest process as data: making one, the list, the end of one as far as guest memory shows it. Which
 * of them runs is the session's business (record/sched.h, replay/replayer.h). All functions: with the baton (task.h).
 *
 * Sources: clone(2), set_tid_address(2), get_robust_list(2), Linux kernel/fork.c (mm_release), kernel/futex/core.c.
 */
#ifndef SANDREC_THREADS_H
#define SANDREC_THREADS_H

#include "syscall-emu/session.h"

/* A process's first task, and the only one in the child of a fork: the list is t alone, what others had is given back. */
void threads_begin(struct task *t);
void threads_forked(struct task *t);

/* In the child of a vfork, whose struct process is a copy: t is alone, and nothing of the parent's is touched. */
void threads_borrowed(struct task *t);

struct task *thread_find(const struct process *p, pid_t tid); /* NULL: none */

/*
 * A new task, as clone(CLONE_THREAD) makes it from the calling one: its registers (rax 0, the given stack, TLS with
 * CLONE_SETTLS), extended state, signal mask and filters. Not in the list yet, without a tid. -EAGAIN, -ENOMEM...
 */
int thread_make(struct task *t, const struct fork_request *q, struct task **out);
void thread_add(struct task *t); /* it has a tid now */

/*
 * Linux's part in a thread's end that guest memory shows: robust futexes it held, the word at clear_child_tid. The same on
 * record and replay. sess->ops->futex_wake() wakes who waits.
 */
void thread_release_memory(struct task *t);

/* The same of robust futexes alone when the whole process ends, or executes a program, that shares memory with others. */
void threads_release_robust(struct process *p);

/* Out of the list, if it is there; memory and vCPU given back. Its host thread may run on, but not use it. */
void thread_free(struct task *t);

#endif
