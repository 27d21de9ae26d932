/* The processor's description is consistent: features that need saved state have it, and the sizes add up. */
#include "guest.h"
#include <cpuid.h>

static unsigned a, b, c, d;

static uint64_t xcr0(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

/* XSAVE of all features must not write beyond the size that CPUID tells: signal frames and ld.so rely on it. */
static void xsave_fits(void)
{
	unsigned char *area = aligned_alloc(64, 65536);
	unsigned size, i;

	__cpuid_count(0xd, 0, a, size, c, d);
	CHECK((a | (uint64_t)d << 32) != 0 && (xcr0() & ~(a | (uint64_t)d << 32)) == 0);
	CHECK(size >= 576 && size <= c && c <= 65536);
	memset(area, 0xee, 65536);
	memset(area + 512, 0, 64);
	__asm__ volatile("xsave (%0)" ::"r"(area), "a"((uint32_t)xcr0()), "d"((uint32_t)(xcr0() >> 32)) : "memory");
	for (i = size; i < 65536 && area[i] == 0xee; i++)
		;
	CHECK(i == 65536);
	free(area);
}

int main(void)
{
	unsigned max, features;

	__cpuid(0, max, b, c, d);
	CHECK(max >= 1);
	__cpuid(1, a, b, features, d);
	/* Long mode programs rely on these without asking. */
	CHECK(d & 1 && d >> 8 & 1 && d >> 15 & 1 && d >> 24 & 1 && d >> 25 & 1 && d >> 26 & 1);
	if (features >> 27 & 1) {
		CHECK((xcr0() & 3) == 3);
		if (features >> 28 & 1)
			CHECK((xcr0() & 6) == 6);
		xsave_fits();
	}
	__cpuid(0x80000000, max, b, c, d);
	CHECK(max >= 0x80000008);
	__cpuid(0x80000001, a, b, c, d);
	CHECK(d >> 29 & 1 && d >> 20 & 1 && c & 1);
	return guest_end();
}
