/* Strict mode: reading, writing, returning from a handler, and the end. */
#include <signal.h>

#include "seccomp.h"

static void on_trap(int sig)
{
	(void)sig;
	(void)!write(1, "handler\n", 8);
}

int main(void)
{
	int fd[2];
	char c[8];
	long n;

	signal(SIGTRAP, on_trap);
	CHECK(pipe(fd) == 0);
	SHOW(seccomp(SECCOMP_SET_MODE_STRICT, 0, (void *)8));
	fflush(stdout);
	if (seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL))
		_exit(3);
	(void)!write(1, "strict\n", 7);
	(void)!write(fd[1], "piped\n", 6);
	n = read(fd[0], c, sizeof(c));
	(void)!write(1, c, n > 0 ? n : 0);
	__asm__ volatile("int3");
	n = write(77, c, 1);
	(void)!write(1, n == -1 && errno == EBADF ? "EBADF\n" : "no\n", 6);
	syscall(SYS_exit, 7);
	__builtin_unreachable();
}
