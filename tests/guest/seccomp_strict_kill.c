/* Strict mode allows no more, not even to ask for the mode. */
#include "seccomp.h"

int main(void)
{
	SHOW(prctl(PR_GET_SECCOMP));
	fflush(stdout);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(3);
	(void)!write(1, "strict\n", 7);
	prctl(PR_GET_SECCOMP);
	(void)!write(1, "not reached\n", 12);
	syscall(SYS_exit, 7);
	__builtin_unreachable();
}
