/* Catching the kernel's signals for the guest. Contract: signal_host.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

#include "syscall-emu/forward.h"
#include "syscall-emu/signal_host.h"

/* copy_checked() relies on these two reaching the handler at any time; a blocked one would kill the process. */
#define NEVER_BLOCKED (SIGBIT(SIGSEGV) | SIGBIT(SIGBUS))
#define MASK_FULL (~NEVER_BLOCKED)
#define FAULT_SIGNALS (NEVER_BLOCKED | SIGBIT(SIGILL) | SIGBIT(SIGFPE) | SIGBIT(SIGTRAP))

extern const char signal_host_restorer[]; /* forward.S */

const char signal_host_timer_tag, signal_host_kick_tag;

static __thread struct task *current_task;
static __thread const pid_t *stands_for; /* a server thread: whose */
static __thread uint64_t host_mask; /* what the kernel has for this thread, so that no call is made for nothing */

/* Sent SIGSEGV and SIGBUS that have to wait: standard signals do not queue, so one of each is all there is. */
static __thread siginfo_t held_info[2];
static __thread volatile sig_atomic_t held[2];

static uint64_t addr_of(const char *symbol)
{
	return (uint64_t)(uintptr_t)symbol;
}

static long raw_sigaction(int sig, const struct ksigaction *act, struct ksigaction *old)
{
	return syscall(SYS_rt_sigaction, sig, act, old, sizeof(uint64_t)) < 0 ? -errno : 0;
}

static long raw_setmask(uint64_t mask)
{
	return syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask)) < 0 ? -errno : 0;
}

static char *put_hex(char *p, uint64_t v)
{
	int shift = 60;

	while (shift && !(v >> shift))
		shift -= 4;
	*p++ = '0';
	*p++ = 'x';
	for (; shift >= 0; shift -= 4)
		*p++ = "0123456789abcdef"[v >> shift & 15];
	return p;
}

static char *put_text(char *p, const char *text)
{
	while (*text)
		*p++ = *text++;
	return p;
}

/* A fault in the VMM: say where, then let the kernel end us when the handler returns to the same instruction. */
static void crash(int sig, const siginfo_t *info, uint64_t rip)
{
	static const struct ksigaction dfl;
	char line[160], *p = put_text(line, "sandrec: internal error: signal ");

	if (sig >= 10)
		*p++ = (char)('0' + sig / 10);
	*p++ = (char)('0' + sig % 10);
	p = put_text(p, " at rip ");
	p = put_hex(p, rip);
	p = put_text(p, ", address ");
	p = put_hex(p, (uint64_t)(uintptr_t)info->si_addr);
	*p++ = '\n';
	if (write(STDERR_FILENO, line, (size_t)(p - line)) < 0) {
		/* Nobody can be told. */
	}
	raw_sigaction(sig, &dfl, NULL);
	/* A trap, unlike a fault, would not come again. */
	if (sig == SIGTRAP)
		syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), sig);
}

static bool is_fault(int sig, const siginfo_t *info)
{
	return SIGBIT(sig) & FAULT_SIGNALS && info->si_code > 0;
}

static int held_index(int sig)
{
	return sig == SIGBUS;
}

/* One of the signals that cannot be blocked on the host, but is for the guest, or while another is in flight. */
static bool must_hold(const struct task *t, int sig)
{
	return SIGBIT(sig) & NEVER_BLOCKED && (t->pending || t->mask & SIGBIT(sig));
}

/*
 * To the thread that this one makes calls for; if it has ended, to any. What kill(2) has sent is refused: another thread may
 * only hear that it was one.
 */
static void give_away(int sig, const siginfo_t *info)
{
	pid_t tid = __atomic_load_n(stands_for, __ATOMIC_RELAXED);

	if (syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, sig, info) < 0 && syscall(SYS_tgkill, getpid(), tid, sig) < 0)
		kill(getpid(), sig);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
	struct task *t = current_task;

	if (is_fault(sig, info)) {
		if (SIGBIT(sig) & NEVER_BLOCKED && rip >= addr_of(copy_begin) && rip < addr_of(copy_end))
			uc->uc_mcontext.gregs[REG_RIP] = (greg_t)addr_of(copy_fixup);
		else
			crash(sig, info, rip);
		return;
	}
	if (!t && stands_for && sig == SIGBUS && info->si_code == SI_TIMER &&
	    info->si_value.sival_ptr == &signal_host_kick_tag) {
		if (rip >= addr_of(forward_begin) && rip <= addr_of(forward_insn))
			uc->uc_mcontext.gregs[REG_RIP] = (greg_t)addr_of(forward_restart);
		return;
	}
	if (!t && stands_for)
		give_away(sig, info);
	if (!t)
		return;
	if (sig == SIGBUS) /* if another one was pending the kick is not delivered on its own */
		__atomic_store_n(&t->kick_coming, 0, __ATOMIC_SEQ_CST);
	if (sig == SIGBUS && info->si_code == SI_TIMER && info->si_value.sival_ptr == &signal_host_kick_tag) {
		vcpu_kick(t->vcpu);
		return;
	}
	if (sig == SIGSEGV && info->si_code == SI_TIMER && info->si_value.sival_ptr == &signal_host_timer_tag) {
		vcpu_kick(t->vcpu);
		return;
	}
	if (must_hold(t, sig)) {
		if (!held[held_index(sig)])
			held_info[held_index(sig)] = *info;
		held[held_index(sig)] = 1;
		return;
	}
	t->pending_info = *info;
	t->pending = 1;
	/* The rest of the queue stays in the kernel until this one is delivered: the mask survives our return. */
	host_mask = MASK_FULL;
	memcpy(&uc->uc_sigmask, &(uint64_t){ MASK_FULL }, sizeof(uint64_t));
	vcpu_kick(t->vcpu);
	if (rip >= addr_of(forward_begin) && rip <= addr_of(forward_insn))
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)addr_of(forward_restart);
}

static struct ksigaction our_action(uint64_t guest_flags)
{
	return (struct ksigaction){
		.handler = (uint64_t)(uintptr_t)on_signal,
		.flags = SA_SIGINFO | KSA_RESTORER | (guest_flags & (SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT)),
		.restorer = addr_of(signal_host_restorer),
		.mask = MASK_FULL,
	};
}

int signal_host_guard(void)
{
	struct ksigaction act = our_action(0);
	long rc = raw_sigaction(SIGSEGV, &act, NULL);

	return (int)(rc < 0 ? rc : raw_sigaction(SIGBUS, &act, NULL));
}

/* What the kernel is to have for sig. */
static struct ksigaction host_action(const struct task *t, int sig)
{
	const struct ksigaction *ka = &t->proc->action[sig];
	struct ksigaction act = our_action(ka->flags);

	if (!(SIGBIT(sig) & NEVER_BLOCKED)) {
		if (ka->handler == KSA_IGNORE)
			act.handler = KSA_IGNORE;
		else if (ka->handler == KSA_DEFAULT && !signal_default_is_fatal(sig))
			act.handler = KSA_DEFAULT;
	}
	return act;
}

int signal_host_action(struct task *t, int sig)
{
	struct ksigaction act = host_action(t, sig);

	return sig == SIGKILL || sig == SIGSTOP ? 0 : (int)raw_sigaction(sig, &act, NULL);
}

/* Setting what is set already would not be nothing: the kernel drops a pending signal that becomes ignored. */
static int take_over(struct task *t, int sig)
{
	struct ksigaction act = host_action(t, sig), now;
	long rc = raw_sigaction(sig, NULL, &now);

	if (rc < 0 || (now.handler == act.handler && (act.handler == KSA_IGNORE || act.handler == KSA_DEFAULT)))
		return (int)rc;
	return signal_host_action(t, sig);
}

int signal_host_inherited(uint64_t *mask, uint64_t *ignored)
{
	struct ksigaction old;
	long rc;

	*ignored = 0;
	if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, mask, sizeof(*mask)) < 0)
		return -errno;
	for (int sig = 1; sig <= 64; sig++) {
		rc = raw_sigaction(sig, NULL, &old);
		if (rc < 0)
			return (int)rc;
		if (old.handler == KSA_IGNORE)
			*ignored |= SIGBIT(sig);
	}
	return 0;
}

int signal_host_init(struct task *t)
{
	uint64_t mask, ignored;
	int rc = signal_host_inherited(&mask, &ignored);

	if (rc < 0)
		return rc;
	signal_inherit(t, mask, ignored);
	current_task = t;
	host_mask = mask;
	for (int sig = 1; sig <= 64 && rc == 0; sig++)
		rc = take_over(t, sig);
	return rc < 0 ? rc : signal_host_mask(t);
}

/* A held signal takes its turn when the guest no longer blocks it and nothing else is in flight. */
static void release_held(struct task *t)
{
	static const int sigs[] = { SIGSEGV, SIGBUS };

	for (unsigned i = 0; i < 2; i++) {
		if (!held[i] || t->mask & SIGBIT(sigs[i]))
			continue;
		/* The handler may run at any instruction: whoever sets pending owns pending_info. */
		if (__atomic_exchange_n(&t->pending, 1, __ATOMIC_SEQ_CST))
			return;
		t->pending_info = held_info[i];
		held[i] = 0;
		vcpu_kick(t->vcpu);
		return;
	}
}

int signal_host_mask(struct task *t)
{
	uint64_t want = t->mask & MASK_FULL;
	const uint64_t args[6] = { SIG_SETMASK, (uint64_t)(uintptr_t)&want, 0, sizeof(want) };
	int64_t rc;

	if (!t->pending && (held[0] || held[1])) {
		rc = raw_setmask(MASK_FULL);
		if (rc < 0)
			return (int)rc;
		host_mask = MASK_FULL;
		release_held(t);
	}
	if (t->pending || host_mask == want)
		return 0;
	/* A signal caught before the call has filled the mask, which must not be undone: the checked call sees it. One
	 * caught inside the call fills it again. Both say so in host_mask, hence this order. */
	host_mask = want;
	rc = forward_syscall_checked(SYS_rt_sigprocmask, args, &t->pending);
	if (rc == SYS_ERESTARTSYS) {
		host_mask = MASK_FULL;
		return 0;
	}
	return (int)rc;
}

/* The default stop is the host's: the kernel knows about job control, waiting parents and SIGCONT. */
static void stop_here(struct task *t, int sig)
{
	uint64_t only = ~SIGBIT(sig), full = MASK_FULL;

	signal_host_action(t, sig);
	syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), sig);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &only, NULL, sizeof(only));
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &full, NULL, sizeof(full));
}

int signal_host_take(struct task *t, siginfo_t *si)
{
	int sig;
	const struct ksigaction *ka;

	if (!t->pending)
		return 0;
	*si = t->pending_info;
	sig = si->si_signo;
	ka = &t->proc->action[sig];
	if (signal_blocked(t, sig)) {
		/* A synchronous fault entered a handler that blocks what was in flight: back to the kernel's queue. */
		if (SIGBIT(sig) & NEVER_BLOCKED) {
			held_info[held_index(sig)] = *si;
			held[held_index(sig)] = 1;
		} else if (syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), sig, si) < 0) {
			return -errno;
		}
	} else if (ka->handler == KSA_DEFAULT && signal_default_stops(sig)) {
		stop_here(t, sig);
	} else if (ka->handler != KSA_IGNORE && (ka->handler != KSA_DEFAULT || signal_default_is_fatal(sig))) {
		t->pending = 0;
		return 1;
	}
	t->pending = 0;
	return signal_host_mask(t);
}

void signal_host_die(int wait_status)
{
	static const struct ksigaction dfl;
	int sig = wait_status & 0x7f;

	if (!sig)
		syscall(SYS_exit_group, wait_status >> 8 & 0xff);
	raw_sigaction(sig, &dfl, NULL);
	raw_setmask(~SIGBIT(sig));
	syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), sig);
	/* Still here: the first process of a pid namespace survives its own fatal signals. */
	syscall(SYS_exit_group, 128 + sig);
	__builtin_unreachable();
}

void signal_host_thread(struct task *t)
{
	raw_setmask(MASK_FULL);
	host_mask = MASK_FULL;
	held[0] = held[1] = 0;
	current_task = t;
}

void signal_host_server(const pid_t *tid)
{
	stands_for = tid;
}

void signal_host_hurry(pid_t tid)
{
	siginfo_t si = { .si_signo = SIGBUS, .si_code = SI_TIMER };

	si.si_value.sival_ptr = (void *)(uintptr_t)&signal_host_kick_tag;
	syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, SIGBUS, &si);
}

int signal_host_forked(struct task *t)
{
	current_task = t;
	t->pending = 0;
	held[0] = held[1] = 0;
	return signal_host_mask(t);
}

void signal_host_save(struct signal_host_state *s)
{
	raw_setmask(MASK_FULL);
	host_mask = MASK_FULL;
	s->task = current_task;
	memcpy(s->held_info, held_info, sizeof(held_info));
	s->held[0] = held[0];
	s->held[1] = held[1];
}

int signal_host_restore(struct task *t, const struct signal_host_state *s)
{
	current_task = s->task;
	memcpy(held_info, s->held_info, sizeof(held_info));
	held[0] = s->held[0];
	held[1] = s->held[1];
	host_mask = MASK_FULL;
	return current_task ? signal_host_mask(t) : (int)raw_setmask(t->mask & MASK_FULL);
}

int signal_host_requeue(struct task *t)
{
	const siginfo_t *si = &t->pending_info;

	if (!t->pending)
		return 0;
	/* The mask is full: it stays pending, through execve too. */
	if (syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), si->si_signo, si) < 0)
		return -errno;
	t->pending = 0;
	return 0;
}
