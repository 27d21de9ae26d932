/* Deadlock: two transfers take the same two locks, each its own first. Hangs. */
#include "chaostest.h"

struct account {
	pthread_mutex_t lock;
	int balance;
};

static struct account one = { PTHREAD_MUTEX_INITIALIZER, 10 }, two = { PTHREAD_MUTEX_INITIALIZER, 10 };

static void transfer(struct account *from, struct account *to)
{
	pthread_mutex_lock(&from->lock);
	pthread_mutex_lock(&to->lock);
	from->balance--;
	to->balance++;
	pthread_mutex_unlock(&to->lock);
	pthread_mutex_unlock(&from->lock);
}

static void *there(void *arg)
{
	transfer(&one, &two);
	return arg;
}

static void *back(void *arg)
{
	transfer(&two, &one);
	return arg;
}

int main(void)
{
	pthread_t a = start(there, NULL), b = start(back, NULL);

	join(a);
	join(b);
	assert(one.balance + two.balance == 20);
	return 0;
}
