/*
 * The host side of guest signals, used by the run and record sessions: what the kernel sends to the VMM thread is
 * caught (one in flight at a time, everything else left pending in the kernel by blocking all signals until delivery)
 * and handed to the guest at a stop.
 *
 * Dispositions: guest SIG_IGN -> host SIG_IGN; guest SIG_DFL whose default is to ignore or to stop -> host SIG_DFL
 * (the kernel does it); everything else -> our handler, with SA_RESTART and SA_NOCLDSTOP/SA_NOCLDWAIT as the guest has
 * them, so that the kernel itself decides what restarts. The thread's mask is the guest's mask, except that SIGSEGV and
 * SIGBUS are never blocked or ignored: copy_checked() needs them. Such a signal that somebody sends while the guest
 * blocks it is held here instead of in the kernel.
 */
#ifndef SANDREC_SIGNAL_HOST_H
#define SANDREC_SIGNAL_HOST_H

#include "syscall-emu/signal.h"

/*
 * Catches faults of our own code: copy_checked() is fixed up, anything else is reported in one line before the process
 * dies of it. For sessions that catch no signals (replay); signal_host_init() does it too.
 */
int signal_host_guard(void);

/* The blocked and the ignored signals of this process as it was started: what signal_inherit() wants. */
int signal_host_inherited(uint64_t *mask, uint64_t *ignored);

/* Takes over the process's signals as inherited (ignored ones stay ignored for the guest too). Once per process. */
int signal_host_init(struct task *t);
int signal_host_action(struct task *t, int sig); /* proc->action[sig] changed */
int signal_host_mask(struct task *t);            /* t->mask changed; while one is in flight the mask stays full */

/*
 * Takes the signal in flight: 1 and *si, else 0. After it was delivered call signal_host_mask() (signal_deliver()
 * does). One that the guest has come to block or ignore since it was caught is given back to the kernel or dropped: 0.
 */
int signal_host_take(struct task *t, siginfo_t *si);

/*
 * The calling host thread becomes t's, with every signal blocked that can be; signal_host_mask() then lets them in. NULL: its
 * task has ended, and what still comes is nobody's.
 */
void signal_host_thread(struct task *t);

/* The calling host thread makes calls for the thread *tid of the process: what is sent to the process and comes here is that one's. */
void signal_host_server(const pid_t *tid);

/*
 * Interrupts the call that server thread tid is making: one that has not begun, or that the kernel would restart, returns
 * SYS_ERESTARTSYS, any other -EINTR. Does nothing else, so it may come at any time.
 */
void signal_host_hurry(pid_t tid);

/* In a forked child: nothing is in flight any more, and the mask is t->mask again. */
int signal_host_forked(struct task *t);

/*
 * Around a child that shares our memory while this thread sleeps (vfork): the thread's state, which the child uses for
 * itself, and the signals that arrive meanwhile, which wait.
 */
struct signal_host_state {
	struct task *task;
	siginfo_t held_info[2];
	sig_atomic_t held[2];
};
void signal_host_save(struct signal_host_state *s);
int signal_host_restore(struct task *t, const struct signal_host_state *s);

/* Before this process becomes another program: a signal in flight goes back to the kernel's queue. */
int signal_host_requeue(struct task *t);

/*
 * A timer that sends SIGSEGV with this address as its value only kicks the vCPU of the thread it reaches; the guest never
 * hears of it. SIGSEGV, because it is the signal that is never blocked. It must not be running during a system call of
 * the guest's, which it would interrupt.
 */
extern const char signal_host_timer_tag;

/* The same from one thread to another: SIGBUS with this address and SI_TIMER, for t->kick_coming (task.h, record/sched.c). */
extern const char signal_host_kick_tag;

/* Ends this process as wait_status says: exit code, or death by the signal with its core flag. Does not return. */
_Noreturn void signal_host_die(int wait_status);

#endif
