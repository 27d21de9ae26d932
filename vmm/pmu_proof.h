/*
 * Does the guest's branch counter keep its promises on this host? Found out by running loops whose branches are known,
 * in a VM of its own (memory: vmm/probe.h); a few milliseconds.
 */
#ifndef SANDREC_PMU_PROOF_H
#define SANDREC_PMU_PROOF_H

#include "vmm/cpuid.h"
#include "vmm/kvm.h"

/*
 * Sets h->pmu.proven, skid and margin when the counter counts every conditional branch of user code and nothing else,
 * across stops, interrupts and single steps, and its overflow interrupt is never early. Else h->pmu.why says what is
 * wrong, and the host counts as one without. t: the table of the guest to come.
 */
void pmu_prove(struct kvm_host *h, const struct cpu_table *t);

#endif
