/* A filter that kills: no handler is asked, and what was stricter before cannot be weakened. */
#include <signal.h>

#include "seccomp.h"

static void on_sys(int sig)
{
	(void)sig;
	_exit(3);
}

int main(void)
{
	signal(SIGSYS, on_sys);
	SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	SHOW(refuse_call(SYS_getppid, SECCOMP_RET_KILL_PROCESS | 5, 0));
	SHOW(refuse_call(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0));
	SHOW(refuse_call(SYS_getppid, FAIL_WITH(EPERM), 0));
	fflush(stdout);
	SHOW(getppid());
	return guest_end();
}
