/*
 * Running a vCPU and turning KVM's exits into stops of user code. Contract: vcpu.h; stubs: guestlib/abi.h.
 *
 * Between stops KVM's own copy of the state is either in user mode or in a stub at CPL 0. Every entry loads the full user
 * state through the synchronised registers (selectors and all), which works from either, with one short cut: after a
 * system call at CPL 0 whose result is all that changed, the stub's `sysretq` goes back by itself.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/notsc.h"
#include "vmm/switchless_int.h"

#define VECTOR_DB 1
#define VECTOR_NMI 2
#define VECTOR_BP 3
#define VECTOR_OF 4
#define VECTOR_UD 6
#define VECTOR_DF 8
#define VECTOR_GP 13
#define VECTOR_PF 14
#define VECTOR_MC 18

#define GP_GATE 2u /* error code: index of an IDT entry, not an external event */
#define PF_PRESENT (1u << 0)
#define PF_RESERVED (1u << 3)

#define SYNC (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

int vcpu_create(struct vm *vm, struct vcpu **out)
{
	struct vcpu *v = calloc(1, sizeof(*v));
	int rc;

	if (!v)
		return -ENOMEM;
	v->vm = vm;
	v->id = vm->vcpus;
	v->run = MAP_FAILED;
	v->regs.rflags = RFLAGS_IF | RFLAGS_FIXED;
	v->trap_tsc = true;
	v->fd = kvm_ioctl(vm->fd, KVM_CREATE_VCPU, (void *)(unsigned long)v->id);
	rc = v->fd;
	if (rc >= 0) {
		vm->vcpus++;
		rc = v->fd = kvm_keep_fd(v->fd);
	}
	if (rc >= 0) {
		v->run = mmap(NULL, vm->host.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
		rc = v->run == MAP_FAILED ? -errno : vcpu_setup(v);
	}
	if (rc < 0) {
		vcpu_destroy(v);
		return rc;
	}
	v->run->kvm_valid_regs = SYNC;
	*out = v;
	return 0;
}

void vcpu_destroy(struct vcpu *v)
{
	if (!v)
		return;
	branches_forget(v);
	if (v->run != MAP_FAILED)
		munmap(v->run, v->vm->host.run_size);
	if (v->fd >= 0 && !kvm_keep_fds)
		close(v->fd);
	notsc_end();
	free(v->xsave);
	free(v);
}

struct guest_regs *vcpu_regs(struct vcpu *v)
{
	return &v->regs;
}

void vcpu_kick(struct vcpu *v)
{
	__atomic_store_n(&v->kicked, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
}

int vcpu_first_entry(struct vcpu *v)
{
	int rc;

	__atomic_store_n(&v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	rc = kvm_ioctl(v->fd, KVM_RUN, NULL);
	__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	return rc == -EINTR ? 0 : rc;
}

static bool take_kick(struct vcpu *v)
{
	/* In this order: a kick that comes between the two is kept by the flag for the next run. */
	bool was = __atomic_exchange_n(&v->kicked, 0, __ATOMIC_SEQ_CST);

	__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	return was;
}

int vcpu_trap_tsc(struct vcpu *v, bool on)
{
	v->trap_tsc = on;
	v->user.cr4 = on ? v->user.cr4 | CR4_TSD : v->user.cr4 & ~CR4_TSD;
	v->reload = true;
	return 0;
}

static uint64_t user_flags(uint64_t rflags)
{
	/* RF would only suppress instruction breakpoints, and `syscall` shows it in r11 on some CPUs. */
	return (rflags & RFLAGS_USER & ~RFLAGS_RF) | RFLAGS_IF | RFLAGS_FIXED;
}

static void get_gprs(struct vcpu *v)
{
	const struct kvm_regs *k = &v->run->s.regs.regs;
	struct guest_regs *r = &v->regs;

	r->rax = k->rax; r->rbx = k->rbx; r->rcx = k->rcx; r->rdx = k->rdx;
	r->rsi = k->rsi; r->rdi = k->rdi; r->rbp = k->rbp; r->rsp = k->rsp;
	r->r8 = k->r8; r->r9 = k->r9; r->r10 = k->r10; r->r11 = k->r11;
	r->r12 = k->r12; r->r13 = k->r13; r->r14 = k->r14; r->r15 = k->r15;
	r->rip = k->rip;
	r->rflags = k->rflags & ~RFLAGS_RF;
	r->fs_base = v->run->s.regs.sregs.fs.base;
	r->gs_base = v->run->s.regs.sregs.gs.base;
}

static void put_gprs(struct vcpu *v)
{
	const struct guest_regs *r = &v->regs;

	v->run->s.regs.regs = (struct kvm_regs){
		.rax = r->rax, .rbx = r->rbx, .rcx = r->rcx, .rdx = r->rdx,
		.rsi = r->rsi, .rdi = r->rdi, .rbp = r->rbp, .rsp = r->rsp,
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11,
		.r12 = r->r12, .r13 = r->r13, .r14 = r->r14, .r15 = r->r15,
		.rip = r->rip, .rflags = user_flags(r->rflags),
	};
}

static bool sysret_does(const struct vcpu *v)
{
	const struct guest_regs *r = &v->regs;
	const struct kvm_sregs *s = &v->run->s.regs.sregs;

	/*
	 * `sysretq` to an address that is not canonical faults at CPL 0 on Intel; one that sets TF traps at once,
	 * without having executed a user instruction.
	 */
	return v->at_sysret && !v->reload && r->rip == r->rcx && r->rip < 1ULL << 47 && !(r->r11 & RFLAGS_TF) &&
	       r->r11 == user_flags(r->rflags) && r->fs_base == s->fs.base && r->gs_base == s->gs.base;
}

static void load_state(struct vcpu *v)
{
	struct kvm_sync_regs *s = &v->run->s.regs;
	uint64_t cr2 = s->sregs.cr2;

	put_gprs(v);
	v->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
	if (sysret_does(v)) {
		s->regs.rip = STUB_SYSRET;
		s->regs.rflags = RFLAGS_FIXED;
		return;
	}
	s->sregs = v->user;
	s->sregs.cr2 = cr2;
	s->sregs.fs.base = v->regs.fs_base;
	s->sregs.gs.base = v->regs.gs_base;
	v->run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
	v->reload = false;
}

static int run_once(struct vcpu *v)
{
	int rc;

	/* On a software host CR4.TSD alone does not stop rdtsc: the host thread's CR4 is in force. */
	notsc_enter(v->trap_tsc && !v->vm->syscall_cpl0);
	rc = kvm_ioctl(v->fd, KVM_RUN, NULL);
	notsc_leave();
	return rc;
}

static bool canonical(uint64_t addr)
{
	return (uint64_t)((int64_t)(addr << 16) >> 16) == addr;
}

static int dead(struct vcpu *v, struct vcpu_exit *exit, const char *what, uint64_t detail)
{
	exit->stop = VCPU_DEAD;
	snprintf(exit->why, sizeof(exit->why), "%s %#llx at %#llx (cs %#x)", what, (unsigned long long)detail,
		 (unsigned long long)v->run->s.regs.regs.rip, v->run->s.regs.sregs.cs.selector);
	return 0;
}

static int exception(struct vcpu_exit *exit, unsigned vector, uint32_t error)
{
	exit->stop = VCPU_EXCEPTION;
	exit->vector = (uint8_t)vector;
	exit->error = error;
	return 0;
}

/* `syscall` has put the return address in rcx and the flags in r11. */
static int syscall_stop(struct vcpu *v, struct vcpu_exit *exit)
{
	v->regs.rip = v->regs.rcx;
	v->regs.rflags = v->regs.r11;
	v->calls_seen = true;
	exit->stop = VCPU_SYSCALL;
	return 0;
}

/* Stopped in guestlib's code for switchless calls: before a system call, or behind one that has been made. */
static int switchless_stop(struct vcpu *v, struct vcpu_exit *exit)
{
	exit->stop = switchless_resolve(&v->vm->switchless, &v->regs) ? VCPU_SERVED : VCPU_SYSCALL;
	return 0;
}

/*
 * User code stopped at v->regs.rip. True: in the stub of a jump patch behind its system call, which is the stop then. Else rip is
 * the program's own.
 */
static bool jump_called(struct vcpu *v, struct vcpu_exit *exit)
{
	if (jump_stop(v->vm, &v->regs) != JUMP_CALLED)
		return false;
	syscall_stop(v, exit);
	return true;
}

static bool code_at(uint64_t addr, uint8_t *code, size_t n)
{
	struct iovec local = { code, n }, remote = { (void *)(uintptr_t)addr, n };

	return guest_range_ok(addr, n) && process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == (ssize_t)n;
}

static bool int_n_at(uint64_t addr, unsigned n)
{
	uint8_t code[2];

	return code_at(addr, code, 2) && code[0] == 0xcd && code[1] == n;
}

/*
 * #GP for the gate of `int n` belongs to that instruction, but the address behind it may be what is pushed (seen with
 * kvm_amd in an emulated machine).
 */
static int gate_refused(struct vcpu *v, struct vcpu_exit *exit, uint32_t error)
{
	unsigned n = error >> 3;

	if (!int_n_at(v->regs.rip, n) && int_n_at(v->regs.rip - 2, n))
		v->regs.rip -= 2;
	return exception(exit, VECTOR_GP, error);
}

/*
 * A software host refuses `int n` as an undefined instruction. Say what the IDT says everywhere else: #BP and #OF
 * are open to user code, all others are #GP with the vector's selector error code.
 */
static int software_undefined(struct vcpu *v, struct vcpu_exit *exit)
{
	uint8_t code[2];

	if (!code_at(v->regs.rip, code, 2) || code[0] != 0xcd)
		return exception(exit, VECTOR_UD, 0);
	if (code[1] != VECTOR_BP && code[1] != VECTOR_OF)
		return exception(exit, VECTOR_GP, code[1] * 8u + 2);
	v->regs.rip += 2;
	v->regs.rflags &= ~RFLAGS_RF;
	return exception(exit, code[1], 0);
}

/* It also reports `int1` on the instruction instead of behind it. Without TF nothing else raises #DB. */
static int software_debug(struct vcpu *v, struct vcpu_exit *exit)
{
	uint8_t code;

	if (!(v->regs.rflags & RFLAGS_TF) && code_at(v->regs.rip, &code, 1) && code == 0xf1)
		v->regs.rip++;
	return exception(exit, VECTOR_DB, 0);
}

/* Traps are reported behind their instruction; all others push RF set (SDM vol. 3, 18.3.1.1). */
static bool is_trap(unsigned vector)
{
	return vector == VECTOR_DB || vector == VECTOR_NMI || vector == VECTOR_BP || vector == VECTOR_OF ||
	       vector == VECTOR_DF || vector == VECTOR_MC || vector == ABI_PMI_VECTOR;
}

/*
 * The guest has no entries for the upper half, so nothing there is present; a software host that keeps itself there
 * reports its own entries (present, reserved bit).
 */
static uint32_t page_fault_error(uint64_t cr2, uint32_t error)
{
	return cr2 >> 47 ? error & ~(PF_PRESENT | PF_RESERVED) : error;
}

static int exception_stop(struct vcpu *v, struct vcpu_exit *exit, unsigned vector)
{
	uint64_t rsp = v->run->s.regs.regs.rsp, words = (uint64_t)ABI_ERROR_CODE_VECTORS >> vector & 1 ? 6 : 5, f[6];
	const uint64_t *frame = f + words - 5;

	if (rsp < v->page_addr || rsp > v->page_addr + PAGE_SIZE_4K - words * 8 || rsp & 7)
		return dead(v, exit, "an exception frame outside its stack, vector", vector);
	memcpy(f, v->page + (rsp - v->page_addr), words * 8);
	v->regs.rip = frame[0];
	v->regs.rflags = is_trap(vector) ? frame[2] & ~RFLAGS_RF : frame[2] | RFLAGS_RF;
	v->regs.rsp = frame[3];
	if ((frame[1] & 3) != 3) {
		/* A single step or breakpoint held back by `mov ss` over `syscall`. */
		if (vector == VECTOR_DB && frame[0] == STUB_SYSCALL)
			return syscall_stop(v, exit);
		return dead(v, exit, "an exception in a stub, vector", vector);
	}
	if (switchless_inside(&v->vm->switchless, frame[0]))
		return switchless_stop(v, exit);
	if (jump_called(v, exit))
		return 0;
	if (vector == ABI_PMI_VECTOR) {
		exit->stop = VCPU_BRANCHES;
		return 0;
	}
	exit->cr2 = vector == VECTOR_PF ? v->run->s.regs.sregs.cr2 : 0;
	if (vector == VECTOR_PF && frame[0] == STUB_SYSCALL && exit->cr2 == STUB_SYSCALL && !v->vm->syscall_cpl0) {
		exit->cr2 = 0;
		return syscall_stop(v, exit);
	}
	if (vector == VECTOR_UD && !v->vm->syscall_cpl0)
		return software_undefined(v, exit);
	if (vector == VECTOR_DB && !v->vm->syscall_cpl0)
		return software_debug(v, exit);
	if (vector == VECTOR_GP && (f[0] & 7) == GP_GATE)
		return gate_refused(v, exit, (uint32_t)f[0]);
	if (vector == VECTOR_PF)
		return exception(exit, vector, page_fault_error(exit->cr2, (uint32_t)f[0]));
	return exception(exit, vector, words == 6 ? (uint32_t)f[0] : 0);
}

/*
 * The trap flag was set when the jump of a patch was executed. That is no instruction of the program's: its step is over
 * behind the one that was displaced. True: v->regs is where to go on.
 */
static bool stepped_into_stub(struct vcpu *v)
{
	uint64_t rsp = v->run->s.regs.regs.rsp, frame[5];
	struct guest_regs r;

	if (v->run->exit_reason != KVM_EXIT_IO || v->run->io.port != ABI_PORT_VECTOR + VECTOR_DB ||
	    v->run->s.regs.sregs.cs.dpl == 3 || rsp < v->page_addr || rsp > v->page_addr + PAGE_SIZE_4K - sizeof(frame))
		return false;
	memcpy(frame, v->page + (rsp - v->page_addr), sizeof(frame));
	r.rip = frame[0];
	if ((frame[1] & 3) != 3 || !(frame[2] & RFLAGS_TF) || jump_stop(v->vm, &r) != JUMP_BEFORE)
		return false;
	v->regs.rip = frame[0];
	v->regs.rflags = frame[2];
	v->regs.rsp = frame[3];
	return true;
}

static int io_stop(struct vcpu *v, struct vcpu_exit *exit)
{
	unsigned port = v->run->io.port;

	if (v->run->io.direction != KVM_EXIT_IO_OUT || v->run->s.regs.sregs.cs.dpl == 3)
		return dead(v, exit, "port access by user code, port", port);
	if (port == ABI_PORT_SYSCALL) {
		v->vm->syscall_cpl0 = true;
		v->at_sysret = true;
		return syscall_stop(v, exit);
	}
	if (port >= ABI_PORT_VECTOR && port < ABI_PORT_VECTOR + ABI_VECTORS)
		return exception_stop(v, exit, port - ABI_PORT_VECTOR);
	return dead(v, exit, "an unknown port", port);
}

/*
 * KVM_RUN was interrupted. True when the guest stands between two user instructions; false when it is on its way through
 * a stub or into one, which has to be finished first.
 */
static bool between_instructions(struct vcpu *v)
{
	const struct kvm_sync_regs *s = &v->run->s.regs;

	if (s->events.exception.injected || s->events.exception.pending)
		return false;
	if (s->sregs.cs.dpl != 3) {
		if (s->regs.rip != STUB_SYSRET)
			return false;
		v->regs.rip = v->regs.rcx;
		v->regs.rflags = v->regs.r11;
		v->at_sysret = true;
		return true;
	}
	return s->regs.rip < STUB_PAGE || s->regs.rip >= STUB_PAGE + PAGE_SIZE_4K;
}

static int other_exit(struct vcpu *v, struct vcpu_exit *exit)
{
	const struct kvm_run *run = v->run;

	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		return dead(v, exit, "triple fault", 0);
	case KVM_EXIT_FAIL_ENTRY:
		return dead(v, exit, "the CPU refused to enter the guest, reason",
			    run->fail_entry.hardware_entry_failure_reason);
	case KVM_EXIT_INTERNAL_ERROR:
		return dead(v, exit, "KVM gave up, internal error", run->internal.suberror);
	case KVM_EXIT_MMIO:
		return dead(v, exit, "access to guest-physical memory without a slot", run->mmio.phys_addr);
	}
	return dead(v, exit, "an exit of unexpected kind", run->exit_reason);
}

/* What no instruction can bring about, only a change of the registers from outside: the CPU would refuse to enter. */
static bool impossible(const struct guest_regs *r)
{
	return !canonical(r->rip) || !canonical(r->fs_base) || !canonical(r->gs_base);
}

int vcpu_enter(struct vcpu *v, struct vcpu_exit *exit)
{
	int rc;

	memset(exit, 0, sizeof(*exit));
	exit->stop = VCPU_KICK;
	if (__atomic_load_n(&v->kicked, __ATOMIC_SEQ_CST) && take_kick(v))
		return 0;
	if (impossible(&v->regs))
		return exception(exit, VECTOR_GP, 0);
	load_state(v);
	for (;;) {
		switchless_enter(&v->vm->switchless);
		rc = run_once(v);
		switchless_leave(&v->vm->switchless);
		v->at_sysret = false;
		get_gprs(v);
		if (rc >= 0 && stepped_into_stub(v)) {
			load_state(v);
			continue;
		}
		if (rc >= 0)
			return v->run->exit_reason == KVM_EXIT_IO ? io_stop(v, exit) : other_exit(v, exit);
		if (rc == -EFAULT) {
			exit->stop = VCPU_EFAULT;
			jump_called(v, exit);
			return 0;
		}
		if (rc != -EINTR && rc != -EAGAIN)
			return rc;
		if (rc == -EINTR && between_instructions(v))
			break;
		__atomic_store_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	}
	take_kick(v);
	exit->stop = VCPU_KICK;
	if (jump_called(v, exit))
		return 0;
	return switchless_inside(&v->vm->switchless, v->regs.rip) ? switchless_stop(v, exit) : 0;
}

int vcpu_run(struct vcpu *v, struct vcpu_exit *exit)
{
	return v->clock.on ? branches_run(v, exit) : vcpu_enter(v, exit);
}
