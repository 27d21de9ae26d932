/*
 * May the server (serve.h) make this call now, beside the guest, or has the task to leave the machine for it? The row says what
 * kind of call it is (enum sys_serve, sysdesc.h), its arguments the rest. On replay all that is injected can be served.
 *
 * On the server's thread or the task's, by whichever is at work.
 */
#ifndef SANDREC_SERVE_CALLS_H
#define SANDREC_SERVE_CALLS_H

#include "syscall-emu/session.h"

/* As far as the row tells. */
bool serve_row_allows(const struct task *t, const struct sys_desc *d);

/* The call in t->regs, whose row is d. */
bool serve_can(const struct task *t, const struct sys_desc *d);

/* The process is about to change its resource limits. */
void serve_limits_change(void);

/*
 * On the server's thread: a write found that its file cannot grow. True: a signal says so too (setrlimit(2)), in *si; it is
 * not this thread's.
 */
bool serve_limit_signal(siginfo_t *si);

#endif
