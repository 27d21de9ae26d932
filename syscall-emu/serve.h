/*
 * The server thread of a process: makes system calls for the guest while that stays in the machine (vmm/switchless.h), by the
 * same session->syscall() as the run loop. Live sessions and replay alike; whether a call was served is no difference for
 * either, so a recording made with it replays without and the other way round.
 *
 * Served are calls whose row says how (enum sys_serve): that do not wait, do not depend on the thread that makes them, and send
 * it no signal; on replay all that are injected. Everything else leaves the machine as ever. Only a process with one thread has a server, and only while nothing
 * but system calls can be due to it. The thread begins when a process makes many such calls, sleeps when it makes few,
 * and ends before a call that changes what the kernel keeps for each thread (credentials, namespaces...).
 *
 * All functions but the thread's own run on the task's thread.
 */
#ifndef SANDREC_SERVE_H
#define SANDREC_SERVE_H

#include "syscall-emu/session.h"

/* process_self.serve: run's --no-fast-path, and for tests. */
enum serve_mode {
	SERVE_ADAPTIVE, /* when it pays */
	SERVE_NEVER,
	SERVE_ALWAYS    /* from the first call on, and whatever it costs */
};

/* Around vcpu_run(). leave: 0, or the negative errno with which a served call ended the session. */
void serve_enter(struct task *t);
int serve_leave(struct task *t);

/* Nothing is served in the next run. */
void serve_keep_out(struct task *t);

/* The task stands at a system call outside the machine, whose row is desc (NULL: none). */
void serve_outside(struct task *t, const struct sys_desc *desc);

/*
 * For sessions, within syscall(): the call's result is known, and what is left to do (the log) needs nothing that the program can
 * change. If the call is being served the program goes on with ret, before syscall() returns; it cannot do anything that others notice.
 */
void serve_answer(struct task *t, int64_t ret);

/* Ends the thread, if there is one; without_vm: because the VM goes. */
void serve_end(struct task *t);
void serve_without_vm(struct task *t);
/* In a forked child, which has no such thread. */
void serve_forked(void);

/* The thread's number in the process, which the guest must not see; 0: there is none. */
pid_t serve_tid(void);

#endif
