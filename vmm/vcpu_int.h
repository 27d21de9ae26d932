/* What the files of a vCPU share. Nobody outside vmm/ includes this. */
#ifndef SANDREC_VCPU_INT_H
#define SANDREC_VCPU_INT_H

#include <sys/types.h>

#include "guestlib/abi.h"
#include "vmm/vcpu.h"
#include "vmm/vm_int.h"

#define STUB_PAGE (GUESTLIB_BASE + ABI_STUBS_PAGE * PAGE_SIZE_4K)
#define STUB_SYSCALL (STUB_PAGE + ABI_SYSCALL)
#define STUB_SYSRET (STUB_PAGE + ABI_SYSRET)

#define RFLAGS_FIXED 0x2ULL
#define RFLAGS_TF (1ULL << 8)
#define RFLAGS_IF (1ULL << 9)
#define RFLAGS_RF (1ULL << 16)
/* CF PF AF ZF SF TF DF OF NT RF AC ID: what user code may have in any combination. */
#define RFLAGS_USER 0x254dd5ULL

#define CR4_TSD (1ULL << 2)
#define CR4_FSGSBASE (1ULL << 16)

/* branches.c; zero on hosts without a usable counter. */
struct branch_clock {
	bool on, started, lent;
	bool spoiled;           /* the count since the last reset is not the program's alone */
	bool lost;              /* the counter was seen to be wrong */
	bool armed, near;       /* near: the rest of the way to target is stepped */
	uint64_t offset;        /* count = counter + offset, modulo the counter's width */
	uint64_t target, steps;
	uint32_t select_msr, counter_msr;
	uint64_t variant;       /* bits of the event selection that do not matter */
	pid_t owner;            /* the host thread that ran it last */
	struct kvm_lapic_state apic; /* ready for the next interrupt */
};

struct vcpu {
	struct vm *vm;
	int fd;
	unsigned id;
	struct kvm_run *run;
	struct guest_regs regs;
	struct kvm_sregs user;  /* what KVM is given with every full set of user registers */
	uint8_t *page;          /* GDT, TSS, stacks: host view of page_addr */
	uint64_t page_addr;
	bool at_sysret;         /* KVM's state is the system call stub at CPL 0: `sysretq` leads back */
	bool calls_seen;        /* there was a system call: what kind of host this is can be told */
	bool switchless;        /* system calls enter guestlib/switchless.S */
	bool reload;            /* v->user changed: the next entry must load all of it */
	bool trap_tsc;
	int kicked;             /* vcpu_kick() was called and no VCPU_KICK reported yet; atomic */
	void *xsave;            /* buffer of xsave_size bytes in KVM's format */
	size_t xsave_size;
	uint32_t mxcsr_mask;
	struct branch_clock clock;
};

/* vcpu_setup.c: everything between KVM_CREATE_VCPU and the first run. */
int vcpu_setup(struct vcpu *v);

/* vcpu.c: vcpu_run() without the branch clock; VCPU_BRANCHES is the overflow interrupt, whoever asked for it. */
int vcpu_enter(struct vcpu *v, struct vcpu_exit *exit);

/* branches.c: the APIC, before the first run; vcpu_run() with the clock on. */
int branches_setup(struct vcpu *v);
void branches_forget(const struct vcpu *v); /* before it goes */
int branches_run(struct vcpu *v, struct vcpu_exit *exit);

#endif
