/*
 * Signals as the guest sees them: dispositions, masks, frames, default actions. Host side (catching what the kernel
 * sends) in signal_host.h; the frame's layout in sigframe.c.
 *
 * Sources: signal(7), sigaction(2), Linux arch/x86/kernel/signal_64.c, asm/sigcontext.h, asm/ucontext.h.
 */
#ifndef SANDREC_SIGNAL_H
#define SANDREC_SIGNAL_H

#include "syscall-emu/session.h"

#define SIGBIT(sig) (1ULL << ((sig)-1))

/* ksigaction.handler of the two dispositions that are no handlers. */
#define KSA_DEFAULT 0ULL
#define KSA_IGNORE 1ULL

/* A new image's signals: blocked and ignored ones come from whoever started the program, all else is the default. */
void signal_inherit(struct task *t, uint64_t mask, uint64_t ignored);

/*
 * Delivers si to the task now: pushes a frame and enters the handler, or does the default action (ignored: nothing;
 * fatal: t->dead, t->wait_status). forced: a synchronous fault: if blocked or ignored, the process dies as in Linux.
 * The registers are those the frame must show (rip at the syscall instruction for a restart).
 */
void signal_deliver(struct task *t, const siginfo_t *si, bool forced);

/* At an execution point another thread gets its turn: ends a restartable sequence (rseq.h). */
void signal_preempted(struct task *t);

void signal_force_segv(struct task *t); /* force_sig(SIGSEGV): SI_KERNEL, no address */

/*
 * Is sig blocked for an asynchronous delivery at this stop? Counts the temporary mask of an interrupted sigsuspend(2),
 * ppoll(2), pselect(2) or epoll_pwait(2).
 */
bool signal_blocked(const struct task *t, int sig);

/*
 * An exception stop: 1 = resolved without a signal (rdtsc emulated, lazily filled page, vsyscall), 0 = signal delivered
 * or task dead, negative errno = the session refused (divergence). Vector to signal: Linux traps.c, fault.c.
 */
int signal_exception(struct task *t);

/* sigframe.c. Push: 0 or -EFAULT when the stack cannot take the frame (then SIGSEGV is forced). */
int sigframe_push(struct task *t, const siginfo_t *si, const struct ksigaction *sa);
/*
 * Restores registers and altstack from the frame at rsp: SYS_REGS_SET, with SIGSEGV forced if the frame is bad. The
 * mask is the caller's: sigframe_mask() reads it (-EFAULT: the frame is bad, and sigframe_return() will say so).
 */
int64_t sigframe_return(struct task *t);
int sigframe_mask(const struct task *t, uint64_t *mask);

/* Like do_sigaltstack of Linux, without the caller's memory. sp decides whether the stack is in use. */
int signal_set_altstack(struct task *t, uint64_t sp, uint64_t ss_sp, uint32_t ss_flags, uint64_t ss_size);
bool signal_on_altstack(const struct task *t, uint64_t sp);
#define ALTSTACK_MIN 2048          /* the kernel's MINSIGSTKSZ; libc's may be larger */
#define ALTSTACK_AUTODISARM (1u << 31)

bool signal_default_is_fatal(int sig);
bool signal_default_dumps_core(int sig);
bool signal_default_stops(int sig);

/* Handlers of the table (signal.c). */
sys_handler do_rt_sigaction, do_rt_sigprocmask, do_sigaltstack, do_rt_sigreturn;

#endif
