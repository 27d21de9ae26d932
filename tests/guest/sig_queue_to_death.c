/* A fatal signal among handled ones, all unblocked together. */
#include "sigtest.h"

static void handler(int sig, siginfo_t *si, void *context)
{
	(void)si, (void)context;
	printf("signal %d\n", sig);
	fflush(stdout);
}

int main(void)
{
	sigset_t all;

	on_signal(SIGHUP, handler, 0);
	on_signal(SIGUSR1, handler, 0);
	on_signal(SIGRTMIN, handler, 0);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	raise(SIGRTMIN);
	raise(SIGTERM);
	raise(SIGUSR1);
	raise(SIGHUP);
	printf("all at once\n");
	fflush(stdout);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	printf("alive\n");
	return 0;
}
