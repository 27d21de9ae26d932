/*
 * touch MIB [nohuge]: prints the seconds of the first and of the second touch of every page of anonymous memory. With
 * nohuge the kernel may not use huge pages.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double touch(volatile char *p, size_t size)
{
	double start = now();

	for (size_t i = 0; i < size; i += 4096)
		p[i]++;
	return now() - start;
}

int main(int argc, char **argv)
{
	size_t size = (argc > 1 ? strtoul(argv[1], NULL, 0) : 1024) << 20;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	double first;

	if (p == MAP_FAILED)
		return 1;
	madvise(p, size, argc > 2 ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	first = touch(p, size);
	printf("%.6f %.6f\n", first, touch(p, size));
	return 0;
}
