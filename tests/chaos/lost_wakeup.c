/* Lost wake-up: the condition is looked at before the lock is taken, so it may come true, and be told, in between. Hangs. */
#include "chaostest.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ready_changed = PTHREAD_COND_INITIALIZER;
static atomic_int ready;

static void *wait_for_it(void *arg)
{
	if (!atomic_load(&ready)) {
		pthread_mutex_lock(&lock);
		pthread_cond_wait(&ready_changed, &lock);
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

static void *tell(void *arg)
{
	pthread_mutex_lock(&lock);
	atomic_store(&ready, 1);
	pthread_cond_signal(&ready_changed);
	pthread_mutex_unlock(&lock);
	return arg;
}

int main(void)
{
	pthread_t teller = start(tell, NULL), waiter = start(wait_for_it, NULL);

	join(waiter);
	join(teller);
	return 0;
}
