/* Threads that take turns, and one that writes through a pointer another one has spoilt. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS 3

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t all_there;
long total;
static long padding[1024];
long *target = &total;

static void add(long n)
{
	pthread_mutex_lock(&lock);
	*target += n; /* add */
	pthread_mutex_unlock(&lock);
}

static void spoil(void)
{
	pthread_mutex_lock(&lock);
	target = NULL; /* spoil */
	pthread_mutex_unlock(&lock);
}

static void *worker(void *arg)
{
	volatile long spin = 0;
	long id = (long)arg;

	pthread_barrier_wait(&all_there);
	for (int i = 0; i < 5; i++) {
		for (int k = 0; k < 2000000; k++)
			spin += k;
		add(id);
	}
	pthread_barrier_wait(&all_there);
	if (id == 2)
		spoil();
	pthread_barrier_wait(&all_there);
	if (id == 3)
		add(100);
	pthread_barrier_wait(&all_there);
	return (void *)(padding[id] + spin);
}

int main(void)
{
	pthread_t t[THREADS];

	pthread_barrier_init(&all_there, NULL, THREADS);
	for (long i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, worker, (void *)(i + 1)); /* create */
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	printf("not reached\n");
	return 0;
}
