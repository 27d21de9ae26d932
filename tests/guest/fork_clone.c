/* clone and clone3: where the kernel puts numbers, who gets the child, and what is refused. */
#include <linux/sched.h>
#include <poll.h>
#include <sys/prctl.h>

#include "proctest.h"

static int tids[4] = { -1, -1, -1, -1 };

static long raw_clone(unsigned long flags, void *stack, int *ptid, int *ctid, unsigned long tls)
{
	return syscall(SYS_clone, flags, stack, ptid, ctid, tls);
}

static void numbers(void)
{
	pid_t pid = (pid_t)raw_clone(SIGCHLD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, NULL, &tids[0], &tids[1], 0);

	if (pid == 0)
		_exit(tids[1] == getpid() && tids[0] == -1 ? 0 : 1);
	CHECK(tids[0] == pid && tids[1] == -1);
	show_end("numbers", pid);
	pid = (pid_t)raw_clone(SIGCHLD | CLONE_CHILD_CLEARTID, NULL, NULL, &tids[2], 0);
	if (pid == 0)
		_exit(tids[2] == -1 ? 0 : 1);
	show_end("cleared tid", pid);
	CHECK(tids[2] == -1);
	pid = (pid_t)raw_clone(SIGCHLD | CLONE_PARENT_SETTID, NULL, (int *)8, NULL, 0);
	if (pid == 0)
		_exit(3);
	show_end("bad pointer", pid);
}

static void exit_signals(void)
{
	pid_t pid = (pid_t)raw_clone(0, NULL, NULL, NULL, 0);
	int status;

	if (pid == 0)
		_exit(11);
	SHOW(waitpid(pid, &status, 0)); /* no exit signal: a "clone child" */
	CHECK(waitpid(pid, &status, __WCLONE) == pid);
	show_status("no exit signal", status);
	signal(SIGUSR1, SIG_IGN);
	pid = (pid_t)raw_clone(SIGUSR1, NULL, NULL, NULL, 0);
	if (pid == 0)
		_exit(12);
	CHECK(waitpid(pid, &status, __WALL) == pid);
	show_status("SIGUSR1", status);
}

static char stack[65536] __attribute__((aligned(16)));

static int on_stack(void *arg)
{
	char here;

	return &here >= stack && &here < stack + sizeof(stack) ? *(int *)arg : 1;
}

static void own_stack(void)
{
	int value = 21;
	pid_t pid = clone(on_stack, stack + sizeof(stack), SIGCHLD, &value);

	show_end("own stack", pid);
	pid = clone(on_stack, stack + sizeof(stack), SIGCHLD | CLONE_VM | CLONE_VFORK, &value);
	show_end("own stack, shared memory", pid);
}

static void with_parent(void)
{
	struct gate g;
	pid_t pid, made = 0;

	gate_make(&g);
	pid = fork();
	if (pid == 0) {
		made = (pid_t)raw_clone(CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0);
		if (made == 0)
			_exit(22);
		CHECK(write(g.fd[1], &made, sizeof(made)) == sizeof(made));
		errno = 0;
		_exit(waitpid(made, NULL, 0) < 0 && errno == ECHILD ? 23 : 1);
	}
	CHECK(read(g.fd[0], &made, sizeof(made)) == sizeof(made));
	show_end("sibling", made);
	show_end("child", pid);
}

static void with_pidfd(void)
{
	struct pollfd p = { .fd = -1, .events = POLLIN };
	siginfo_t si = { 0 };
	pid_t pid = (pid_t)raw_clone(SIGCHLD | CLONE_PIDFD, NULL, &p.fd, NULL, 0);

	if (pid == 0)
		_exit(p.fd == -1 ? 24 : 1);
	CHECK(p.fd >= 0 && fcntl(p.fd, F_GETFD) == FD_CLOEXEC);
	CHECK(poll(&p, 1, -1) == 1);
	CHECK(waitid(P_PIDFD, (id_t)p.fd, &si, WEXITED) == 0);
	printf("pidfd: code %d status %d\n", si.si_code, si.si_status);
	close(p.fd);
	SHOW(raw_clone(SIGCHLD | CLONE_PIDFD | CLONE_PARENT_SETTID, NULL, &p.fd, NULL, 0));
}

static long clone3(struct clone_args *a, size_t size)
{
	return syscall(SYS_clone3, a, size);
}

static void third(void)
{
	int pidfd = -1, parent = -1, child = -1;
	struct clone_args a = {
		.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CLEAR_SIGHAND,
		.pidfd = (uintptr_t)&pidfd, .parent_tid = (uintptr_t)&parent, .child_tid = (uintptr_t)&child,
		.exit_signal = SIGCHLD,
	};
	struct { struct clone_args a; uint64_t more[2]; } big = { .a = { .exit_signal = SIGCHLD } };
	pid_t pid;

	signal(SIGUSR2, _exit);
	pid = (pid_t)clone3(&a, sizeof(a));
	if (pid == 0)
		_exit(child == getpid() && signal(SIGUSR2, SIG_DFL) == SIG_DFL ? 25 : 1);
	CHECK(parent == pid && pidfd >= 0);
	show_end("clone3", pid);
	signal(SIGUSR2, SIG_DFL);
	pid = (pid_t)clone3(&big.a, sizeof(big));
	if (pid == 0)
		_exit(26);
	show_end("clone3, larger structure", pid);
	pid = (pid_t)clone3(&big.a, CLONE_ARGS_SIZE_VER0);
	if (pid == 0)
		_exit(27);
	show_end("clone3, first version", pid);
	big.more[1] = 1;
	SHOW(clone3(&big.a, sizeof(big)));
	SHOW(clone3(&big.a, 8));
	SHOW(clone3(&big.a, 1 << 20));
	SHOW(clone3((struct clone_args *)8, sizeof(a)));
}

static void refused(void)
{
	struct clone_args a = { .exit_signal = 65 };

	SHOW(clone3(&a, sizeof(a)));
	a = (struct clone_args){ .exit_signal = SIGCHLD, .stack = 0x1000 };
	SHOW(clone3(&a, sizeof(a)));
	a = (struct clone_args){ .exit_signal = SIGCHLD, .stack_size = 0x1000 };
	SHOW(clone3(&a, sizeof(a)));
	a = (struct clone_args){ .flags = SIGCHLD };
	SHOW(clone3(&a, sizeof(a)));
	a = (struct clone_args){ .flags = CLONE_DETACHED };
	SHOW(clone3(&a, sizeof(a)));
	a = (struct clone_args){ .flags = 1ULL << 60 };
	SHOW(clone3(&a, sizeof(a)));
	a = (struct clone_args){ .flags = CLONE_SIGHAND };
	SHOW(clone3(&a, sizeof(a)));
	a = (struct clone_args){ .flags = CLONE_THREAD };
	SHOW(clone3(&a, sizeof(a)));
	a = (struct clone_args){ .flags = CLONE_SIGHAND | CLONE_CLEAR_SIGHAND | CLONE_VM };
	SHOW(clone3(&a, sizeof(a)));
	SHOW(raw_clone(CLONE_THREAD, NULL, NULL, NULL, 0));
	SHOW(raw_clone(CLONE_SIGHAND, NULL, NULL, NULL, 0));
	SHOW(raw_clone(CLONE_FS | CLONE_NEWNS, NULL, NULL, NULL, 0));
	SHOW(waitpid(-1, NULL, __WALL));
}

/* CLONE_FS without threads: one working directory for both. */
static void one_directory(void)
{
	char cwd[4096];
	pid_t pid = (pid_t)raw_clone(CLONE_FS | SIGCHLD, NULL, NULL, NULL, 0);

	if (pid == 0)
		_exit(chdir("/usr"));
	show_end("CLONE_FS", pid);
	puts(getcwd(cwd, sizeof(cwd)));
}

static void thread_local_base(void)
{
	static __thread int tls = 5;
	pid_t pid;

	tls = 6;
	pid = fork();
	if (pid == 0) {
		tls++;
		_exit(tls);
	}
	show_end("TLS", pid);
	CHECK(tls == 6);
}

int main(void)
{
	by_line();
	numbers();
	exit_signals();
	own_stack();
	with_parent();
	with_pidfd();
	third();
	refused();
	one_directory();
	thread_local_base();
	return guest_end();
}
