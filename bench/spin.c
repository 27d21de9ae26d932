/* spin [SECONDS-ish]: integer and floating point work without system calls; about a second for the argument 1. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	uint64_t x = 88172645463325252ULL, n = (uint64_t)((argc > 1 ? atof(argv[1]) : 1) * 4e8);
	double y = 1;

	for (uint64_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (!(i & 7))
			y = y * 1.0000001 + (double)(x & 15);
	}
	printf("%llu %g\n", (unsigned long long)x, y);
	return 0;
}
