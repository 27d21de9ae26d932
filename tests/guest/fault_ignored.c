/* An ignored fault is fatal all the same. */
#include "sigtest.h"

int main(void)
{
	printf("going\n");
	fflush(stdout);
	signal(SIGFPE, SIG_IGN);
	__asm__ volatile("xor %%ecx, %%ecx; xor %%edx, %%edx; div %%ecx" : : : "rax", "rcx", "rdx");
	return 0;
}
