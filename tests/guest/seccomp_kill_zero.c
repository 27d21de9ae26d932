/* A division by zero ends a filter with the answer 0: the thread, here the only one, is killed. */
#include "seccomp.h"

int main(void)
{
	struct sock_filter f[] = {
		LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0), RETURN(SECCOMP_RET_ALLOW),
		LOAD_ARG(0), BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_LD | BPF_IMM, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), RETURN(SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = PROG(f);

	SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	SHOW(seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &p));
	CHECK(syscall(SYS_getppid, 3) > 0);
	fflush(stdout);
	SHOW(syscall(SYS_getppid, 0));
	return guest_end();
}
