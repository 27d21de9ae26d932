/* Atomicity: whether there is enough money is asked in one critical section, and it is taken in the next. assert(). */
#include "chaostest.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int balance = 100;

static int read_balance(void)
{
	int now;

	pthread_mutex_lock(&lock);
	now = balance;
	pthread_mutex_unlock(&lock);
	return now;
}

static void *withdraw(void *arg)
{
	int sum = *(int *)arg;

	if (read_balance() < sum)
		return NULL;
	pthread_mutex_lock(&lock);
	balance -= sum;
	pthread_mutex_unlock(&lock);
	return NULL;
}

int main(void)
{
	int a = 60, b = 70;
	pthread_t one = start(withdraw, &a), two = start(withdraw, &b);

	join(one);
	join(two);
	assert(balance >= 0);
	return 0;
}
