/* Signals all the time, across calls that block, calls that do not, and computation: nothing lost, nothing twice. */
#include <poll.h>
#include <sys/time.h>
#include <time.h>

#include "sigtest.h"

static volatile unsigned ticks, wrong;

static void on_tick(int sig, siginfo_t *si, void *context)
{
	volatile double x = 1.5;

	(void)si, (void)context;
	if (getppid() <= 0)
		wrong++;
	for (int i = 0; i < 10; i++)
		x = x * 1.25 + sig;
	ticks++;
}

/* Sends numbers through a pipe in pieces, so that a call made twice or not at all shows. */
static unsigned numbers(const int *pipes, unsigned n)
{
	uint32_t in, out;
	unsigned bad = 0;

	for (out = 0; out < n; out++) {
		if (write(pipes[1], &out, sizeof(out)) != sizeof(out))
			bad++;
		in = ~0u;
		if (read(pipes[0], &in, 1) != 1 || read(pipes[0], (char *)&in + 1, 3) != 3 || in != out)
			bad++;
	}
	return bad;
}

static double compute(unsigned n)
{
	double x = 1;

	for (unsigned i = 1; i <= n; i++)
		x = x * 0.999 + 1.0 / i;
	return x;
}

static unsigned sleeps(unsigned n)
{
	struct timespec left;
	unsigned bad = 0;

	for (unsigned i = 0; i < n; i++) {
		left = (struct timespec){ .tv_nsec = 12000000 };
		while (nanosleep(&left, &left) < 0)
			/* The kernel counts what is left up to the end of the timer's slack: it can be more than was asked for. */
			if (errno != EINTR || left.tv_nsec > 13000000)
				bad++;
	}
	return bad;
}

int main(void)
{
	struct itimerval it = { .it_value.tv_usec = 5000, .it_interval.tv_usec = 5000 }, off = { 0 };
	double expected = compute(2000000), found;
	unsigned seen;
	int pipes[2];

	if (pipe(pipes) < 0)
		return 1;
	on_signal(SIGALRM, on_tick, SA_RESTART);
	setitimer(ITIMER_REAL, &it, NULL);
	printf("numbers %u\n", numbers(pipes, 500));
	found = compute(2000000);
	printf("computation %d\n", found == expected);
	printf("sleeps %u\n", sleeps(10));
	for (seen = ticks; ticks < seen + 20;)
		poll(NULL, 0, 1000);
	setitimer(ITIMER_REAL, &off, NULL);
	printf("ticks %d wrong %u\n", ticks >= 20, wrong);
	return 0;
}
