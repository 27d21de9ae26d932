/* Four threads that compute and meet at a lock: about a second. */
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long total;

static void *work(void *arg)
{
	volatile long x = (long)arg;

	for (int i = 0; i < 100; i++) {
		for (int k = 0; k < 1000000; k++)
			x = x * 3 + k;
		pthread_mutex_lock(&lock);
		total += x & 1;
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

int main(void)
{
	pthread_t t[4];

	for (long i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, work, (void *)i);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	printf("%ld\n", total);
	return 0;
}
