/*
 * Restartable sequences: what Linux writes into a thread's struct rseq and does to a thread that it interrupts in one. The
 * same on record and replay. A thread always has the same processor: of a process one thread runs at a time, so whatever is
 * kept per processor has one user. Numbers: the processor is the first one the thread may run on when it registers; node
 * and concurrency id are 0.
 *
 * Source: rseq(2), Linux kernel/rseq.c (6.18), include/uapi/linux/rseq.h.
 */
#ifndef SANDREC_RSEQ_H
#define SANDREC_RSEQ_H

#include "syscall-emu/session.h"

sys_handler do_rseq;

/*
 * The thread was interrupted in its own code: by a switch to another thread, or a signal that is about to be delivered. In
 * a sequence it goes on at the sequence's abort address. 0, or -EFAULT when what the thread has there is no good: SIGSEGV.
 */
int rseq_interrupted(struct task *t);

#endif
