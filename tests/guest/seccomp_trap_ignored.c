/* A trap cannot be ignored. */
#include <signal.h>

#include "seccomp.h"

int main(void)
{
	signal(SIGSYS, SIG_IGN);
	SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	SHOW(refuse_call(SYS_getppid, SECCOMP_RET_TRAP, 0));
	fflush(stdout);
	SHOW(getppid());
	return guest_end();
}
