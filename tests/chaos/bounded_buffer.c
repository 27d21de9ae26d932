/*
 * A bounded buffer with one condition variable for two conditions: a producer's signal may wake another producer, and
 * then all wait. Hangs.
 */
#include "chaostest.h"

#define SIZE 1
#define EACH 2

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int count;

static void *produce(void *arg)
{
	for (int i = 0; i < EACH; i++) {
		pthread_mutex_lock(&lock);
		while (count == SIZE)
			pthread_cond_wait(&changed, &lock);
		count++;
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

static void *consume(void *arg)
{
	for (int i = 0; i < EACH; i++) {
		pthread_mutex_lock(&lock);
		while (count == 0)
			pthread_cond_wait(&changed, &lock);
		count--;
		pthread_cond_signal(&changed);
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

int main(void)
{
	pthread_t t[4] = { start(produce, NULL), start(consume, NULL), start(produce, NULL), start(consume, NULL) };

	for (int i = 0; i < 4; i++)
		join(t[i]);
	assert(count == 0);
	return 0;
}
