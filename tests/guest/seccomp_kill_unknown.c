/* An answer that is none kills. */
#include "seccomp.h"

int main(void)
{
	SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	SHOW(refuse_call(SYS_getppid, 0x00020000, SECCOMP_FILTER_FLAG_SPEC_ALLOW));
	fflush(stdout);
	SHOW(getppid());
	return guest_end();
}
