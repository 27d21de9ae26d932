/* Nor can it wait: a blocked SIGSYS ends the program although it has a handler. */
#include <signal.h>

#include "seccomp.h"

static void on_sys(int sig)
{
	(void)sig;
	_exit(3);
}

int main(void)
{
	sigset_t all;

	signal(SIGSYS, on_sys);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	SHOW(refuse_call(SYS_getppid, SECCOMP_RET_TRAP, 0));
	fflush(stdout);
	SHOW(getppid());
	return guest_end();
}
