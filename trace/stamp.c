/* Time stamps from the time stamp counter. Contract: stamp.h. */
#include <cpuid.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "trace/stamp.h"

#define ANCHOR_NS 1000000ULL     /* how long an anchor is used */
#define RATE_NS 10000000ULL      /* over how long the rate is measured, at least */
#define BASE_NS 1000000000ULL    /* and about */
#define ASKED_TSC 100000         /* ticks: the clock took longer to answer, so somebody else ran meanwhile: no anchor */
#define DRIFT 1024               /* rates differ by less than one part of so many, or the counter was changed */

/* Constant in all states, and rdtscp is there to say which processor it was. */
static bool counter_is_constant(void)
{
	static int known; /* 0: not asked yet */
	unsigned a, b, c, d, constant = 0, rdtscp = 0;

	if (!known) {
		if (__get_cpuid(0x80000007, &a, &b, &c, &d))
			constant = d & 1u << 8;
		if (__get_cpuid(0x80000001, &a, &b, &c, &d))
			rdtscp = d & 1u << 27;
		known = constant && rdtscp ? 1 : -1;
	}
	return known > 0;
}

/* The vDSO's clock executes rdtsc, which faults on a thread with PR_SET_TSC. */
static uint64_t clock_ns(void)
{
	struct timespec ts;

	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

bool stamp_scaled(const struct stamp *s, uint64_t tsc, uint32_t cpu, uint64_t *ns)
{
	uint64_t passed = tsc - s->tsc, scaled;

	/* A counter that stands before the anchor gives a large number. */
	if (!s->per_tsc || cpu != s->cpu || passed >> 31)
		return false;
	scaled = passed * s->per_tsc >> 32;
	*ns = s->ns + scaled;
	return scaled < ANCHOR_NS;
}

void stamp_anchor(struct stamp *s, uint64_t ns, uint64_t tsc, uint32_t cpu)
{
	const uint64_t since = ns - s->base_ns, ticks = tsc - s->base_tsc;
	uint64_t rate;

	s->ns = ns;
	s->tsc = tsc;
	if (cpu != s->cpu || ns < s->base_ns || since > 8 * BASE_NS || tsc <= s->base_tsc) {
		/* Counters of two processors are not compared, nor one before and after a sleep of the machine. */
		s->cpu = cpu;
		s->base_ns = ns;
		s->base_tsc = tsc;
		return;
	}
	if (since < RATE_NS)
		return;
	rate = (uint64_t)(((unsigned __int128)since << 32) / ticks);
	if (rate >> 33 || (s->per_tsc && (rate > s->per_tsc + s->per_tsc / DRIFT || rate < s->per_tsc - s->per_tsc / DRIFT))) {
		s->per_tsc = 0;
		s->base_ns = ns;
		s->base_tsc = tsc;
		return;
	}
	s->per_tsc = rate;
	if (since >= BASE_NS) {
		s->base_ns = ns;
		s->base_tsc = tsc;
	}
}

static uint64_t ask(struct stamp *s)
{
	unsigned cpu, cpu_after;
	uint64_t before = __rdtscp(&cpu), ns = clock_ns(), after = __rdtscp(&cpu_after);

	/* The later one: what is scaled from it is behind the clock, not ahead. */
	if (cpu == cpu_after && after - before < ASKED_TSC)
		stamp_anchor(s, ns, after, cpu);
	return ns;
}

uint64_t stamp_now(struct stamp *s, bool counter)
{
	uint64_t ns, tsc;
	unsigned cpu;

	if (!counter || !counter_is_constant()) {
		ns = clock_ns();
	} else {
		tsc = __rdtscp(&cpu);
		if (!stamp_scaled(s, tsc, cpu, &ns))
			ns = ask(s);
	}
	if (ns > s->last_ns)
		s->last_ns = ns;
	return s->last_ns;
}
