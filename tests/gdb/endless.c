/* Computes for some seconds without a system call. */
#include <stdio.h>

volatile unsigned long n;

int main(void)
{
	while (n < 4000000000UL)
		n++;
	printf("%lu\n", n);
	return 0;
}
