/*
 * Frames, dispositions and masks without a VM (the vCPU and the guest's holes are doubles below), and the host side
 * with the kernel's own signals. Each test is its own process.
 */
#include <check.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "syscall-emu/exception.h"
#include "syscall-emu/forward.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/signal_host.h"
#include "tests/unit/unit.h"

#define BASE 0x20000000ULL
#define SIZE 0x40000ULL
#define STACK (BASE + SIZE / 2) /* rsp of the guest */
#define ALT (BASE + 0x30000ULL)
#define ALT_SIZE 0x8000ULL
#define XSAVE_SIZE 832u
#define HANDLER 0x400000ULL
#define RESTORER 0x401000ULL

/* ---- doubles ---- */

static struct cpu_table cpu = { .xcr0 = 7, .xsave_size = XSAVE_SIZE };
static unsigned char xsave[XSAVE_SIZE];
static int kicks, masks_set, actions_set;

const struct cpu_table *vm_cpu(const struct vm *vm)
{
	(void)vm;
	return &cpu;
}

int vcpu_get_xsave(struct vcpu *v, void *buf, size_t size)
{
	(void)v;
	memcpy(buf, xsave, size);
	return 0;
}

int vcpu_set_xsave(struct vcpu *v, const void *buf, size_t size)
{
	uint32_t mxcsr;

	(void)v;
	memcpy(&mxcsr, (const char *)buf + 24, sizeof(mxcsr));
	if (mxcsr >> 16)
		return -EINVAL;
	memcpy(xsave, buf, size);
	return 0;
}

void vcpu_kick(struct vcpu *v)
{
	(void)v;
	kicks++;
}

int mm_range_ok(const struct mm *mm, uint64_t addr, uint64_t len)
{
	(void)mm, (void)addr, (void)len;
	return 1;
}

/* For rseq(2), which is not called here. */
void plan_set_annex(struct plan *p, const void *bytes, uint32_t len)
{
	(void)p, (void)bytes, (void)len;
	ck_abort_msg("not called");
}

static bool on_host; /* the session hands on to signal_host.c */

static int set_mask(struct session *s, struct task *t)
{
	(void)s;
	masks_set++;
	return on_host ? signal_host_mask(t) : 0;
}

static int set_action(struct session *s, struct task *t, int sig)
{
	(void)s;
	actions_set++;
	return on_host ? signal_host_action(t, sig) : 0;
}

static const struct session_ops ops = { .name = "test", .set_mask = set_mask, .set_action = set_action };
static struct session session = { .ops = &ops };
static struct process proc = { .sess = &session };
static struct guest_regs regs;
static struct task task = { .proc = &proc, .regs = &regs };

/* ---- the guest ---- */

static void start(void)
{
	void *m = mmap((void *)BASE, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	ck_assert_ptr_eq(m, (void *)BASE);
	ck_assert_int_eq(signal_host_guard(), 0);
	for (unsigned i = 0; i < 16; i++)
		regs.r[i] = 0x1111111111111111ULL * i;
	regs.rsp = STACK;
	regs.rip = 0x400123;
	regs.rflags = 0x10746; /* RF IF DF TF and arithmetic */
	memset(xsave, 0, sizeof(xsave));
	xsave[24] = 0x80, xsave[25] = 0x3f; /* MXCSR 0x3f80 */
	xsave[0] = 0x7f, xsave[1] = 0x02;   /* FCW 0x27f */
	xsave[160] = 0xaa;
	xsave[512] = 3;
	memset(xsave + 576, 0x77, 256);
	task.stop.stop = VCPU_SYSCALL;
}

static void handle(int sig, uint64_t flags, uint64_t mask)
{
	proc.action[sig] = (struct ksigaction){ HANDLER, flags | KSA_RESTORER, RESTORER, mask };
}

static void deliver(int sig, bool forced)
{
	const siginfo_t si = { .si_signo = sig, .si_code = SI_USER, .si_value.sival_int = 4711 };

	signal_deliver(&task, &si, forced);
}

static ucontext_t *context(void)
{
	return (ucontext_t *)(uintptr_t)regs.rdx;
}

/* What the handler's `ret` does, and the system call behind the restorer. */
static int64_t handler_returns(void)
{
	regs.rsp += 8;
	return do_rt_sigreturn(&task, &task.plan);
}

static int64_t call(sys_handler *fn, uint64_t a, const void *b, const void *c, uint64_t d)
{
	struct plan p = { .arg = { a, (uint64_t)(uintptr_t)b, (uint64_t)(uintptr_t)c, d } };

	return fn(&task, &p);
}

static void *scratch(const void *bytes, size_t len)
{
	return memcpy((void *)(BASE + 64), bytes, len);
}

/* ---- frames ---- */

START_TEST(test_round_trip)
{
	unsigned char x[XSAVE_SIZE];
	struct guest_regs before;

	start();
	before = regs;
	memcpy(x, xsave, sizeof(x));
	task.mask = SIGBIT(SIGHUP);
	handle(SIGUSR1, SA_SIGINFO, SIGBIT(SIGUSR2) | SIGBIT(SIGKILL));
	deliver(SIGUSR1, false);
	ck_assert_uint_eq(regs.rip, HANDLER);
	ck_assert_uint_eq(regs.rdi, SIGUSR1);
	ck_assert_uint_eq(regs.rax, 0);
	ck_assert_uint_eq(regs.rsp % 16, 8);
	ck_assert_uint_lt(regs.rsp + 440 + XSAVE_SIZE, STACK - 128);
	ck_assert_uint_eq(regs.rflags & 0x10500, 0);
	ck_assert_uint_eq(*(uint64_t *)(uintptr_t)regs.rsp, RESTORER);
	ck_assert_int_eq(((siginfo_t *)(uintptr_t)regs.rsi)->si_value.sival_int, 4711);
	ck_assert_uint_eq((uint64_t)context()->uc_mcontext.gregs[REG_RIP], before.rip);
	ck_assert_uint_eq((uint64_t)context()->uc_mcontext.gregs[REG_CSGSFS], 0x002b000000000033ULL);
	ck_assert_uint_eq((uint64_t)context()->uc_mcontext.fpregs % 64, 0);
	/* The handler starts with a clean state, and its mask. */
	ck_assert_uint_eq(xsave[24] | xsave[25] << 8, 0x1f80);
	ck_assert_uint_eq(xsave[160], 0);
	ck_assert_uint_eq(task.mask, SIGBIT(SIGHUP) | SIGBIT(SIGUSR1) | SIGBIT(SIGUSR2));
	memset(regs.r, 0x5a, offsetof(struct guest_regs, rsp));
	ck_assert(handler_returns() == SYS_REGS_SET);
	ck_assert_mem_eq(regs.r, before.r, sizeof(regs.r));
	ck_assert_mem_eq(xsave, x, sizeof(x));
	ck_assert_uint_eq(task.mask, SIGBIT(SIGHUP));
}
END_TEST

START_TEST(test_changed_context)
{
	start();
	handle(SIGUSR1, SA_SIGINFO, 0);
	deliver(SIGUSR1, false);
	context()->uc_mcontext.gregs[REG_RIP] = 0x400777;
	context()->uc_mcontext.gregs[REG_R9] = 9;
	context()->uc_mcontext.gregs[REG_EFL] = -1;
	*(uint64_t *)&context()->uc_sigmask = ~0ULL;
	ck_assert(handler_returns() == SYS_REGS_SET);
	ck_assert_uint_eq(regs.rip, 0x400777);
	ck_assert_uint_eq(regs.r9, 9);
	/* Neither IOPL, VM, NT nor VIF can be had. */
	ck_assert_uint_eq(regs.rflags, 0x50fd7);
	ck_assert_uint_eq(task.mask, ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP)));
}
END_TEST

/* Loop: the ways in which a frame's extended state can be bad. */
START_TEST(test_bad_fpstate)
{
	unsigned char *fp;

	start();
	handle(SIGUSR1, SA_SIGINFO, 0);
	deliver(SIGUSR1, false);
	fp = (unsigned char *)context()->uc_mcontext.fpregs;
	switch (_i) {
	case 0:
		context()->uc_mcontext.fpregs = (void *)(fp + 8);
		break;
	case 1:
		context()->uc_mcontext.fpregs = (void *)(BASE + SIZE);
		break;
	case 2:
		fp[26] = 1; /* a reserved bit of MXCSR */
		break;
	case 3:
		fp[512] = 0x80; /* a component beyond XCR0 */
		break;
	case 4:
		context()->uc_mcontext.fpregs = (void *)0xffff800000000000ULL;
		break;
	}
	handler_returns();
	ck_assert(task.dead);
	ck_assert_int_eq(task.wait_status, SIGSEGV | 0x80);
}
END_TEST

START_TEST(test_legacy_fpstate)
{
	start();
	handle(SIGUSR1, SA_SIGINFO, 0);
	deliver(SIGUSR1, false);
	memset((char *)context()->uc_mcontext.fpregs + 464, 0, 48);
	handler_returns();
	ck_assert(!task.dead);
	ck_assert_uint_eq(xsave[160], 0xaa);
	ck_assert_uint_eq(xsave[576], 0); /* AVX: initial */
	deliver(SIGUSR1, false);
	context()->uc_mcontext.fpregs = NULL;
	handler_returns();
	ck_assert_uint_eq(xsave[24] | xsave[25] << 8, 0x1f80);
}
END_TEST

/* A size in the frame larger than the CPU's may not make us read or restore more. */
START_TEST(test_hostile_xstate_size)
{
	uint32_t big = 0x7fffffff;

	start();
	handle(SIGUSR1, SA_SIGINFO, 0);
	deliver(SIGUSR1, false);
	memcpy((char *)context()->uc_mcontext.fpregs + 468, &big, sizeof(big));
	memcpy((char *)context()->uc_mcontext.fpregs + 480, &big, sizeof(big));
	handler_returns();
	ck_assert(!task.dead);
	ck_assert_uint_eq(xsave[160], 0xaa);
	ck_assert_uint_eq(xsave[576], 0);
}
END_TEST

START_TEST(test_no_room)
{
	start();
	regs.rsp = BASE + 256;
	handle(SIGUSR1, SA_SIGINFO, 0);
	deliver(SIGUSR1, false);
	ck_assert(task.dead);
	ck_assert_int_eq(task.wait_status, SIGSEGV | 0x80);
	/* With a handler for SIGSEGV on another stack that one runs instead. */
	task.dead = false;
	task.altstack_sp = ALT;
	task.altstack_size = ALT_SIZE;
	handle(SIGSEGV, SA_SIGINFO | SA_ONSTACK, 0);
	deliver(SIGUSR1, false);
	ck_assert(!task.dead);
	ck_assert_uint_eq(regs.rdi, SIGSEGV);
	ck_assert(regs.rsp > ALT && regs.rsp < ALT + ALT_SIZE);
	ck_assert_int_eq(((siginfo_t *)(uintptr_t)regs.rsi)->si_code, SI_KERNEL);
}
END_TEST

START_TEST(test_no_restorer)
{
	start();
	proc.action[SIGUSR1] = (struct ksigaction){ .handler = HANDLER };
	deliver(SIGUSR1, false);
	ck_assert_int_eq(task.wait_status, SIGSEGV | 0x80);
}
END_TEST

START_TEST(test_bad_handler_address)
{
	start();
	handle(SIGUSR1, 0, 0);
	proc.action[SIGUSR1].handler = 0x8000000000000000ULL;
	handle(SIGSEGV, SA_SIGINFO, 0);
	deliver(SIGUSR1, false);
	ck_assert_uint_eq(regs.rdi, SIGSEGV);
	ck_assert_uint_eq((uint64_t)context()->uc_mcontext.gregs[REG_TRAPNO], 13);
	/* Both bad, and never blocked: it ends when the stack does. */
	proc.action[SIGSEGV].handler = 0x8000000000000000ULL;
	proc.action[SIGSEGV].flags |= SA_NODEFER;
	task.mask = 0;
	deliver(SIGUSR1, false);
	ck_assert_int_eq(task.wait_status, SIGSEGV | 0x80);
}
END_TEST

/* ---- the alternate stack ---- */

START_TEST(test_altstack)
{
	struct { uint64_t sp; uint32_t flags, pad; uint64_t size; } ss = { ALT, 0, 0, ALT_SIZE }, *old;

	start();
	old = (void *)(BASE + 128);
	ss.size = 2047;
	ck_assert_int_eq(call(do_sigaltstack, (uintptr_t)scratch(&ss, sizeof(ss)), NULL, NULL, 0), -ENOMEM);
	ss.size = ALT_SIZE;
	ss.flags = 4;
	ck_assert_int_eq(call(do_sigaltstack, (uintptr_t)scratch(&ss, sizeof(ss)), NULL, NULL, 0), -EINVAL);
	ss.flags = 0;
	ck_assert_int_eq(call(do_sigaltstack, (uintptr_t)scratch(&ss, sizeof(ss)), old, NULL, 0), 0);
	ck_assert_uint_eq(old->flags, SS_DISABLE);
	handle(SIGUSR1, SA_SIGINFO | SA_ONSTACK, 0);
	deliver(SIGUSR1, false);
	ck_assert(regs.rsp > ALT && regs.rsp < ALT + ALT_SIZE);
	ck_assert_int_eq(call(do_sigaltstack, (uintptr_t)scratch(&ss, sizeof(ss)), NULL, NULL, 0), -EPERM);
	ck_assert_int_eq(call(do_sigaltstack, 0, old, NULL, 0), 0);
	ck_assert_uint_eq(old->flags, SS_ONSTACK);
	ck_assert_int_eq(call(do_sigaltstack, BASE + SIZE, NULL, NULL, 0), -EFAULT);
	handler_returns();
	ck_assert_uint_eq(regs.rsp, STACK);
	/* Nested deliveries go on below, until the stack is full: then SIGSEGV, which is not handled. */
	proc.action[SIGUSR1].flags |= SA_NODEFER;
	for (int i = 0; i < 100 && !task.dead; i++)
		deliver(SIGUSR1, false);
	ck_assert_int_eq(task.wait_status, SIGSEGV | 0x80);
	ck_assert(regs.rsp > ALT);
}
END_TEST

START_TEST(test_autodisarm)
{
	start();
	ck_assert_int_eq(signal_set_altstack(&task, STACK, ALT, ALTSTACK_AUTODISARM, ALT_SIZE), 0);
	handle(SIGUSR1, SA_SIGINFO | SA_ONSTACK, 0);
	deliver(SIGUSR1, false);
	ck_assert(regs.rsp > ALT && regs.rsp < ALT + ALT_SIZE);
	ck_assert_uint_eq(task.altstack_size, 0);
	ck_assert_uint_eq((unsigned)context()->uc_stack.ss_flags, ALTSTACK_AUTODISARM);
	handler_returns();
	ck_assert_uint_eq(task.altstack_sp, ALT);
	ck_assert_uint_eq(task.altstack_size, ALT_SIZE);
	ck_assert_uint_eq(task.altstack_flags, ALTSTACK_AUTODISARM);
}
END_TEST

/* ---- dispositions ---- */

START_TEST(test_flags)
{
	start();
	handle(SIGUSR1, SA_SIGINFO | 0x80000000ULL, 0);
	deliver(SIGUSR1, false);
	ck_assert_uint_eq(proc.action[SIGUSR1].handler, KSA_DEFAULT);
	ck_assert_int_eq(actions_set, 1);
	ck_assert_int_eq(masks_set, 1);
	task.mask = 0;
	handle(SIGUSR2, SA_NODEFER, 0);
	deliver(SIGUSR2, false);
	ck_assert_uint_eq(task.mask, 0);
}
END_TEST

START_TEST(test_defaults)
{
	static const int ignored[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT };
	static const int core[] = { SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGSYS, SIGXCPU,
				    SIGXFSZ };
	static const int term[] = { SIGHUP, SIGINT, SIGKILL, SIGUSR1, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGIO,
				    SIGPWR, 34, 64 };

	start();
	for (unsigned i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		deliver(ignored[i], false);
	ck_assert(!task.dead);
	for (unsigned i = 0; i < sizeof(core) / sizeof(core[0]); i++) {
		deliver(core[i], false);
		ck_assert_int_eq(task.wait_status, core[i] | 0x80);
	}
	for (unsigned i = 0; i < sizeof(term) / sizeof(term[0]); i++) {
		deliver(term[i], false);
		ck_assert_int_eq(task.wait_status, term[i]);
	}
}
END_TEST

START_TEST(test_forced)
{
	start();
	proc.action[SIGFPE].handler = KSA_IGNORE;
	deliver(SIGFPE, false);
	ck_assert(!task.dead);
	deliver(SIGFPE, true);
	ck_assert_int_eq(task.wait_status, SIGFPE | 0x80);
	task.dead = false;
	handle(SIGILL, 0, 0);
	task.mask = SIGBIT(SIGILL);
	deliver(SIGILL, true);
	ck_assert_int_eq(task.wait_status, SIGILL | 0x80);
}
END_TEST

START_TEST(test_sigaction)
{
	struct ksigaction *old = (void *)(BASE + 256), sa = { HANDLER, ~0ULL, RESTORER, ~0ULL };

	start();
	ck_assert_int_eq(call(do_rt_sigaction, SIGUSR1, scratch(&sa, sizeof(sa)), old, 8), 0);
	ck_assert_uint_eq(proc.action[SIGUSR1].flags, 0xdc000807);
	ck_assert_uint_eq(proc.action[SIGUSR1].mask, ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP)));
	ck_assert_uint_eq(old->handler, KSA_DEFAULT);
	ck_assert_int_eq(call(do_rt_sigaction, SIGKILL, scratch(&sa, sizeof(sa)), NULL, 8), -EINVAL);
	ck_assert_int_eq(call(do_rt_sigaction, SIGSTOP, NULL, old, 8), 0);
	ck_assert_int_eq(call(do_rt_sigaction, 0, NULL, old, 8), -EINVAL);
	ck_assert_int_eq(call(do_rt_sigaction, 65, NULL, old, 8), -EINVAL);
	ck_assert_int_eq(call(do_rt_sigaction, (uint64_t)-1, NULL, old, 8), -EINVAL);
	ck_assert_int_eq(call(do_rt_sigaction, SIGUSR1, NULL, old, 4), -EINVAL);
	ck_assert_int_eq(call(do_rt_sigaction, SIGUSR1, (void *)(BASE + SIZE), old, 8), -EFAULT);
	ck_assert_int_eq(call(do_rt_sigaction, SIGUSR1, NULL, (void *)(BASE + SIZE), 8), -EFAULT);
}
END_TEST

START_TEST(test_sigprocmask)
{
	uint64_t set = SIGBIT(SIGUSR1) | SIGBIT(SIGKILL), *old = (void *)(BASE + 256);

	start();
	ck_assert_int_eq(call(do_rt_sigprocmask, SIG_BLOCK, scratch(&set, 8), old, 8), 0);
	ck_assert_uint_eq(task.mask, SIGBIT(SIGUSR1));
	set = SIGBIT(SIGUSR2);
	ck_assert_int_eq(call(do_rt_sigprocmask, SIG_BLOCK, scratch(&set, 8), old, 8), 0);
	ck_assert_uint_eq(*old, SIGBIT(SIGUSR1));
	ck_assert_int_eq(call(do_rt_sigprocmask, SIG_UNBLOCK, scratch(&set, 8), NULL, 8), 0);
	ck_assert_uint_eq(task.mask, SIGBIT(SIGUSR1));
	ck_assert_int_eq(call(do_rt_sigprocmask, 3, scratch(&set, 8), NULL, 8), -EINVAL);
	ck_assert_int_eq(call(do_rt_sigprocmask, 3, NULL, old, 8), 0);
	ck_assert_int_eq(call(do_rt_sigprocmask, SIG_BLOCK, scratch(&set, 8), NULL, 16), -EINVAL);
	ck_assert_int_eq(call(do_rt_sigprocmask, SIG_BLOCK, (void *)(BASE + SIZE), NULL, 8), -EFAULT);
	/* One in flight that is blocked from now on comes before the call. */
	task.pending = 1;
	task.pending_info.si_signo = SIGUSR2;
	ck_assert(call(do_rt_sigprocmask, SIG_BLOCK, scratch(&set, 8), NULL, 8) == SYS_ERESTARTSYS);
	ck_assert_uint_eq(task.mask, SIGBIT(SIGUSR1));
}
END_TEST

/* After sigsuspend the frame has the old mask and the handler's own is built on the temporary one. */
START_TEST(test_temporary_mask)
{
	uint64_t temporary = SIGBIT(SIGHUP);

	start();
	task.mask = SIGBIT(SIGUSR1) | SIGBIT(SIGUSR2);
	task.plan.nr = SYS_rt_sigsuspend;
	task.plan.arg[0] = (uintptr_t)scratch(&temporary, 8);
	regs.rax = (uint64_t)-EINTR;
	regs.rcx = regs.rip;
	ck_assert(!signal_blocked(&task, SIGUSR1));
	ck_assert(signal_blocked(&task, SIGHUP));
	handle(SIGUSR1, SA_SIGINFO, 0);
	deliver(SIGUSR1, false);
	ck_assert_uint_eq(*(uint64_t *)&context()->uc_sigmask, SIGBIT(SIGUSR1) | SIGBIT(SIGUSR2));
	ck_assert_uint_eq(task.mask, SIGBIT(SIGHUP) | SIGBIT(SIGUSR1));
}
END_TEST

/* ---- the host side ---- */

static void start_host(void)
{
	start();
	on_host = true;
	ck_assert_int_eq(signal_host_init(&task), 0);
}

static uint64_t host_mask(void)
{
	uint64_t mask = 0;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask, 8);
	return mask;
}

static void set_handler(int sig, uint64_t flags)
{
	handle(sig, flags, 0);
	ck_assert_int_eq(signal_host_action(&task, sig), 0);
}

START_TEST(test_one_in_flight)
{
	siginfo_t si;

	start_host();
	set_handler(SIGUSR1, SA_SIGINFO);
	set_handler(SIGUSR2, SA_SIGINFO);
	ck_assert_int_eq(signal_host_take(&task, &si), 0);
	kill(getpid(), SIGUSR1);
	ck_assert_int_eq(task.pending, 1);
	ck_assert_int_eq(kicks, 1);
	kill(getpid(), SIGUSR2);
	ck_assert_int_eq(task.pending_info.si_signo, SIGUSR1);
	ck_assert(host_mask() & SIGBIT(SIGUSR2));
	ck_assert_int_eq(signal_host_take(&task, &si), 1);
	ck_assert_int_eq(si.si_signo, SIGUSR1);
	ck_assert_int_eq(si.si_pid, getpid());
	signal_deliver(&task, &si, false);
	/* Setting the mask let the second one in. */
	ck_assert_int_eq(signal_host_take(&task, &si), 1);
	ck_assert_int_eq(si.si_signo, SIGUSR2);
	signal_deliver(&task, &si, false);
	ck_assert_uint_eq(host_mask(), SIGBIT(SIGUSR1) | SIGBIT(SIGUSR2));
	handler_returns();
	handler_returns();
	ck_assert_uint_eq(host_mask(), 0);
	ck_assert_uint_eq(regs.rsp, STACK);
}
END_TEST

/* A signal that a fault's handler blocks goes back to the queue and comes when it is unblocked. */
START_TEST(test_given_back)
{
	siginfo_t si;

	start_host();
	set_handler(SIGUSR1, SA_SIGINFO);
	set_handler(SIGFPE, SA_SIGINFO);
	proc.action[SIGFPE].mask = SIGBIT(SIGUSR1);
	kill(getpid(), SIGUSR1);
	deliver(SIGFPE, true);
	ck_assert_int_eq(signal_host_take(&task, &si), 0);
	ck_assert_uint_eq(host_mask(), (SIGBIT(SIGUSR1) | SIGBIT(SIGFPE)));
	handler_returns();
	ck_assert_int_eq(signal_host_take(&task, &si), 1);
	ck_assert_int_eq(si.si_signo, SIGUSR1);
	ck_assert_int_eq(si.si_code, SI_USER);
}
END_TEST

/* A sent SIGSEGV the guest blocks must not be blocked on the host, where copies need it. */
START_TEST(test_held)
{
	siginfo_t si;
	char byte;

	start_host();
	set_handler(SIGSEGV, SA_SIGINFO);
	task.mask = SIGBIT(SIGSEGV) | SIGBIT(SIGUSR1);
	ck_assert_int_eq(signal_host_mask(&task), 0);
	ck_assert_uint_eq(host_mask(), SIGBIT(SIGUSR1));
	kill(getpid(), SIGSEGV);
	ck_assert_int_eq(task.pending, 0);
	ck_assert_int_eq(guest_read(&byte, BASE + SIZE, 1), -EFAULT);
	task.mask = 0;
	ck_assert_int_eq(signal_host_mask(&task), 0);
	ck_assert_int_eq(signal_host_take(&task, &si), 1);
	ck_assert_int_eq(si.si_signo, SIGSEGV);
	ck_assert_int_eq(si.si_code, SI_USER);
	ck_assert_int_eq(guest_read(&byte, BASE + SIZE, 1), -EFAULT);
}
END_TEST

/* Loop: with SA_RESTART the call is to be made again, without it says EINTR. */
START_TEST(test_interrupted_call)
{
	struct itimerval soon = { .it_value.tv_usec = 20000 };
	uint64_t args[6] = { 0, BASE, 1 };
	int pipes[2];

	start_host();
	ck_assert_int_eq(pipe(pipes), 0);
	args[0] = (uint64_t)pipes[0];
	set_handler(SIGALRM, _i ? SA_RESTART : 0);
	setitimer(ITIMER_REAL, &soon, NULL);
	ck_assert_int_eq(forward_syscall_checked(SYS_read, args, &task.pending), _i ? SYS_ERESTARTSYS : -EINTR);
	ck_assert_int_eq(task.pending, 1);
	/* And while it is in flight no call is made at all. */
	ck_assert_int_eq(forward_syscall_checked(SYS_getpid, args, &task.pending), SYS_ERESTARTSYS);
	task.pending = 0;
	ck_assert_int_eq(forward_syscall_checked(SYS_getpid, args, &task.pending), getpid());
	ck_assert_int_eq(forward_syscall_checked(SYS_close, (uint64_t[6]){ 9999 }, &task.pending), -EBADF);
}
END_TEST

/* However a signal falls around the blocking call, it is either seen first or interrupts it: never is it slept over. */
START_TEST(test_no_lost_signal)
{
	struct itimerval tick = { .it_value.tv_usec = 1 };
	const uint64_t args[6] = { 0 };
	siginfo_t si;

	start_host();
	set_handler(SIGALRM, SA_SIGINFO);
	for (int i = 0; i < 3000; i++) {
		tick.it_value.tv_usec = 1 + i % 100;
		setitimer(ITIMER_REAL, &tick, NULL);
		forward_syscall_checked(SYS_pause, args, &task.pending);
		ck_assert_int_eq(signal_host_take(&task, &si), 1);
		ck_assert_int_eq(signal_host_mask(&task), 0);
	}
}
END_TEST

START_TEST(test_host_dispositions)
{
	struct ksigaction sa;

	signal(SIGHUP, SIG_IGN);
	start_host();
	ck_assert_uint_eq(proc.action[SIGHUP].handler, KSA_IGNORE);
	syscall(SYS_rt_sigaction, SIGHUP, NULL, &sa, 8);
	ck_assert_uint_eq(sa.handler, KSA_IGNORE);
	syscall(SYS_rt_sigaction, SIGCHLD, NULL, &sa, 8);
	ck_assert_uint_eq(sa.handler, KSA_DEFAULT);
	syscall(SYS_rt_sigaction, SIGTSTP, NULL, &sa, 8);
	ck_assert_uint_eq(sa.handler, KSA_DEFAULT);
	syscall(SYS_rt_sigaction, SIGTERM, NULL, &sa, 8);
	ck_assert_uint_gt(sa.handler, 1);
	set_handler(SIGCHLD, SA_RESTART | SA_NOCLDSTOP | SA_ONSTACK | SA_NODEFER);
	syscall(SYS_rt_sigaction, SIGCHLD, NULL, &sa, 8);
	ck_assert_uint_eq(sa.flags, SA_SIGINFO | KSA_RESTORER | SA_RESTART | SA_NOCLDSTOP);
}
END_TEST

START_TEST(test_copies)
{
	char buf[64] = "some bytes";
	FILE *f = tmpfile();
	char *m;

	start();
	ck_assert_uint_eq(copy_checked((void *)BASE, buf, sizeof(buf)), 0);
	ck_assert_str_eq((char *)BASE, buf);
	ck_assert_uint_eq(copy_checked((void *)(BASE + SIZE - 10), buf, sizeof(buf)), 54);
	ck_assert_uint_eq(copy_checked(buf, (void *)(BASE + SIZE - 3), 4), 1);
	ck_assert_uint_eq(copy_checked(buf, (void *)0xffff800000000000ULL, 4), 4);
	ck_assert_int_eq(mprotect((void *)BASE, 4096, PROT_READ), 0);
	ck_assert_uint_eq(copy_checked((void *)BASE, buf, 8), 8);
	ck_assert_ptr_nonnull(f);
	m = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fileno(f), 0);
	ck_assert_ptr_ne(m, MAP_FAILED);
	ck_assert_uint_eq(copy_checked(buf, m, 8), 8); /* SIGBUS */
	fclose(f);
}
END_TEST

START_TEST(test_crash_is_told)
{
	volatile int *volatile nowhere = (volatile int *)8;

	signal_host_guard();
	*nowhere = 1;
}
END_TEST

START_TEST(test_die_exit)
{
	signal_host_die(42 << 8);
}
END_TEST

START_TEST(test_die_signal)
{
	start_host();
	task.mask = ~0ULL;
	signal_host_mask(&task);
	signal_host_die(SIGTERM);
}
END_TEST

START_TEST(test_tsc_insn)
{
	static const struct { uint8_t code[8]; size_t len, want; bool p; } t[] = {
		{ { 0x0f, 0x31 }, 15, 2, false },
		{ { 0x0f, 0x01, 0xf9 }, 15, 3, true },
		{ { 0x48, 0x0f, 0x31 }, 15, 3, false },
		{ { 0x66, 0x2e, 0x41, 0x0f, 0x01, 0xf9 }, 15, 6, true },
		{ { 0xf3, 0x0f, 0x31 }, 3, 3, false },
		{ { 0x0f, 0x31 }, 1, 0, false },
		{ { 0x0f, 0x01, 0xf9 }, 2, 0, false },
		{ { 0x0f, 0x01, 0xf8 }, 15, 0, false },
		{ { 0xf0, 0x0f, 0x31 }, 15, 0, false },
		{ { 0xf4 }, 15, 0, false },
		{ { 0x66, 0x66, 0x66 }, 3, 0, false },
		{ { 0 }, 0, 0, false },
	};
	uint8_t code[INSN_MAX];
	bool p;

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		memset(code, 0x90, sizeof(code));
		memcpy(code, t[i].code, t[i].len < 8 ? t[i].len : 8);
		ck_assert_uint_eq(tsc_insn(code, t[i].len, &p), t[i].want);
		if (t[i].want)
			ck_assert(p == t[i].p);
	}
}
END_TEST

static void add_frame_tests(TCase *c)
{
	tcase_add_test(c, test_round_trip);
	tcase_add_test(c, test_changed_context);
	tcase_add_loop_test(c, test_bad_fpstate, 0, 5);
	tcase_add_test(c, test_legacy_fpstate);
	tcase_add_test(c, test_hostile_xstate_size);
	tcase_add_test(c, test_no_room);
	tcase_add_test(c, test_no_restorer);
	tcase_add_test(c, test_bad_handler_address);
	tcase_add_test(c, test_altstack);
	tcase_add_test(c, test_autodisarm);
	tcase_add_test(c, test_tsc_insn);
}

static void add_rule_tests(TCase *c)
{
	tcase_add_test(c, test_flags);
	tcase_add_test(c, test_defaults);
	tcase_add_test(c, test_forced);
	tcase_add_test(c, test_sigaction);
	tcase_add_test(c, test_sigprocmask);
	tcase_add_test(c, test_temporary_mask);
}

static void add_host_tests(TCase *c)
{
	tcase_add_test(c, test_one_in_flight);
	tcase_add_test(c, test_given_back);
	tcase_add_test(c, test_held);
	tcase_add_loop_test(c, test_interrupted_call, 0, 2);
	tcase_add_test(c, test_no_lost_signal);
	tcase_add_test(c, test_host_dispositions);
	tcase_add_test(c, test_copies);
	tcase_add_test_raise_signal(c, test_crash_is_told, SIGSEGV);
	tcase_add_exit_test(c, test_die_exit, 42);
	tcase_add_test_raise_signal(c, test_die_signal, SIGTERM);
}

int main(void)
{
	Suite *s = suite_create("signal");
	TCase *c = tcase_create("signal");

	add_frame_tests(c);
	add_rule_tests(c);
	add_host_tests(c);
	suite_add_tcase(s, c);
	return unit_run(s);
}
