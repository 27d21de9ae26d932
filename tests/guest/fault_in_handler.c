/* A fault inside the handler of the same fault: blocked there, so fatal. */
#include "sigtest.h"

static void again(int sig, siginfo_t *si, void *context)
{
	(void)si, (void)context;
	printf("signal %d\n", sig);
	fflush(stdout);
	__asm__ volatile("ud2");
}

int main(void)
{
	on_signal(SIGILL, again, 0);
	__asm__ volatile("ud2");
	return 0;
}
