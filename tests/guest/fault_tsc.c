/* Time stamps, with every prefix a compiler might put there, and switched off by the program itself. */
#include <sys/prctl.h>

#include "sigtest.h"

static uint64_t tsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

int main(void)
{
	uint64_t a = tsc(), b = tsc(), rax, rdx;
	uint32_t mode = 0;

	printf("advances %d\n", b > a && a);
	__asm__ volatile("mov $-1, %%rax; mov $-1, %%rdx; .byte 0x48; rdtsc" : "=a"(rax), "=d"(rdx));
	printf("high halves %lu %lu\n", rax >> 32, rdx >> 32);
	printf("advances %d\n", (rdx << 32 | rax) > b);
	printf("get %d", prctl(PR_GET_TSC, &mode, 0, 0, 0));
	printf(" mode %u\n", mode);
	printf("bad %d\n", prctl(PR_SET_TSC, 3, 0, 0, 0));
	catch_faults(show_fault, 0);
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
	TRY("rdtsc", 0, tsc());
	prctl(PR_GET_TSC, &mode, 0, 0, 0);
	prctl(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0);
	printf("mode %u\n", mode);
	TRY("rdtsc", 0, tsc());
	return 0;
}
