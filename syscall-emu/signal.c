/* Dispositions, masks, delivery and default actions of the guest's signals. Contract: signal.h. */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "syscall-emu/rseq.h"
#include "syscall-emu/signal.h"

#define UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))

/* Flag bits that sigaction(2) keeps; Linux clears the others so that programs can probe for new ones. */
#define KSA_EXPOSE_TAGBITS 0x800ULL
#define KSA_RESETHAND 0x80000000ULL /* libc's constant is a negative int */
#define KSA_KEPT (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | KSA_RESETHAND | \
		  KSA_EXPOSE_TAGBITS | KSA_RESTORER)

/* altstack_flags is kept as sas_ss_flags of Linux. */
#define ALTSTACK_FLAG_BITS ALTSTACK_AUTODISARM

#define DEFAULT_IGNORED (SIGBIT(SIGCHLD) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH) | SIGBIT(SIGCONT))
#define DEFAULT_STOPS (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define DEFAULT_CORE (SIGBIT(SIGQUIT) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGABRT) | SIGBIT(SIGFPE) | \
		      SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGSYS) | SIGBIT(SIGXCPU) | SIGBIT(SIGXFSZ))

bool signal_default_is_fatal(int sig)
{
	return !(SIGBIT(sig) & (DEFAULT_IGNORED | DEFAULT_STOPS));
}

bool signal_default_dumps_core(int sig)
{
	return SIGBIT(sig) & DEFAULT_CORE;
}

bool signal_default_stops(int sig)
{
	return SIGBIT(sig) & DEFAULT_STOPS;
}

void signal_inherit(struct task *t, uint64_t mask, uint64_t ignored)
{
	memset(t->proc->action, 0, sizeof(t->proc->action));
	for (int sig = 1; sig <= 64; sig++)
		if (ignored & SIGBIT(sig))
			t->proc->action[sig].handler = KSA_IGNORE;
	t->mask = mask & ~UNBLOCKABLE;
	t->altstack_sp = t->altstack_size = t->altstack_flags = 0;
}

/* ---- the temporary mask ---- */

/* Address of the mask argument of a call that waits with another mask, or 0. */
static uint64_t wait_mask_addr(const struct plan *p)
{
	uint64_t addr = 0;

	switch (p->nr) {
	case SYS_rt_sigsuspend:
		return p->arg[0];
	case SYS_ppoll:
		return p->arg[3];
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		return p->arg[4];
	case SYS_pselect6:
	case SYS_io_pgetevents: /* a struct of pointer and size */
		return p->arg[5] && !guest_read(&addr, p->arg[5], sizeof(addr)) ? addr : 0;
	}
	return 0;
}

/*
 * The mask a handler's own is built on. After a wait with a temporary mask was interrupted, Linux still has that one
 * in force while it enters the handler; the frame holds t->mask, to which the handler returns.
 */
static uint64_t mask_in_force(const struct task *t)
{
	const struct guest_regs *r = t->regs;
	uint64_t mask, addr;

	/* rcx tells the end of a call from its beginning, where rip has gone back to the instruction. Replay serves waits, too. */
	if ((t->stop.stop != VCPU_SYSCALL && t->stop.stop != VCPU_SERVED) || (int64_t)r->rax != -EINTR || r->rip != r->rcx)
		return t->mask;
	addr = wait_mask_addr(&t->plan);
	if (!addr || guest_read(&mask, addr, sizeof(mask)) < 0)
		return t->mask;
	return mask & ~UNBLOCKABLE;
}

bool signal_blocked(const struct task *t, int sig)
{
	return mask_in_force(t) & SIGBIT(sig);
}

/* ---- delivery ---- */

static void set_mask(struct task *t, uint64_t mask)
{
	t->mask = mask & ~UNBLOCKABLE;
	t->proc->sess->ops->set_mask(t->proc->sess, t);
}

static void die_of(struct task *t, int sig)
{
	t->dead = true;
	t->wait_status = sig | (signal_default_dumps_core(sig) ? 0x80 : 0);
}

/* Enters the handler: 0, or -EFAULT when no frame can be made. */
static int enter_handler(struct task *t, const siginfo_t *si, uint64_t in_force)
{
	struct session *s = t->proc->sess;
	int sig = si->si_signo;
	struct ksigaction *ka = &t->proc->action[sig], sa = *ka;
	int rc = rseq_interrupted(t);

	if (rc < 0)
		return rc;
	if (sa.flags & KSA_RESETHAND) {
		ka->handler = KSA_DEFAULT;
		s->ops->set_action(s, t, sig);
	}
	rc = sigframe_push(t, si, &sa);
	if (rc < 0)
		return rc;
	if (t->altstack_flags & ALTSTACK_AUTODISARM) {
		t->altstack_sp = t->altstack_size = 0;
		t->altstack_flags = SS_DISABLE;
	}
	set_mask(t, in_force | sa.mask | (sa.flags & SA_NODEFER ? 0 : SIGBIT(sig)));
	return 0;
}

/* An address the CPU refuses to go to: Linux finds out at its own iret, which faults. */
static bool signal_bad_rip(struct task *t)
{
	uint64_t rip = t->regs->rip;

	if ((uint64_t)((int64_t)(rip << 16) >> 16) == rip)
		return false;
	t->fault.trapno = 13;
	t->fault.error = 0;
	return true;
}

/* True when SIGSEGV has to follow: the frame or the handler's address was no good. */
static bool deliver_one(struct task *t, const siginfo_t *si, bool forced)
{
	int sig = si->si_signo;
	struct ksigaction *ka = &t->proc->action[sig];
	uint64_t in_force = mask_in_force(t);

	if (forced && (ka->handler == KSA_IGNORE || in_force & SIGBIT(sig)))
		ka->handler = KSA_DEFAULT;
	if (ka->handler == KSA_DEFAULT && (forced || signal_default_is_fatal(sig))) {
		die_of(t, sig);
		return false;
	}
	if (ka->handler == KSA_IGNORE || ka->handler == KSA_DEFAULT) {
		set_mask(t, t->mask);
		return false;
	}
	if (enter_handler(t, si, in_force) == 0)
		return signal_bad_rip(t);
	/* As force_sigsegv: a SIGSEGV whose own frame cannot be made is fatal. */
	if (sig == SIGSEGV) {
		die_of(t, sig);
		return false;
	}
	return true;
}

void signal_deliver(struct task *t, const siginfo_t *si, bool forced)
{
	siginfo_t segv;

	/* A loop and not recursion: how often it goes round is in the guest's hands. */
	while (deliver_one(t, si, forced)) {
		segv = (siginfo_t){ .si_signo = SIGSEGV, .si_code = SI_KERNEL };
		si = &segv;
		forced = true;
	}
}

void signal_force_segv(struct task *t)
{
	const siginfo_t segv = { .si_signo = SIGSEGV, .si_code = SI_KERNEL };

	signal_deliver(t, &segv, true);
}

void signal_preempted(struct task *t)
{
	if (rseq_interrupted(t) < 0)
		signal_force_segv(t);
}

/* ---- the alternate stack ---- */

bool signal_on_altstack(const struct task *t, uint64_t sp)
{
	return sp > t->altstack_sp && sp - t->altstack_sp <= t->altstack_size;
}

/* SS_AUTODISARM makes the stack look unused: it is given up when a handler starts on it. */
static bool altstack_in_use(const struct task *t, uint64_t sp)
{
	return !(t->altstack_flags & ALTSTACK_AUTODISARM) && signal_on_altstack(t, sp);
}

int signal_set_altstack(struct task *t, uint64_t sp, uint64_t ss_sp, uint32_t ss_flags, uint64_t ss_size)
{
	uint32_t mode = ss_flags & ~ALTSTACK_FLAG_BITS;

	if (altstack_in_use(t, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (t->altstack_sp == ss_sp && t->altstack_size == ss_size && t->altstack_flags == ss_flags)
		return 0;
	if (mode == SS_DISABLE)
		ss_sp = ss_size = 0;
	else if (ss_size < ALTSTACK_MIN)
		return -ENOMEM;
	t->altstack_sp = ss_sp;
	t->altstack_size = ss_size;
	t->altstack_flags = ss_flags;
	return 0;
}

struct guest_stack { /* stack_t */
	uint64_t sp;
	uint32_t flags, pad;
	uint64_t size;
};

int64_t do_sigaltstack(struct task *t, struct plan *p)
{
	struct guest_stack new, old = { .sp = t->altstack_sp, .size = t->altstack_size };
	uint32_t was = t->altstack_flags;
	uint64_t sp = t->regs->rsp;
	int rc;

	if (p->arg[0] && guest_read(&new, p->arg[0], sizeof(new)) < 0)
		return -EFAULT;
	old.flags = !t->altstack_size ? SS_DISABLE : altstack_in_use(t, sp) ? SS_ONSTACK : 0;
	old.flags |= t->altstack_flags & ALTSTACK_FLAG_BITS;
	if (p->arg[0]) {
		rc = signal_set_altstack(t, sp, new.sp, new.flags, new.size);
		if (rc < 0)
			return rc;
	}
	if (!p->arg[1] || guest_write(p->arg[1], &old, sizeof(old)) == 0)
		return 0;
	t->altstack_sp = old.sp;
	t->altstack_size = old.size;
	t->altstack_flags = was;
	return -EFAULT;
}

/* ---- handlers of the table ---- */

/*
 * A call that fails is not done again on replay, so it may not have changed anything. Linux says EFAULT after the
 * change when the old setting cannot be stored; here that comes first.
 */
static int store_old(uint64_t addr, const void *old, size_t len)
{
	return addr ? guest_write(addr, old, len) : 0;
}

int64_t do_rt_sigaction(struct task *t, struct plan *p)
{
	struct session *s = t->proc->sess;
	uint64_t sig = (uint32_t)p->arg[0];
	struct ksigaction new, old;
	int rc;

	if (p->arg[3] != sizeof(uint64_t))
		return -EINVAL;
	if (p->arg[1] && guest_read(&new, p->arg[1], sizeof(new)) < 0)
		return -EFAULT;
	if (sig < 1 || sig > 64 || (p->arg[1] && (sig == SIGKILL || sig == SIGSTOP)))
		return -EINVAL;
	old = t->proc->action[sig];
	rc = store_old(p->arg[2], &old, sizeof(old));
	if (rc < 0)
		return rc;
	if (p->arg[1]) {
		new.flags &= KSA_KEPT;
		new.mask &= ~UNBLOCKABLE;
		t->proc->action[sig] = new;
		rc = s->ops->set_action(s, t, (int)sig);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/*
 * Makes mask the guest's. A signal caught by the host just before, which the guest blocks from here on, must come
 * before the call: then nothing is changed and the call starts again after the handler.
 */
static int64_t change_mask(struct task *t, uint64_t mask)
{
	struct session *s = t->proc->sess;
	uint64_t old = t->mask;
	int rc;

	t->mask = mask & ~UNBLOCKABLE;
	rc = s->ops->set_mask(s, t);
	if (rc < 0)
		return rc;
	if (!t->pending || !(t->mask & ~old & SIGBIT(t->pending_info.si_signo)))
		return 0;
	t->mask = old;
	return SYS_ERESTARTSYS;
}

/* What `how` makes of the old mask and set; false for an unknown one. */
static bool combine(int how, uint64_t old, uint64_t *set)
{
	switch (how) {
	case SIG_BLOCK:
		*set |= old;
		return true;
	case SIG_UNBLOCK:
		*set = old & ~*set;
		return true;
	case SIG_SETMASK:
		return true;
	}
	return false;
}

int64_t do_rt_sigprocmask(struct task *t, struct plan *p)
{
	uint64_t set, old = t->mask;
	int rc;

	if (p->arg[3] != sizeof(uint64_t))
		return -EINVAL;
	if (p->arg[1]) {
		if (guest_read(&set, p->arg[1], sizeof(set)) < 0)
			return -EFAULT;
		if (!combine((int)p->arg[0], old, &set))
			return -EINVAL;
	}
	rc = store_old(p->arg[2], &old, sizeof(old));
	if (rc < 0)
		return rc;
	return p->arg[1] ? change_mask(t, set) : 0;
}

int64_t do_rt_sigreturn(struct task *t, struct plan *p)
{
	uint64_t mask;
	int64_t rc;

	(void)p;
	/* The mask first and alone: only it can make the call start again, and then nothing may have changed. */
	if (!sigframe_mask(t, &mask)) {
		rc = change_mask(t, mask);
		if (rc < 0)
			return rc;
	}
	rc = sigframe_return(t);
	if (!t->dead && signal_bad_rip(t))
		signal_force_segv(t);
	return rc;
}
