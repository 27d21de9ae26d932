/*
 * A hundred signals from a timer of a millisecond in a computation whose state they sample. The result of the computation
 * is the same always; what the handler saw, printed with the argument "values", is only that of this run.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#define TICKS 100

static volatile unsigned ticks;
static uint64_t seen, state[512];

static void on_tick(int sig)
{
	seen = seen * 31 + state[ticks % 512] + (uint64_t)sig;
	ticks++;
}

static void mix(uint64_t *s)
{
	for (unsigned i = 0; i < 512; i++) {
		s[i] ^= s[i] << 13;
		s[i] ^= s[i] >> 7;
		s[i] ^= s[i] << 17;
	}
}

int main(int argc, char **argv)
{
	struct itimerval it = { .it_value.tv_usec = 1000, .it_interval.tv_usec = 1000 }, off = { 0 };
	uint64_t check[512], rounds = 0, sum = 0;

	for (unsigned i = 0; i < 512; i++)
		state[i] = check[i] = i + 1;
	signal(SIGPROF, on_tick);
	setitimer(ITIMER_PROF, &it, NULL);
	for (; ticks < TICKS; rounds++)
		mix(state);
	setitimer(ITIMER_PROF, &off, NULL);
	if (argc > 1 && !strcmp(argv[1], "values")) {
		printf("%llu rounds, seen %016llx\n", (unsigned long long)rounds, (unsigned long long)seen);
		return 0;
	}
	while (rounds--)
		mix(check);
	for (unsigned i = 0; i < 512; i++)
		sum += state[i] != check[i];
	printf("%d ticks, %llu wrong\n", ticks >= TICKS, (unsigned long long)sum);
	return 0;
}
