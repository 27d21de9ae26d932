/* abort() with a handler that returns: the second attempt is fatal. */
#include "sigtest.h"

static void handler(int sig, siginfo_t *si, void *context)
{
	(void)si, (void)context;
	printf("signal %d\n", sig);
	fflush(stdout);
}

int main(void)
{
	on_signal(SIGABRT, handler, 0);
	abort();
}
