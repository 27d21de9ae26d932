/* Waits for signals from outside, in a call and then computing: for tests/signals.sh, with the argument "wait". */
#include "sigtest.h"

static volatile int got;

static void handler(int sig, siginfo_t *si, void *context)
{
	(void)context;
	printf("signal %d code %d\n", sig, si->si_code);
	fflush(stdout);
	got++;
}

int main(int argc, char **argv)
{
	volatile unsigned long work = 0;
	char c;

	if (argc < 2 || strcmp(argv[1], "wait") != 0) {
		printf("not waiting\n");
		return 0;
	}
	on_signal(SIGUSR1, handler, 0);
	on_signal(SIGUSR2, handler, SA_RESTART);
	printf("ready\n");
	fflush(stdout);
	while (got < 1)
		pause();
	printf("reading\n");
	fflush(stdout);
	printf("read %zd\n", read(0, &c, 1));
	printf("computing\n");
	fflush(stdout);
	for (;;)
		work++;
}
