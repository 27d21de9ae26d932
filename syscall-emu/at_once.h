/*
 * Calls that may wait, made only if they do not: what the server (serve.h) needs, as nobody else of the process runs meanwhile and
 * as a call of its own host thread must leave no trace there.
 *
 * at_once_kind() says how the call in t->regs could be made. With t->at_once set to that, plan_forward() goes through
 * at_once_forward(), whose result is Linux's, or SYS_ERESTARTSYS: then the call has had no effect at all, and the thread has to
 * make it itself. That is so when it would wait, and when it would send the calling thread a signal (SIGPIPE, SIGXFSZ).
 *
 * How it is known: descriptors in non-blocking mode do not wait; a blocking pipe or socket is asked with RWF_NOWAIT or
 * MSG_DONTWAIT, which take what is there or say EAGAIN, in one step; the poll family is called with a timeout of zero. A few calls
 * can only be asked for beforehand (accept, send to a stream, open of a pipe with a name), so that another process may come
 * between: they are made with t->interruptible set, and who waits for the server for too long interrupts its thread by
 * signal_host_hurry(), after which they have had no effect either.
 *
 * Source: Linux fs/pipe.c, fs/eventfd.c, net/socket.c, net/core/sock.c, net/unix/af_unix.c, fs/select.c, fs/eventpoll.c.
 */
#ifndef SANDREC_AT_ONCE_H
#define SANDREC_AT_ONCE_H

#include "syscall-emu/session.h"

enum at_once {
	AT_ONCE_NOT,    /* it is not made */
	AT_ONCE_PLAIN,  /* as it is: it does not wait */
	AT_ONCE_PIPE,
	AT_ONCE_EVENTFD,
	AT_ONCE_SOCKET,
	AT_ONCE_OPEN,
	AT_ONCE_READY,  /* the poll family */
	AT_ONCE_FUTEX   /* a wait whose word has changed already */
};

/* How the calls of these rows could be made (sysdesc.h): fd, a descriptor that is not of a plain file. */
enum at_once at_once_io(const struct task *t, int fd);     /* SERVE_FD */
enum at_once at_once_close(const struct task *t, int fd);  /* SERVE_CLOSE */
enum at_once at_once_futex(const struct guest_regs *r); /* SERVE_FUTEX */

/* From plan_forward(), with t->at_once. */
int64_t at_once_forward(struct plan *p, struct task *t);

#endif
