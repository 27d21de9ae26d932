/* Passing signals on. Contract: forward_signals.h. */
#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "record/forward_signals.h"

static const int forwarded[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM };
#define N_FORWARDED (sizeof(forwarded) / sizeof(forwarded[0]))

static struct sigaction before[N_FORWARDED];
static volatile pid_t target;

static void pass_on(int sig, siginfo_t *si, void *context)
{
	int saved = errno;

	(void)context;
	if (si->si_code <= 0) /* sent by a process; the terminal's own signals are SI_KERNEL */
		kill(target, sig);
	errno = saved;
}

void forward_signals_start(pid_t to)
{
	struct sigaction sa = { .sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART };

	target = to;
	for (size_t i = 0; i < N_FORWARDED; i++) {
		sigaction(forwarded[i], NULL, &before[i]);
		if (before[i].sa_handler != SIG_IGN)
			sigaction(forwarded[i], &sa, NULL);
	}
}

void forward_signals_stop(void)
{
	for (size_t i = 0; i < N_FORWARDED; i++)
		sigaction(forwarded[i], &before[i], NULL);
}
