/*
 * One vCPU: user code in, one well-defined stop out. Used by one host thread at a time, the thread that runs it.
 *
 * The caller sees only user-mode states: stubs, selectors, exception frames and the differences between hosts (stub at
 * CPL 0 and sysretq, or at CPL 3 on a software host) stay in vcpu.c.
 */
#ifndef SANDREC_VCPU_H
#define SANDREC_VCPU_H

#include "vmm/regs.h"
#include "vmm/vm.h"

enum vcpu_stop {
	VCPU_SYSCALL,   /* after a `syscall` instruction: rip behind it, rcx = rip, r11 = rflags, rax = number */
	VCPU_EXCEPTION, /* vector, error, cr2 filled; rip as the architecture pushes it (faults: the instruction) */
	VCPU_SERVED,    /* right behind a system call that somebody else has made already (switchless.h) */
	VCPU_KICK,      /* a signal or vcpu_kick() ended the run between two user instructions */
	VCPU_EFAULT,    /* KVM could not use a page that the guest's entry allows (SIGBUS pages): address unknown,
	                   rip is the instruction, which has not executed */
	VCPU_BRANCHES,  /* the branch clock has come to the count it was armed for (vmm/branches.h) */
	VCPU_DEAD       /* triple fault or an exit that must not happen: `why` says which */
};

struct vcpu_exit {
	enum vcpu_stop stop;
	uint8_t vector;
	uint32_t error;
	uint64_t cr2;
	char why[96];
};

struct vcpu;

int vcpu_create(struct vm *vm, struct vcpu **out);
void vcpu_destroy(struct vcpu *v);

/*
 * `int n` (n other than 3 and 4) is #GP with error code n * 8 + 2 on the instruction, `int $0x80` included: the guest has
 * no 32-bit system calls. Port access and other privileged instructions are #GP. rflags of a fault has RF set, as the
 * architecture pushes it; it has no effect when given back. Other bits user code cannot set are ignored as well.
 *
 * Runs until a stop. Changes made to *vcpu_regs() since the last stop take effect first. Returns 0 or a negative errno
 * of KVM_RUN that is no stop of ours (a bug or a broken host).
 */
int vcpu_run(struct vcpu *v, struct vcpu_exit *exit);

/* The user registers at the last stop; the caller may change any of them, fs_base and gs_base included. */
struct guest_regs *vcpu_regs(struct vcpu *v);

/*
 * Ends the current or next vcpu_run() with VCPU_KICK. Async-signal-safe: this is what a signal handler on the vCPU's
 * thread calls. Another thread sends a signal whose handler calls it.
 */
void vcpu_kick(struct vcpu *v);

/*
 * The extended state in the standard XSAVE format (SDM vol. 1, 13.4), vm_cpu()->xsave_size bytes. set checks what
 * XRSTOR would check (reserved header bits, MXCSR) and returns -EINVAL for a state the CPU would refuse.
 */
/*
 * Enters KVM without running anything: the first entry makes KVM's own thread, which Linux refuses a process whose children
 * are to be in another pid namespace (-EINVAL).
 */
int vcpu_first_entry(struct vcpu *v);

int vcpu_get_xsave(struct vcpu *v, void *buf, size_t size);
int vcpu_set_xsave(struct vcpu *v, const void *buf, size_t size);

/*
 * Traps rdtsc and rdtscp on this vCPU: they stop with VCPU_EXCEPTION vector 13 (#GP). On by default. Where the host
 * thread's PR_SET_TSC is needed too it is set at the next vcpu_run(), and this process's vDSO is changed to make system
 * calls, so clock_gettime() and time() go on working; other code of ours on this thread must not execute rdtsc.
 * vcpu_destroy() on the thread undoes PR_SET_TSC.
 */
int vcpu_trap_tsc(struct vcpu *v, bool on);

#endif
