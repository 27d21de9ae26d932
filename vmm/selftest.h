/*
 * What this machine's KVM really does, found out by running a few instructions in a VM: for `sandrec doctor`, and for
 * the decisions that must not be made from a host's name.
 *
 * The probes need two pages of guest memory at SELFTEST_CODE (vmm/probe.h), mapped and unmapped by each.
 */
#ifndef SANDREC_SELFTEST_H
#define SANDREC_SELFTEST_H

#include "vmm/cpuid.h"
#include "vmm/kvm.h"

#define SELFTEST_CODE 0x5a0000000000ULL

enum verdict { VERDICT_GOOD, VERDICT_LIMITED, VERDICT_BAD };

struct host_fact {
	const char *name;       /* "system call exit" */
	enum verdict verdict;
	char text[120];         /* what was found and what it means */
};

#define HOST_FACTS_MAX 24

struct host_report {
	unsigned n;
	struct host_fact fact[HOST_FACTS_MAX];
	bool syscall_cpl0, debug_registers, tsc_traps, cpuid_traps, pmu;
	double syscall_ns, exception_ns; /* medians of a round trip guest, VMM, guest */
};

/* Fills the report; a probe that cannot run is a fact of its own. Negative errno when not even a VM can be made. */
int host_selftest(const struct kvm_host *h, struct host_report *r);

/* Does XSAVE in the guest obey the guest's XCR0 (hardware), or the machine's (software hosts)? False if unknown. */
bool host_honours_xcr0(const struct kvm_host *h, const struct cpu_table *t);

/*
 * TEXT_BIT()s of instructions that user code in a guest with table t executes without our knowing: cpuid when it shows the
 * machine's own values whatever the table says (a KVM without hardware support), others when they run although the table
 * hides them. Empty if unknown.
 */
unsigned host_untrapped(const struct kvm_host *h, const struct cpu_table *t);

#endif
