/* The CPU as this run shows it, by every way programs ask: any values, but the same on any processor of the recording. */
#include "guest.h"
#include <cpuid.h>
#include <sys/auxv.h>

static void show(unsigned leaf, unsigned sub)
{
	unsigned a, b, c, d;

	__cpuid_count(leaf, sub, a, b, c, d);
	printf("cpuid %#x.%u: %08x %08x %08x %08x\n", leaf, sub, a, b, c, d);
}

static void show_all(unsigned first)
{
	unsigned last = __get_cpuid_max(first, NULL);

	printf("from %#x to %#x\n", first, last);
	for (unsigned leaf = first; leaf <= last && leaf < first + 0x40; leaf++)
		for (unsigned sub = 0; sub < 4; sub++)
			show(leaf, sub);
	show(last + 1, 0);
}

#define SUPPORTS(name) printf("%s: %s\n", name, __builtin_cpu_supports(name) ? "yes" : "no")

int main(void)
{
	show_all(0);
	show_all(0x80000000);
	show(0x40000000, 0);
	__builtin_cpu_init();
	SUPPORTS("sse4.2");
	SUPPORTS("popcnt");
	SUPPORTS("avx2");
	SUPPORTS("bmi2");
	SUPPORTS("avx512f");
	printf("hwcap %#lx %#lx\n", getauxval(AT_HWCAP), getauxval(AT_HWCAP2));
	return guest_end();
}
