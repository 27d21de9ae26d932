/* No room for the frame of SIGILL, so it becomes SIGSEGV, whose own frame fails too: that is fatal. */
#include "sigtest.h"

static void never(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)si, (void)context;
	_exit(3);
}

int main(void)
{
	on_signal(SIGSEGV, never, 0);
	on_signal(SIGILL, never, 0);
	printf("going\n");
	fflush(stdout);
	__asm__ volatile("mov $0x1000, %%rsp; ud2" : : : "memory");
	return 0;
}
