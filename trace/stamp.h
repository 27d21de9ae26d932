/*
 * Time stamps of events: CLOCK_MONOTONIC in nanoseconds, without a system call for each where the processor's time stamp
 * counter can be read and runs at a constant rate. The clock itself is asked about once in a millisecond, and whenever the
 * thread has come to another processor; between that the counter is scaled by the rate that was measured since.
 *
 * Stamps of one struct never go back. They are ahead of the clock by no more than the change of its rate (NTP's at most 0.05 %)
 * within a millisecond: half a microsecond.
 *
 * Source: SDM vol. 3 "Time-Stamp Counter" and APM vol. 2: invariant TSC, CPUID 8000_0007h; clock_gettime(2).
 */
#ifndef SANDREC_STAMP_H
#define SANDREC_STAMP_H

#include <stdbool.h>
#include <stdint.h>

struct stamp {
	uint64_t last_ns;            /* the newest that was given out */
	uint64_t ns, tsc;            /* the anchor: they were so at the same moment */
	uint64_t base_ns, base_tsc;  /* and an older one, for the rate */
	uint64_t per_tsc;            /* nanoseconds for 2^32 ticks; 0: not known yet */
	uint32_t cpu;                /* TSC_AUX where the anchor was made */
};

/* counter: rdtscp does not fault on this thread (vmm/notsc.h). By one thread at a time; *s begins as zeros. */
uint64_t stamp_now(struct stamp *s, bool counter);

/* The pure part of it: *s was made for a counter at tsc on cpu? The time into *ns, not yet compared with the last one. */
bool stamp_scaled(const struct stamp *s, uint64_t tsc, uint32_t cpu, uint64_t *ns);
/* The clock said ns when the counter stood at tsc on cpu. */
void stamp_anchor(struct stamp *s, uint64_t ns, uint64_t tsc, uint32_t cpu);

#endif
