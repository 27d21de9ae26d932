/* 200 threads at once, 600 (or as many as the first argument says) one after the other, detached ones. */
#include "threadtest.h"

#define AT_ONCE 200
#define IN_TURN 600 /* more than there are vCPUs */

static pthread_barrier_t barrier;
static _Atomic unsigned long sum;
static _Atomic unsigned gone;
static __thread unsigned long local;

static void *at_once(void *arg)
{
	local = (uintptr_t)arg;
	pthread_barrier_wait(&barrier);
	sum += local;
	pthread_barrier_wait(&barrier);
	CHECK(sum == AT_ONCE * (AT_ONCE - 1) / 2);
	return NULL;
}

static void *in_turn(void *arg)
{
	double d = 1.5;

	CHECK(local == 0);
	local = 1;
	sum += (uintptr_t)arg;
	__asm__ volatile("mulsd %1, %0" : "+x"(d) : "x"(d));
	CHECK(d == 2.25);
	return arg;
}

static void *detached(void *arg)
{
	if ((uintptr_t)arg % 2)
		CHECKP(pthread_detach(pthread_self()));
	gone++;
	return NULL;
}

int main(int argc, char **argv)
{
	uintptr_t in_turn_count = argc > 1 && atoi(argv[1]) > 0 ? (uintptr_t)atoi(argv[1]) : IN_TURN;
	pthread_attr_t a;
	pthread_t t;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 64 << 10);
	pthread_barrier_init(&barrier, NULL, AT_ONCE);
	together(AT_ONCE, at_once);
	printf("at once: %lu\n", sum);
	sum = 0;
	for (uintptr_t i = 0; i < in_turn_count; i++) {
		CHECKP(pthread_create(&t, &a, in_turn, (void *)i));
		CHECK(join(t) == (void *)i);
	}
	printf("in turn: %lu\n", sum);
	for (uintptr_t i = 0; i < 100; i++) {
		pthread_attr_setdetachstate(&a, i % 2 ? PTHREAD_CREATE_JOINABLE : PTHREAD_CREATE_DETACHED);
		CHECKP(pthread_create(&t, &a, detached, (void *)i));
	}
	AWAIT(gone == 100);
	printf("detached: %u\n", gone);
	return guest_end();
}
