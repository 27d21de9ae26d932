/* rdtsc and rdtscp: they go forward, keep registers other than theirs, and are close to each other. */
#include "guest.h"
#include <cpuid.h>

static uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static uint64_t rdtscp(uint32_t *aux)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(*aux));
	return (uint64_t)hi << 32 | lo;
}

static int have_rdtscp(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(0x80000001, &a, &b, &c, &d) && d >> 27 & 1;
}

static void registers_stay(void)
{
	uint64_t rax = ~0ULL, rdx = ~0ULL, rcx = 0x1234567890, flags_before, flags_after;

	__asm__ volatile("cmp %%rcx, %%rcx; pushfq; pop %3; rdtsc; pushfq; pop %4"
			 : "+a"(rax), "+d"(rdx), "+c"(rcx), "=&r"(flags_before), "=&r"(flags_after)::"cc");
	CHECK(rax >> 32 == 0 && rdx >> 32 == 0 && rcx == 0x1234567890 && flags_before == flags_after);
}

int main(void)
{
	uint64_t last = rdtsc(), t;
	uint32_t aux = ~0u;

	for (int i = 0; i < 300; i++) {
		t = rdtsc();
		CHECK(t > last);
		last = t;
	}
	registers_stay();
	if (have_rdtscp()) {
		t = rdtscp(&aux);
		CHECK(t > last && (aux & 0xfff) < 4096);
	}
	return guest_end();
}
