/* A new process has its creator's filters, and what it adds is its own. */
#include <sys/wait.h>

#include "seccomp.h"

static int status_of(pid_t pid)
{
	int status = -1;

	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

static void child(void)
{
	SHOW(prctl(PR_GET_SECCOMP));
	SHOW(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	SHOW(getppid());
	SHOW(refuse_call(SYS_getsid, FAIL_WITH(EXDEV), 0));
	SHOW(getsid(0));
	fflush(stdout);
	_exit(guest_failed);
}

static void killed(uint32_t answer)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		refuse_call(SYS_getsid, answer, 0);
		getsid(0);
		_exit(3);
	}
	status = status_of(pid);
	printf("%#x: signal %d\n", answer, WIFSIGNALED(status) ? WTERMSIG(status) : -1);
}

/* The memory is the parent's while it waits; the filters are not. */
static void vforked(void)
{
	pid_t pid = vfork();

	if (!pid) {
		refuse_call(SYS_getsid, FAIL_WITH(EXDEV), 0);
		_exit(getsid(0) == -1 && errno == EXDEV ? 7 : 8);
	}
	printf("vfork: %d\n", WEXITSTATUS(status_of(pid)));
	CHECK(getsid(0) > 0);
}

int main(void)
{
	pid_t pid;

	SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	SHOW(refuse_call(SYS_getppid, FAIL_WITH(EPERM), 0));
	fflush(stdout);
	pid = fork();
	if (!pid)
		child();
	SHOW(status_of(pid));
	CHECK(getsid(0) > 0);
	killed(SECCOMP_RET_KILL_PROCESS);
	killed(SECCOMP_RET_KILL_THREAD);
	killed(SECCOMP_RET_TRAP);
	vforked();
	/* A refused fork makes no process. */
	SHOW(refuse_call(SYS_clone, FAIL_WITH(EAGAIN), 0));
	SHOW(refuse_call(SYS_clone3, FAIL_WITH(ENOSYS), 0));
	SHOW(fork());
	SHOW(waitpid(-1, NULL, 0));
	return guest_end();
}
