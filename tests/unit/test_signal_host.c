/* The host side of signals, with the kernel's own. Each test is its own process. */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "syscall-emu/forward.h"
#include "tests/unit/signal_double.h"
#include "tests/unit/unit.h"

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

int main(void)
{
	Suite *s = suite_create("signal_host");
	TCase *c = tcase_create("signal_host");

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
	suite_add_tcase(s, c);
	return unit_run(s);
}
