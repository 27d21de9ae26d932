/* Reader-writer locks, barriers, semaphores, once. */
#include <semaphore.h>
#include "threadtest.h"

static pthread_rwlock_t rw = PTHREAD_RWLOCK_INITIALIZER;
static volatile long pair[2];
static _Atomic unsigned torn, reads;

static void *reader(void *arg)
{
	(void)arg;
	for (int i = 0; i < 1000; i++) {
		CHECKP(pthread_rwlock_rdlock(&rw));
		torn += pair[0] != pair[1];
		reads++;
		CHECKP(pthread_rwlock_unlock(&rw));
	}
	return NULL;
}

static void *writer(void *arg)
{
	(void)arg;
	for (int i = 0; i < 500; i++) {
		CHECKP(pthread_rwlock_wrlock(&rw));
		pair[0]++;
		if (i % 50 == 0)
			sched_yield();
		pair[1]++;
		CHECKP(pthread_rwlock_unlock(&rw));
	}
	return NULL;
}

static void *reader_or_writer(void *arg)
{
	return (uintptr_t)arg < 3 ? reader(arg) : writer(arg);
}

static void *try_rw(void *arg)
{
	struct timespec soon = from_now(CLOCK_REALTIME, 10);

	(void)arg;
	SHOWP(pthread_rwlock_tryrdlock(&rw));
	SHOWP(pthread_rwlock_trywrlock(&rw));
	SHOWP(pthread_rwlock_timedrdlock(&rw, &soon));
	SHOWP(pthread_rwlock_timedwrlock(&rw, &soon));
	return NULL;
}

static pthread_barrier_t barrier;
static _Atomic unsigned serial, stage[5];

static void *stages(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5; i++) {
		stage[i]++;
		serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
		CHECK(stage[i] == 6);
	}
	return NULL;
}

static sem_t sem, back;
static _Atomic unsigned taken;

static void *take(void *arg)
{
	(void)arg;
	for (int i = 0; i < 200; i++) {
		while (sem_wait(&sem) < 0)
			CHECK(errno == EINTR);
		taken++;
		sem_post(&back);
	}
	return NULL;
}

static void semaphores(void)
{
	struct timespec soon = from_now(CLOCK_REALTIME, 10);
	pthread_t t[3];
	int value = -1;

	CHECK(sem_init(&sem, 0, 2) == 0 && sem_init(&back, 0, 0) == 0);
	for (int i = 0; i < 3; i++)
		t[i] = start(take, NULL);
	for (int i = 0; i < 600; i++) {
		sem_post(&sem);
		if (i >= 10)
			sem_wait(&back);
	}
	for (int i = 0; i < 3; i++)
		join(t[i]);
	sem_getvalue(&sem, &value);
	printf("semaphore: %u taken, %d left\n", taken, value);
	SHOW(sem_trywait(&sem));
	SHOW(sem_trywait(&sem));
	SHOW(sem_trywait(&sem));
	SHOW(sem_timedwait(&sem, &soon));
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned inits;

static void init(void)
{
	nap(5);
	inits++;
}

static void *call_once(void *arg)
{
	(void)arg;
	pthread_once(&once, init);
	CHECK(inits == 1);
	return NULL;
}

int main(void)
{
	together(5, reader_or_writer);
	printf("rwlock: %ld %ld, %u reads, %u torn\n", pair[0], pair[1], reads, torn);
	pthread_rwlock_wrlock(&rw);
	join(start(try_rw, NULL));
	SHOWP(pthread_rwlock_wrlock(&rw));
	pthread_rwlock_unlock(&rw);
	pthread_rwlock_rdlock(&rw);
	join(start(try_rw, NULL));
	CHECKP(pthread_barrier_init(&barrier, NULL, 6));
	together(6, stages);
	printf("barrier: %u serial\n", serial);
	semaphores();
	together(5, call_once);
	printf("once: %u\n", inits);
	return guest_end();
}
