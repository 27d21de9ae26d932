/* Signals that do nothing: ignored ones, and those whose default is to be ignored. */
#include "sigtest.h"

static void handler(int sig)
{
	printf("signal %d\n", sig);
}

int main(void)
{
	static const int quiet[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT };
	struct sigaction sa = { .sa_handler = SIG_IGN };

	for (unsigned i = 0; i < 4; i++) {
		raise(quiet[i]);
		printf("default %d\n", quiet[i]);
		signal(quiet[i], handler);
		raise(quiet[i]);
		signal(quiet[i], SIG_DFL);
		raise(quiet[i]);
	}
	for (int sig = 1; sig <= 64; sig++)
		if (sig != SIGKILL && sig != SIGSTOP && sig != 32 && sig != 33) {
			sigaction(sig, &sa, NULL);
			raise(sig);
		}
	printf("still here\n");
	return 0;
}
