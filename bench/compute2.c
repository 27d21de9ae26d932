/* compute2 [SECONDS-ish]: two threads compute, and count what they did under a lock now and then. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t blocks, n;

static void *compute(void *arg)
{
	uint64_t x = (uint64_t)(uintptr_t)arg;

	for (uint64_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (!(i & 0xfffffff)) {
			pthread_mutex_lock(&lock);
			blocks++;
			pthread_mutex_unlock(&lock);
		}
	}
	return (void *)(uintptr_t)x;
}

int main(int argc, char **argv)
{
	pthread_t t[2];
	void *v[2];

	n = (uint64_t)((argc > 1 ? atof(argv[1]) : 1) * 2.5e8);
	for (uintptr_t i = 0; i < 2; i++)
		if (pthread_create(&t[i], NULL, compute, (void *)(88172645463325252U + i)))
			return 1;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], &v[i]);
	printf("%llx %llx %llu\n", (unsigned long long)(uintptr_t)v[0], (unsigned long long)(uintptr_t)v[1], (unsigned long long)blocks);
	return 0;
}
