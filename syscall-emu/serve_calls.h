/*
 * May the server (serve.h) make this call now, beside the guest, or has the task to leave the machine for it? The row says what
 * kind of call it is (enum sys_serve, sysdesc.h), its arguments the rest. On replay all that is injected can be served.
 *
 * On the server's thread or the task's, by whichever is at work.
 */
#ifndef SANDREC_SERVE_CALLS_H
#define SANDREC_SERVE_CALLS_H

#include "syscall-emu/at_once.h"

/* As far as the row tells. */
bool serve_row_allows(const struct task *t, const struct sys_desc *d);

/* The call in t->regs, whose row is d: how it is to be made now. */
enum at_once serve_how(const struct task *t, const struct sys_desc *d);

/* Does a call change what the kernel keeps for each thread? row: its number's, d: the variant's or the same. Unknown ones do. */
bool serve_alters(const struct sys_desc *row, const struct sys_desc *d);

#endif
