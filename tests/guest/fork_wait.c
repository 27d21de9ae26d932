/* Children and the calls that wait for them: exit codes, deaths, stops, resource usage. */
#include <sys/resource.h>

#include "proctest.h"

static void exit_codes(void)
{
	static const int codes[] = { 0, 1, 42, 127, 128, 255, 256, -1 };

	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(codes[i]);
		CHECK(pid > 0);
		show_end("exit code", pid);
	}
}

static void deaths(void)
{
	static const int sigs[] = { SIGKILL, SIGTERM, SIGSEGV, SIGABRT, SIGUSR1, 36, SIGPIPE, SIGTRAP, SIGXCPU };

	for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			raise(sigs[i]);
			_exit(9);
		}
		show_end("death", pid);
	}
}

static int by_null(void)
{
	*(volatile int *)8 = 1;
	return 0;
}

static int by_ud2(void)
{
	__asm__ volatile("ud2");
	return 0;
}

static int by_division(void)
{
	volatile int one = 1, zero = 0;

	return one / zero;
}

static void cores(void)
{
	const struct rlimit none = { 0, 0 };

	in_child("null pointer", by_null);
	CHECK(setrlimit(RLIMIT_CORE, &none) == 0);
	in_child("null pointer, no core", by_null);
	in_child("ud2", by_ud2);
	in_child("division", by_division);
}

static void no_hang(void)
{
	struct gate g;
	int status;
	pid_t pid;

	gate_make(&g);
	pid = fork();
	if (pid == 0) {
		gate_pass(&g);
		_exit(3);
	}
	SHOW(waitpid(pid, &status, WNOHANG));
	gate_open(&g);
	show_end("after WNOHANG", pid);
	SHOW(waitpid(pid, &status, WNOHANG));
	SHOW(waitpid(-1, NULL, 0));
	SHOW(waitpid(pid, NULL, 0x1234567));
	SHOW(waitpid(INT32_MIN, NULL, 0));
	SHOW(wait4(-1, (int *)8, 0, NULL));
}

static void stops(void)
{
	pid_t pid;
	siginfo_t si = { 0 };
	struct gate g;

	gate_make(&g);
	pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		gate_pass(&g);
		raise(SIGTSTP);
		_exit(4);
	}
	int status;

	CHECK(waitpid(pid, &status, WUNTRACED) == pid);
	show_status("first", status);
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK(waitid(P_PID, pid, &si, WCONTINUED) == 0);
	printf("waitid: signo %d code %d status %d same pid %d\n", si.si_signo, si.si_code, si.si_status, si.si_pid == pid);
	gate_open(&g);
	CHECK(waitpid(pid, &status, WUNTRACED) == pid);
	show_status("second", status);
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK(waitpid(pid, &status, 0) == pid);
	show_status("end", status);
}

static void by_waitid(void)
{
	siginfo_t si = { 0 };
	struct rusage ru;
	pid_t pid = fork();

	if (pid == 0)
		_exit(17);
	CHECK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT) == 0);
	printf("nowait: code %d status %d uid %d\n", si.si_code, si.si_status, si.si_uid == getuid());
	memset(&si, 0, sizeof(si));
	CHECK(syscall(SYS_waitid, P_ALL, 0, &si, WEXITED, &ru) == 0);
	printf("waitid: code %d status %d pid %d\n", si.si_code, si.si_status, si.si_pid == pid);
	CHECK(ru.ru_maxrss > 0);
	SHOW(waitid(P_ALL, 0, &si, WEXITED));
	SHOW(waitid(P_PID, getpid(), &si, WEXITED));
	SHOW(waitid(P_PID, 0, &si, 0));
	SHOW(waitid(77, 0, &si, WEXITED));
	pid = fork();
	if (pid == 0)
		raise(SIGKILL);
	CHECK(waitid(P_PGID, 0, &si, WEXITED) == 0);
	printf("killed: code %d status %d pid %d\n", si.si_code, si.si_status, si.si_pid == pid);
}

static void usage(void)
{
	struct rusage ru, all;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		volatile char *p = malloc(16 << 20);

		for (int i = 0; i < 16 << 20; i += 4096)
			p[i] = 1;
		_exit(p[4096] - 1);
	}
	CHECK(wait4(pid, &status, 0, &ru) == pid);
	CHECK(ru.ru_minflt > 0 && ru.ru_maxrss > 16000);
	CHECK(getrusage(RUSAGE_CHILDREN, &all) == 0 && all.ru_maxrss >= ru.ru_maxrss);
}

int main(void)
{
	by_line();
	exit_codes();
	deaths();
	no_hang();
	stops();
	by_waitid();
	usage();
	cores();
	return guest_end();
}
