/*
 * Which performance counter of a guest counts retired conditional branches: found by KVM's word and the CPU's model, proven
 * by pmu_prove() (vmm/pmu_proof.h), used by vmm/branches.c. Nothing else of the PMU is used.
 *
 * Sources: Intel SDM vol. 3 20.2 (architectural performance monitoring), Intel's event lists per model
 * (BR_INST_RETIRED.*); AMD APM vol. 2 13.2 (performance counters), the PPRs' PMCx0D1; KVM's api.rst.
 */
#ifndef SANDREC_PMU_H
#define SANDREC_PMU_H

#include <stdbool.h>
#include <stdint.h>

struct kvm_host;
struct kvm_cpuid_entry2;

enum pmu_kind {
	PMU_NONE,
	PMU_INTEL, /* needs leaf 0xA in the guest's CPUID table */
	PMU_AMD    /* needs nothing there: the four legacy counters always exist */
};

struct pmu {
	enum pmu_kind kind;
	bool proven;        /* counts exactly and interrupts: usable */
	uint8_t width;      /* bits of the counter */
	uint64_t select;    /* for event select register 0: enabled, user mode only, interrupting */
	uint32_t skid;      /* latest interrupt that was seen, in branches after the overflow */
	uint32_t margin;    /* how far ahead of a branch the counter is set to overflow, so that none comes too late */
	char why[96];       /* when it cannot be used: what is missing, for people */
};

/* Fills h->pmu; not proven yet. PMU_NONE with h->pmu.why when KVM offers no counter or the event is not known. */
void pmu_find(struct kvm_host *h);

/* Leaf 0xA for a guest: one counter and nothing else, of what KVM offers (its own entry; NULL: none). False: show none. */
bool pmu_leaf(const struct pmu *p, const struct kvm_cpuid_entry2 *offered, struct kvm_cpuid_entry2 *out);

#endif
