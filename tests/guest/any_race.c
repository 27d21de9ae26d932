/*
 * Two threads that take turns only when they are made to: nothing but loads, stores and branches between the start and the
 * end. What comes out depends on every single switch; two runs with the same switches are the same.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 150000 /* or the first argument */

static volatile uint32_t ready, counter, last, switches;
static volatile uint64_t digest;
static uint32_t rounds = ROUNDS;

static void *race(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg;

	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (ready < 2)
		;
	for (uint32_t i = 0; i < rounds; i++) {
		uint32_t now = counter;

		if (i % 3 == 0)
			now ^= 0;
		if (last != me) {
			last = me;
			switches++;
			digest = digest * 1000003 + i;
		}
		counter = now + 1;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[2];

	if (argc > 1 && atoi(argv[1]) > 0)
		rounds = (uint32_t)atoi(argv[1]);

	for (uintptr_t i = 0; i < 2; i++)
		if (pthread_create(&thread[i], NULL, race, (void *)(i + 1)))
			return 1;
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	printf("counted %u of %u, %u switches, digest %llx\n", counter, 2 * rounds, switches, (unsigned long long)digest);
	return 0;
}
