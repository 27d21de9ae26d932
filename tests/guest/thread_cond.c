/* Condition variables: a queue, taking turns, waking all, timed waits. */
#include "threadtest.h"

#define ITEMS 600
#define PLACES 4

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static unsigned place[PLACES], head, tail;
static bool over;

static void *produce(void *arg)
{
	for (unsigned i = 0; i < ITEMS; i++) {
		pthread_mutex_lock(&lock);
		while (head - tail == PLACES)
			pthread_cond_wait(&emptied, &lock);
		place[head++ % PLACES] = (unsigned)(uintptr_t)arg * ITEMS + i;
		pthread_cond_signal(&filled);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void *consume(void *arg)
{
	uintptr_t sum = 0;

	(void)arg;
	for (;;) {
		pthread_mutex_lock(&lock);
		while (head == tail && !over)
			pthread_cond_wait(&filled, &lock);
		if (head == tail) {
			pthread_mutex_unlock(&lock);
			return (void *)sum;
		}
		sum += place[tail++ % PLACES] + 1;
		pthread_cond_signal(&emptied);
		pthread_mutex_unlock(&lock);
	}
}

static void queue(void)
{
	pthread_t consumer[3], producer[2];
	uintptr_t sum = 0;

	for (int i = 0; i < 3; i++)
		consumer[i] = start(consume, NULL);
	for (uintptr_t i = 0; i < 2; i++)
		producer[i] = start(produce, (void *)i);
	for (int i = 0; i < 2; i++)
		join(producer[i]);
	pthread_mutex_lock(&lock);
	over = true;
	pthread_cond_broadcast(&filled);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < 3; i++)
		sum += (uintptr_t)join(consumer[i]);
	printf("queue: %u items, sum %lu\n", tail, (unsigned long)sum);
}

static unsigned turn;
static char order[64];

static void *in_turn(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < 10; i++) {
		pthread_mutex_lock(&lock);
		while (turn % 3 != me)
			pthread_cond_wait(&filled, &lock);
		order[turn++] = (char)('a' + me);
		pthread_cond_broadcast(&filled);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static unsigned asleep, awake;

static void *sleeper(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&lock);
	asleep++;
	pthread_cond_signal(&emptied);
	while (!awake)
		pthread_cond_wait(&filled, &lock);
	awake++;
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void wake_all(void)
{
	pthread_t t[20];

	for (int i = 0; i < 20; i++)
		t[i] = start(sleeper, NULL);
	pthread_mutex_lock(&lock);
	while (asleep < 20)
		pthread_cond_wait(&emptied, &lock);
	awake = 1;
	pthread_cond_broadcast(&filled);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < 20; i++)
		join(t[i]);
	printf("woken: %u\n", awake - 1);
}

static void timed(void)
{
	struct timespec soon = from_now(CLOCK_REALTIME, 20), past = { 1, 0 }, bad = { 1, -1 };
	struct timespec mono = from_now(CLOCK_MONOTONIC, 20);
	pthread_condattr_t a;
	pthread_cond_t c;

	pthread_mutex_lock(&lock);
	SHOWP(pthread_cond_timedwait(&filled, &lock, &soon));
	SHOWP(pthread_cond_timedwait(&filled, &lock, &past));
	SHOWP(pthread_cond_timedwait(&filled, &lock, &bad));
	SHOWP(pthread_cond_clockwait(&filled, &lock, CLOCK_MONOTONIC, &mono));
	pthread_condattr_init(&a);
	CHECKP(pthread_condattr_setclock(&a, CLOCK_MONOTONIC));
	CHECKP(pthread_cond_init(&c, &a));
	mono = from_now(CLOCK_MONOTONIC, 5);
	SHOWP(pthread_cond_timedwait(&c, &lock, &mono));
	CHECKP(pthread_cond_destroy(&c));
	pthread_mutex_unlock(&lock);
}

int main(void)
{
	queue();
	together(3, in_turn);
	printf("turns: %s\n", order);
	wake_all();
	timed();
	return guest_end();
}
