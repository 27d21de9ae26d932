/*
 * marks PASSES MS: the hottest of loops, interrupted by a timer's signal every MS milliseconds (0: never). Prints how many
 * signals came: each lands at an execution point.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

static volatile sig_atomic_t marks;

static void on_alarm(int sig)
{
	(void)sig;
	marks++;
}

int main(int argc, char **argv)
{
	unsigned long passes = argc > 1 ? (unsigned long)atof(argv[1]) : 1000000000, x = 0;
	int ms = argc > 2 ? atoi(argv[2]) : 0;
	struct itimerval it = { { 0, ms * 1000 }, { 0, ms * 1000 } };

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &it, NULL);
	__asm__ volatile("1: add %1, %0\n dec %1\n jnz 1b" : "+r"(x), "+r"(passes) :: "cc");
	it = (struct itimerval){ 0 };
	setitimer(ITIMER_REAL, &it, NULL);
	printf("%d\n", (int)marks);
	return !x;
}
