/* Signals and threads: to one of them, to the process, masks, sigwait, alternate stacks, timers of each kind, faults. */
#include <signal.h>
#include <setjmp.h>
#include <sys/time.h>
#include "threadtest.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static _Atomic int hits[65];
static __thread volatile int my_hits;
static pthread_barrier_t barrier;
static volatile unsigned long spins;

static void on(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	CHECK(sigaction(sig, &sa, NULL) == 0);
}

static void count(int sig, siginfo_t *si, void *context)
{
	(void)si, (void)context;
	hits[sig]++;
	my_hits++;
}

static sigset_t set_of(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	if (sig)
		sigaddset(&s, sig);
	return s;
}

/* Each gets its own, in a computation, in a call, and blocked until later. */
static atomic_int ready;

static void *target(void *arg)
{
	uintptr_t n = (uintptr_t)arg;
	sigset_t s = set_of(SIGUSR1);

	if (n == 2)
		pthread_sigmask(SIG_BLOCK, &s, NULL);
	ready++;
	switch (n) {
	case 0:
		while (!my_hits)
			spins++;
		break;
	case 1:
		while (!my_hits)
			pause();
		break;
	case 2:
		AWAIT(hits[SIGUSR1] == 2);
		sigpending(&s);
		CHECK(sigismember(&s, SIGUSR1) && !my_hits);
		s = set_of(SIGUSR1);
		pthread_sigmask(SIG_UNBLOCK, &s, NULL);
		break;
	}
	CHECK(my_hits == 1);
	return NULL;
}

static void each_its_own(void)
{
	pthread_t t[3];

	on(SIGUSR1, count, 0);
	for (uintptr_t i = 0; i < 3; i++)
		t[i] = start(target, (void *)i);
	AWAIT(ready == 3);
	nap(5);
	for (int i = 2; i >= 0; i--)
		CHECKP(pthread_kill(t[i], SIGUSR1));
	/* A pause() may have begun only now. */
	while (hits[SIGUSR1] < 2) {
		nap(1);
	}
	for (int i = 0; i < 3; i++)
		join(t[i]);
	printf("each its own: %d, here %d\n", hits[SIGUSR1], my_hits);
}

static void *waits_for_all(void *arg)
{
	sigset_t s = set_of(SIGUSR2);
	siginfo_t si;
	int sum = 0;

	sigaddset(&s, SIGRTMIN + 1);
	(void)arg;
	for (int i = 0; i < 6; i++) {
		int sig = sigwaitinfo(&s, &si);

		CHECK(sig == SIGUSR2 ? si.si_code == SI_USER || si.si_code == SI_TKILL : si.si_code == SI_QUEUE);
		if (sig == SIGRTMIN + 1)
			sum += si.si_value.sival_int;
	}
	return (void *)(intptr_t)sum;
}

/* The process's signals go to the thread that waits for them: all others block them. */
static void to_the_process(void)
{
	sigset_t s = set_of(SIGUSR2);
	pthread_t t;

	sigaddset(&s, SIGRTMIN + 1);
	pthread_sigmask(SIG_BLOCK, &s, NULL);
	t = start(waits_for_all, NULL);
	for (int i = 1; i <= 5; i++)
		CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = i * i }) == 0);
	kill(getpid(), SIGUSR2);
	printf("waited for: %ld\n", (long)(intptr_t)join(t));
}

static void *unblocked(void *arg)
{
	sigset_t s = set_of(SIGUSR2);

	(void)arg;
	pthread_sigmask(SIG_UNBLOCK, &s, NULL);
	ready++;
	AWAIT(my_hits);
	return NULL;
}

static void to_whom_it_may(void)
{
	pthread_t t;

	on(SIGUSR2, count, SA_RESTART);
	ready = 0;
	t = start(unblocked, NULL);
	AWAIT(ready);
	kill(getpid(), SIGUSR2);
	join(t);
	printf("the one that does not block it: %d, here %d\n", hits[SIGUSR2], my_hits);
}

static __thread char *alt;
static __thread sigjmp_buf out;

static void on_alt(int sig, siginfo_t *si, void *context)
{
	char here;

	(void)context;
	hits[sig]++;
	CHECK(&here >= alt && &here < alt + 32768);
	if (sig == SIGSEGV) {
		CHECK(si->si_addr == (void *)24);
		siglongjmp(out, 1);
	}
}

static void *own_stack(void *arg)
{
	stack_t ss = { .ss_size = 32768 }, old;

	(void)arg;
	alt = ss.ss_sp = malloc(ss.ss_size);
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE);
	CHECK(sigaltstack(&ss, NULL) == 0);
	pthread_barrier_wait(&barrier);
	pthread_kill(pthread_self(), SIGUSR1);
	if (!sigsetjmp(out, 1))
		*(volatile int *)24 = 1;
	pthread_barrier_wait(&barrier);
	ss.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&ss, NULL) == 0);
	free(alt);
	return NULL;
}

static void stacks(void)
{
	on(SIGUSR1, on_alt, SA_ONSTACK);
	on(SIGSEGV, on_alt, SA_ONSTACK);
	hits[SIGUSR1] = 0;
	pthread_barrier_init(&barrier, NULL, 5);
	together(5, own_stack);
	printf("on their stacks: %d, %d faults\n", hits[SIGUSR1], hits[SIGSEGV]);
}

static _Atomic int notified;

static void notify(union sigval v)
{
	CHECK(v.sival_int == 42);
	notified++;
}

static void *timed(void *arg)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 2 };
	struct itimerspec every = { { 0, 2000000 }, { 0, 2000000 } };
	timer_t timer;

	ev.sigev_notify_thread_id = (int)gettid_raw();
	CHECK(timer_create((uintptr_t)arg % 2 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &ev, &timer) == 0);
	CHECK(timer_settime(timer, 0, &every, NULL) == 0);
	while (my_hits < 5)
		spins++;
	CHECK(timer_delete(timer) == 0);
	return NULL;
}

static void timers(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = notify, .sigev_value.sival_int = 42 };
	struct itimerspec once = { .it_value.tv_nsec = 1000000 };
	timer_t timer;

	on(SIGRTMIN + 2, count, SA_RESTART);
	together(4, timed);
	CHECK(timer_create(CLOCK_MONOTONIC, &ev, &timer) == 0);
	for (int i = 1; i <= 3; i++) {
		CHECK(timer_settime(timer, 0, &once, NULL) == 0);
		AWAIT(notified == i);
	}
	CHECK(timer_delete(timer) == 0);
	printf("notified: %d\n", notified);
}

static void *interrupted(void *arg)
{
	struct timespec ts = { 1000, 0 };

	(void)arg;
	ready = (int)gettid_raw();
	CHECK(nanosleep(&ts, &ts) < 0 && errno == EINTR && ts.tv_sec >= 900);
	return NULL;
}

static void flag_by_alarm(void)
{
	struct itimerval it = { .it_value.tv_usec = 3000 };
	pthread_t t;

	on(SIGALRM, count, 0);
	setitimer(ITIMER_REAL, &it, NULL);
	while (!hits[SIGALRM])
		spins++;
	on(SIGUSR1, count, 0);
	ready = 0;
	t = start(interrupted, NULL);
	AWAIT(ready);
	await_asleep(ready);
	pthread_kill(t, SIGUSR1);
	join(t);
	puts("alarm");
}

int main(void)
{
	each_its_own();
	to_the_process();
	to_whom_it_may();
	stacks();
	timers();
	flag_by_alarm();
	SHOWP(pthread_kill(pthread_self(), 0));
	SHOW(syscall(SYS_tgkill, getpid(), 1, 0));
	SHOW(syscall(SYS_tgkill, 0, gettid_raw(), 0));
	return guest_end();
}
