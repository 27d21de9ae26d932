/*
 * The CPUID table the guest sees: chosen by policy, stored in the trace, the same on replay.
 * Sources: Intel SDM vol. 2 CPUID; AMD APM vol. 3 appendix E; doc/internals.md for what is masked and why.
 */
#ifndef SANDREC_CPUID_H
#define SANDREC_CPUID_H

#include "vmm/kvm.h"
#include "vmm/text_scan.h"

#define CPUID_MAX 256

struct cpu_table {
	uint64_t xcr0;        /* XCR0 of the guest: what XSAVE really saves there */
	uint32_t xsave_size;  /* bytes of the standard-format image for xcr0 */
	uint32_t patch;       /* TEXT_BIT()s of instructions that are replaced in the guest's text, as they do not trap */
	uint32_t n;
	struct kvm_cpuid_entry2 e[CPUID_MAX];
};

enum cpu_model { CPU_HOST, CPU_V2, CPU_V3 }; /* --cpu=host|x86-64-v2|x86-64-v3 */

/* Builds the table for this machine. Negative errno and a line in why when the host lacks what the model needs. */
int cpu_table_make(const struct kvm_host *h, enum cpu_model model, struct cpu_table *out, char *why, size_t len);

/*
 * May a recording made with t be replayed here? 0, or -ENOTSUP with the missing features named in why. What was patched
 * then must be patched again, as memory is compared; t->patch gets what this host needs in addition.
 */
int cpu_table_check(const struct kvm_host *h, struct cpu_table *t, char *why, size_t len);

/* What cpuid shows to a guest with t, leaves and sub-leaves that do not exist included: eax to edx of out. */
void cpu_table_query(const struct cpu_table *t, uint32_t leaf, uint32_t sub, struct kvm_cpuid_entry2 *out);

/* Does the leaf show the same whatever ecx is? False: it may not. */
bool cpu_table_fixed(const struct cpu_table *t, uint32_t leaf);

/* AT_HWCAP is CPUID.1:EDX; AT_HWCAP2 bit 1 says FSGSBASE works. */
uint32_t cpu_table_hwcap(const struct cpu_table *t);
uint32_t cpu_table_hwcap2(const struct cpu_table *t);

#endif
