/* SIGPIPE: handled, ignored, and at last fatal. */
#include "sigtest.h"

static void handler(int sig, siginfo_t *si, void *context)
{
	(void)context;
	printf("signal %d code %d\n", sig, si->si_code);
}

int main(void)
{
	int pipes[2];
	ssize_t n;

	if (pipe(pipes) < 0)
		return 1;
	close(pipes[0]);
	on_signal(SIGPIPE, handler, 0);
	n = write(pipes[1], "x", 1);
	printf("handled: %zd %s\n", n, strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	n = write(pipes[1], "x", 1);
	printf("ignored: %zd %s\n", n, strerror(errno));
	fflush(stdout);
	signal(SIGPIPE, SIG_DFL);
	n = write(pipes[1], "x", 1);
	printf("alive: %zd\n", n);
	return 0;
}
