/* Mutexes of every kind: contended, recursive, checked, timed, robust ones whose owner ends. */
#include "threadtest.h"

#define TURNS 2000

static pthread_mutex_t lock;
static long counter;

static void make(int type, int robust)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	CHECKP(pthread_mutexattr_settype(&a, type));
	if (robust)
		CHECKP(pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST));
	CHECKP(pthread_mutex_init(&lock, &a));
	pthread_mutexattr_destroy(&a);
}

static void *count(void *arg)
{
	for (int i = 0; i < TURNS; i++) {
		CHECKP(pthread_mutex_lock(&lock));
		counter++;
		if (i % 100 == (int)(uintptr_t)arg)
			sched_yield();
		CHECKP(pthread_mutex_unlock(&lock));
	}
	return NULL;
}

static void contended(const char *name, int type)
{
	make(type, 0);
	counter = 0;
	together(4, count);
	printf("%s: %ld\n", name, counter);
	CHECKP(pthread_mutex_destroy(&lock));
}

static void *try_it(void *arg)
{
	struct timespec soon = from_now(CLOCK_REALTIME, 20), mono = from_now(CLOCK_MONOTONIC, 20);

	(void)arg;
	SHOWP(pthread_mutex_trylock(&lock));
	SHOWP(pthread_mutex_timedlock(&lock, &soon));
	SHOWP(pthread_mutex_clocklock(&lock, CLOCK_MONOTONIC, &mono));
	SHOWP(pthread_mutex_unlock(&lock));
	return NULL;
}

static void refused(void)
{
	make(PTHREAD_MUTEX_ERRORCHECK, 0);
	SHOWP(pthread_mutex_lock(&lock));
	SHOWP(pthread_mutex_lock(&lock));
	join(start(try_it, NULL));
	SHOWP(pthread_mutex_unlock(&lock));
	SHOWP(pthread_mutex_unlock(&lock));
	make(PTHREAD_MUTEX_RECURSIVE, 0);
	SHOWP(pthread_mutex_lock(&lock));
	SHOWP(pthread_mutex_lock(&lock));
	SHOWP(pthread_mutex_unlock(&lock));
	join(start(try_it, NULL));
	SHOWP(pthread_mutex_unlock(&lock));
}

static void *lock_and_end(void *arg)
{
	CHECKP(pthread_mutex_lock(&lock));
	if (arg)
		nap(20);
	return NULL;
}

static void *wait_for_dead(void *arg)
{
	int rc = pthread_mutex_lock(&lock);

	(void)arg;
	if (rc == EOWNERDEAD)
		CHECKP(pthread_mutex_consistent(&lock));
	CHECKP(pthread_mutex_unlock(&lock));
	return (void *)(intptr_t)rc;
}

static void robust(void)
{
	pthread_t owner, waiter[3];
	unsigned dead = 0;

	make(PTHREAD_MUTEX_NORMAL, 1);
	join(start(lock_and_end, NULL));
	SHOWP(pthread_mutex_lock(&lock));
	SHOWP(pthread_mutex_consistent(&lock));
	SHOWP(pthread_mutex_unlock(&lock));
	/* Who waits is woken by the end. */
	owner = start(lock_and_end, (void *)1);
	AWAIT(pthread_mutex_trylock(&lock) == EBUSY || (pthread_mutex_unlock(&lock), 0));
	for (int i = 0; i < 3; i++)
		waiter[i] = start(wait_for_dead, NULL);
	join(owner);
	for (int i = 0; i < 3; i++)
		dead += (intptr_t)join(waiter[i]) == EOWNERDEAD;
	printf("told of the death: %u\n", dead);
	join(start(lock_and_end, NULL));
	SHOWP(pthread_mutex_lock(&lock));
	SHOWP(pthread_mutex_unlock(&lock));
	SHOWP(pthread_mutex_lock(&lock));
}

static pthread_spinlock_t spin;

static void *count_spinning(void *arg)
{
	(void)arg;
	for (int i = 0; i < TURNS * 10; i++) {
		pthread_spin_lock(&spin);
		counter++;
		pthread_spin_unlock(&spin);
	}
	return NULL;
}

int main(void)
{
	contended("normal", PTHREAD_MUTEX_NORMAL);
	contended("recursive", PTHREAD_MUTEX_RECURSIVE);
	contended("checked", PTHREAD_MUTEX_ERRORCHECK);
	contended("adaptive", PTHREAD_MUTEX_ADAPTIVE_NP);
	refused();
	robust();
	pthread_spin_init(&spin, 0);
	counter = 0;
	together(3, count_spinning);
	printf("spinning: %ld\n", counter);
	return guest_end();
}
