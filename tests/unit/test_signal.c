/* Signal frames, the alternate stack, dispositions and masks. Each test is its own process. */
#include <check.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/signal_double.h"
#include "tests/unit/unit.h"

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

int main(void)
{
	Suite *s = suite_create("signal");
	TCase *c = tcase_create("signal");

	add_frame_tests(c);
	add_rule_tests(c);
	suite_add_tcase(s, c);
	return unit_run(s);
}
