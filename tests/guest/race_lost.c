/* Two threads that add to one counter without a lock. race_lost count: the sum, and 1 when additions were lost. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define TIMES 3000000

static volatile int sum;

static void *add(void *arg)
{
	for (int i = 0; i < TIMES; i++) {
		int now = sum;

		sum = now + 1;
	}
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t a, b;

	pthread_create(&a, NULL, add, NULL);
	pthread_create(&b, NULL, add, NULL);
	pthread_join(a, NULL);
	pthread_join(b, NULL);
	if (argc < 2 || strcmp(argv[1], "count"))
		return 0;
	printf("%d\n", sum);
	return sum != 2 * TIMES;
}
