/* Real-time signals: all of them arrive, each number in the order it was sent; standard ones collapse. */
#include "sigtest.h"

static void handler(int sig, siginfo_t *si, void *context)
{
	(void)context;
	printf("%s%d value %d code %d\n", sig >= SIGRTMIN ? "rt" : "", sig >= SIGRTMIN ? sig - SIGRTMIN : sig,
	       si->si_value.sival_int, si->si_code);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	sigset_t all;

	sigfillset(&sa.sa_mask);
	for (int i = 0; i < 4; i++)
		sigaction(SIGRTMIN + i, &sa, NULL);
	sigaction(SIGRTMAX, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (int i = 0; i < 4; i++)
		for (int sig = 3; sig >= 0; sig--)
			sigqueue(getpid(), SIGRTMIN + sig, (union sigval){ .sival_int = i * 10 + sig });
	sigqueue(getpid(), SIGRTMAX, (union sigval){ .sival_int = 99 });
	for (int i = 0; i < 3; i++)
		sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 500 + i });
	printf("all at once\n");
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	/* Without a mask in the handlers, each frame lies on top of the one before. */
	sigemptyset(&sa.sa_mask);
	for (int i = 0; i < 4; i++)
		sigaction(SIGRTMIN + i, &sa, NULL);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (int sig = 0; sig < 4; sig++)
		sigqueue(getpid(), SIGRTMIN + sig, (union sigval){ .sival_int = sig });
	printf("stacked\n");
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	return 0;
}
