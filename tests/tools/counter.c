/*
 * counter N [noise]: prints the numbers below N, a line each. With noise each round also reads random bytes, which
 * do not compress, so that the recording grows quickly.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1000;
	int random = argc > 2 ? open("/dev/urandom", O_RDONLY) : -1;
	char line[64], noise[200];

	for (long i = 0; i < n; i++) {
		int len = snprintf(line, sizeof(line), "%ld\n", i);

		if (random >= 0 && read(random, noise, sizeof(noise)) != (ssize_t)sizeof(noise))
			return 2;
		if (getppid() < 0 || write(STDOUT_FILENO, line, len) != len)
			return 1;
	}
	return 0;
}
