/* Futexes with priority inheritance: libc's mutexes, the operations themselves, owners that end, circles, signals. */
#include <linux/futex.h>
#include <signal.h>
#include "threadtest.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static pthread_mutex_t lock;
static long counter;
static uint32_t word, second, cond;
static atomic_long tids[8];
static atomic_int stage, served;
static volatile sig_atomic_t hits;

static long futex(uint32_t *addr, int op, uint32_t val, uintptr_t timeout, uint32_t *addr2, uint32_t val3)
{
	return syscall(SYS_futex, addr, op | FUTEX_PRIVATE_FLAG, val, timeout, addr2, val3);
}

static const char *owner(uint32_t v)
{
	static char text[64];
	long tid = v & FUTEX_TID_MASK;
	int who = -1;

	for (int i = 0; i < 8; i++)
		if (tid && tids[i] == tid)
			who = i;
	snprintf(text, sizeof(text), "%s%s%s", tid == 0 ? "nobody" : tid == gettid_raw() ? "me" : who < 0 ? "?" : "a thread",
		 v & FUTEX_WAITERS ? ", waiters" : "", v & FUTEX_OWNER_DIED ? ", died" : "");
	return text;
}

static void *count(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++) {
		CHECKP(pthread_mutex_lock(&lock));
		counter++;
		if (i % 50 == 0)
			sched_yield();
		CHECKP(pthread_mutex_unlock(&lock));
	}
	return NULL;
}

static void make(int type, bool robust)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	CHECKP(pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT));
	CHECKP(pthread_mutexattr_settype(&a, type));
	if (robust)
		CHECKP(pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST));
	CHECKP(pthread_mutex_init(&lock, &a));
}

static void *try_timed(void *arg)
{
	struct timespec soon = from_now(CLOCK_REALTIME, 5), mono = from_now(CLOCK_MONOTONIC, 5);

	(void)arg;
	SHOWP(pthread_mutex_trylock(&lock));
	SHOWP(pthread_mutex_timedlock(&lock, &soon));
	(void)mono;
	return NULL;
}

static void *lock_and_end(void *arg)
{
	CHECKP(pthread_mutex_lock(&lock));
	stage = 1;
	if (arg)
		AWAIT(stage == 2);
	return NULL;
}

static void *lock_after(void *arg)
{
	int rc;

	(void)arg;
	tids[1] = gettid_raw();
	rc = pthread_mutex_lock(&lock);
	CHECKP(pthread_mutex_consistent(&lock));
	CHECKP(pthread_mutex_unlock(&lock));
	return (void *)(intptr_t)rc;
}

static void by_libc(void)
{
	pthread_t a, b;

	make(PTHREAD_MUTEX_NORMAL, false);
	together(4, count);
	printf("counted: %ld\n", counter);
	CHECKP(pthread_mutex_lock(&lock));
	join(start(try_timed, NULL));
	CHECKP(pthread_mutex_unlock(&lock));
	make(PTHREAD_MUTEX_ERRORCHECK, true);
	SHOWP(pthread_mutex_lock(&lock));
	SHOWP(pthread_mutex_lock(&lock));
	SHOWP(pthread_mutex_unlock(&lock));
	join(start(lock_and_end, NULL));
	SHOWP(pthread_mutex_lock(&lock));
	SHOWP(pthread_mutex_consistent(&lock));
	SHOWP(pthread_mutex_unlock(&lock));
	stage = 0;
	a = start(lock_and_end, (void *)1);
	AWAIT(stage == 1);
	b = start(lock_after, NULL);
	AWAIT(tids[1]);
	await_asleep(tids[1]);
	stage = 2;
	join(a);
	printf("after the owner's end: %s\n", strerrorname_np((int)(intptr_t)join(b)));
	tids[1] = 0;
}

/* One after the other, in the order in which they came. */
static void *in_order(void *arg)
{
	int n = (int)(uintptr_t)arg;

	tids[n] = gettid_raw();
	CHECK(futex(&word, n % 2 ? FUTEX_LOCK_PI : FUTEX_LOCK_PI2, 0, 0, NULL, 0) == 0);
	CHECK(served++ == n - 1);
	CHECK((word & FUTEX_TID_MASK) == (uint32_t)tids[n] && word & FUTEX_WAITERS);
	CHECK(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0) == 0);
	return NULL;
}

static void queue(void)
{
	pthread_t t[5];

	SHOW(futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0));
	printf("%s\n", owner(word));
	SHOW(futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0));
	SHOW(futex(&word, FUTEX_TRYLOCK_PI, 0, 0, NULL, 0));
	for (uintptr_t i = 1; i < 5; i++) {
		t[i] = start(in_order, (void *)i);
		AWAIT(tids[i]);
		await_asleep(tids[i]);
	}
	printf("%s\n", owner(word));
	SHOW(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0));
	for (int i = 1; i < 5; i++)
		join(t[i]);
	printf("served %d, %s\n", served, owner(word));
	SHOW(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0));
	memset(tids, 0, sizeof(tids));
}

static void *try_raw(void *arg)
{
	struct timespec real = from_now(CLOCK_REALTIME, 5), mono = from_now(CLOCK_MONOTONIC, 5), bad = { 0, -1 };

	(void)arg;
	tids[1] = gettid_raw();
	SHOW(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0));
	SHOW(futex(&word, FUTEX_TRYLOCK_PI, 0, 0, NULL, 0));
	SHOW(futex(&word, FUTEX_LOCK_PI, 0, (uintptr_t)&real, NULL, 0));
	SHOW(futex(&word, FUTEX_LOCK_PI2, 0, (uintptr_t)&mono, NULL, 0));
	SHOW(futex(&word, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, (uintptr_t)&real, NULL, 0));
	SHOW(futex(&word, FUTEX_LOCK_PI, 0, (uintptr_t)&bad, NULL, 0));
	SHOW(futex(&word, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, (uintptr_t)&real, NULL, 0));
	return NULL;
}

static void refused(void)
{
	uint32_t odd = 0x3fffff00; /* nobody's number */

	CHECK(futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0) == 0);
	join(start(try_raw, NULL));
	printf("%s\n", owner(word));
	SHOW(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0));
	printf("%s\n", owner(word));
	SHOW(futex(&odd, FUTEX_LOCK_PI, 0, 0, NULL, 0));
	SHOW(futex((uint32_t *)((char *)&word + 2), FUTEX_LOCK_PI, 0, 0, NULL, 0));
	SHOW(futex((uint32_t *)32, FUTEX_LOCK_PI, 0, 0, NULL, 0));
	odd = FUTEX_OWNER_DIED;
	SHOW(futex(&odd, FUTEX_LOCK_PI, 0, 0, NULL, 0));
	printf("%s\n", owner(odd));
}

static void *circle(void *arg)
{
	(void)arg;
	tids[1] = gettid_raw();
	CHECK(futex(&second, FUTEX_LOCK_PI, 0, 0, NULL, 0) == 0);
	stage = 1;
	CHECK(futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0) == 0);
	CHECK(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0) == 0);
	CHECK(futex(&second, FUTEX_UNLOCK_PI, 0, 0, NULL, 0) == 0);
	return NULL;
}

static void deadlock(void)
{
	pthread_t t;

	stage = 0;
	CHECK(futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0) == 0);
	t = start(circle, NULL);
	AWAIT(stage == 1);
	await_asleep(tids[1]);
	SHOW(futex(&second, FUTEX_LOCK_PI, 0, 0, NULL, 0));
	SHOW(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0));
	join(t);
}

static void on_usr1(int sig)
{
	(void)sig;
	hits++;
}

static void *interrupted(void *arg)
{
	(void)arg;
	tids[1] = gettid_raw();
	CHECK(futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0) == 0);
	CHECK(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0) == 0);
	return NULL;
}

/* The wait goes on after the handler, whether it restarts calls or not. */
static void signals(int flags)
{
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = flags };
	pthread_t t;

	sigaction(SIGUSR1, &sa, NULL);
	tids[1] = 0;
	hits = 0;
	CHECK(futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0) == 0);
	t = start(interrupted, NULL);
	AWAIT(tids[1]);
	await_asleep(tids[1]);
	for (int i = 1; i <= 3; i++) {
		pthread_kill(t, SIGUSR1);
		AWAIT(hits == i);
		await_asleep(tids[1]);
	}
	printf("interrupted %d times, %s\n", hits, owner(word));
	CHECK(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0) == 0);
	join(t);
}

static void *ends_as_owner(void *arg)
{
	(void)arg;
	CHECK(futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0) == 0);
	stage = 1;
	AWAIT(stage == 2);
	return NULL;
}

static void *waits_for_dead(void *arg)
{
	(void)arg;
	tids[1] = gettid_raw();
	CHECK(futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0) == 0);
	printf("now: %s\n", owner(word));
	word = 0;
	return NULL;
}

/* Not on any list, but the kernel knows who waits. */
static void owner_ends(void)
{
	pthread_t a, b;

	word = stage = 0;
	tids[1] = 0;
	a = start(ends_as_owner, NULL);
	AWAIT(stage == 1);
	b = start(waits_for_dead, NULL);
	AWAIT(tids[1]);
	await_asleep(tids[1]);
	stage = 2;
	join(a);
	join(b);
}

static void *on_cond(void *arg)
{
	uintptr_t n = (uintptr_t)arg;

	tids[n] = gettid_raw();
	CHECK(futex(&cond, FUTEX_WAIT_REQUEUE_PI, 0, 0, &word, 0) == 0);
	CHECK((word & FUTEX_TID_MASK) == (uint32_t)tids[n]);
	served++;
	/* Without a waiter it is given up without the kernel, as libc does. */
	if (!__sync_bool_compare_and_swap(&word, (uint32_t)tids[n], 0))
		CHECK(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0) == 0);
	return NULL;
}

static void conditions(void)
{
	struct timespec soon = from_now(CLOCK_MONOTONIC, 5), real = from_now(CLOCK_REALTIME, 5);
	pthread_t t[6];

	word = served = 0;
	memset(tids, 0, sizeof(tids));
	SHOW(futex(&cond, FUTEX_WAIT_REQUEUE_PI, 0, (uintptr_t)&soon, &word, 0));
	SHOW(futex(&cond, FUTEX_WAIT_REQUEUE_PI | FUTEX_CLOCK_REALTIME, 0, (uintptr_t)&real, &word, 0));
	SHOW(futex(&cond, FUTEX_WAIT_REQUEUE_PI, 1, 0, &word, 0));
	SHOW(futex(&cond, FUTEX_WAIT_REQUEUE_PI, 0, 0, &cond, 0));
	SHOW(futex(&cond, FUTEX_CMP_REQUEUE_PI, 1, 0, &word, 0));
	for (uintptr_t i = 0; i < 6; i++) {
		t[i] = start(on_cond, (void *)i);
		AWAIT(tids[i]);
		await_asleep(tids[i]);
	}
	SHOW(futex(&cond, FUTEX_CMP_REQUEUE_PI, 2, 0, &word, 0));
	SHOW(futex(&cond, FUTEX_CMP_REQUEUE_PI, 1, 0, &word, 7));
	SHOW(futex(&cond, FUTEX_CMP_REQUEUE_PI, 1, 0, &second, 0));
	SHOW(futex(&cond, FUTEX_CMP_REQUEUE_PI, 1, 0, &word, 0));
	AWAIT(served == 1);
	CHECK(futex(&word, FUTEX_LOCK_PI, 0, 0, NULL, 0) == 0);
	SHOW(futex(&cond, FUTEX_CMP_REQUEUE_PI, 1, 2, &word, 0));
	printf("%s\n", owner(word));
	SHOW(futex(&cond, FUTEX_CMP_REQUEUE_PI, 1, 100, &word, 0));
	CHECK(served == 1);
	CHECK(futex(&word, FUTEX_UNLOCK_PI, 0, 0, NULL, 0) == 0);
	for (int i = 0; i < 6; i++)
		join(t[i]);
	printf("served %d\n", served);
}

int main(void)
{
	by_libc();
	queue();
	refused();
	deadlock();
	signals(0);
	signals(SA_RESTART);
	owner_ends();
	conditions();
	return guest_end();
}
