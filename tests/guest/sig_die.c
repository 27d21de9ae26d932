/* Dies of the signal that its argument names, or says that it survived: for tests/signals.sh. */
#include "sigtest.h"

int main(int argc, char **argv)
{
	int sig = argc > 1 ? atoi(argv[1]) : 0;

	printf("signal %d\n", sig);
	fflush(stdout);
	if (sig)
		kill(getpid(), sig);
	printf("survived\n");
	return 5;
}
