/* Signals of alarm, setitimer and timer_create, waited for by pause. */
#include <sys/time.h>
#include <time.h>

#include "sigtest.h"

static volatile int got;

static void handler(int sig, siginfo_t *si, void *context)
{
	(void)context;
	got++;
	printf("signal %d code %d", sig, si->si_code);
	if (si->si_code == SI_TIMER)
		printf(" value %d overrun %d", si->si_value.sival_int, si->si_overrun > 1000);
	printf("\n");
}

int main(void)
{
	struct itimerval it = { .it_value.tv_usec = 5000, .it_interval.tv_usec = 5000 }, none = { 0 }, left;
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 1234 };
	struct itimerspec ts = { .it_value.tv_nsec = 5000000 };
	timer_t timer;

	on_signal(SIGALRM, handler, 0);
	on_signal(SIGVTALRM, handler, 0);
	on_signal(SIGPROF, handler, 0);
	on_signal(SIGRTMIN, handler, 0);
	printf("alarm %u", alarm(100));
	printf(" left %d", alarm(0) > 90);
	printf(" %u\n", alarm(0));
	setitimer(ITIMER_REAL, &it, NULL);
	while (got < 3)
		pause();
	setitimer(ITIMER_REAL, &none, &left);
	printf("left %d\n", left.it_value.tv_sec == 0 && left.it_interval.tv_usec == 5000);
	setitimer(ITIMER_PROF, &it, NULL);
	for (got = 0; !got;)
		getppid();
	setitimer(ITIMER_PROF, &none, NULL);
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer) < 0)
		return 1;
	timer_settime(timer, 0, &ts, NULL);
	for (got = 0; !got;)
		pause();
	printf("deleted %d\n", timer_delete(timer));
	alarm(1);
	for (got = 0; !got;)
		pause();
	return 0;
}
