/* A program whose system call sites have become jumps: getppid's after the first loop, if anything is patched here. */
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static int sum;

static int ask(void)
{
	return getppid() > 0; /* ask */
}

int main(void)
{
	for (int i = 0; i < 400; i++)
		sum += ask();
	sum += ask(); /* one */
	sum += ask(); /* two */
	sum += syscall(SYS_getppid) > 0; /* three */
	printf("%d\n", sum); /* last */
	return 0;
}
