/* From a CPU exception to the signal Linux makes of it. Contract: signal.h; sources: traps.c, fault.c of arch/x86. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/exception.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/signal.h"
#include "syscall-emu/text_patch.h"
#include "vmm/cleanup.h"
#include "vmm/layout.h"

enum vector { V_DE = 0, V_DB = 1, V_BP = 3, V_OF = 4, V_BR = 5, V_UD = 6, V_TS = 10, V_NP = 11, V_SS = 12, V_GP = 13,
	      V_PF = 14, V_MF = 16, V_AC = 17, V_XM = 19 };

#define LINUX_TASK_SIZE 0x7ffffffff000ULL
#define RFLAGS_TF 0x100ULL
#define RFLAGS_RF 0x10000ULL
#define EFAULT_RETRIES 3

/* Tells the session, then delivers. 0, or the session's refusal. The stop says what the log and Linux's frame say. */
static int raise_fault(struct task *t, uint8_t vector, uint32_t error, siginfo_t *si)
{
	struct session *s = t->proc->sess;
	int rc;

	t->stop.vector = vector;
	t->stop.error = error;
	rc = s->ops->fault(s, t, si);
	if (rc)
		return rc;
	t->fault.trapno = vector;
	t->fault.error = error;
	signal_deliver(t, si, true);
	return 0;
}

static int raise_at(struct task *t, uint8_t vector, uint32_t error, int sig, int code, uint64_t addr)
{
	siginfo_t si;

	memset(&si, 0, sizeof(si));
	si.si_signo = sig;
	si.si_code = code;
	si.si_addr = (void *)(uintptr_t)addr;
	return raise_fault(t, vector, error, &si);
}

/* ---- page faults ---- */

static int raise_access(struct task *t, uint64_t addr, uint32_t error, int sig, int code)
{
	t->fault.cr2 = addr;
	return raise_at(t, V_PF, error, sig, code, addr);
}

/* The error code as a program sees it under Linux: it must not tell where the kernel, or the VMM, has memory. */
static uint32_t shown_error(uint64_t addr, uint32_t error)
{
	if (addr >= LINUX_TASK_SIZE)
		error |= PF_PRESENT;
	else if (addr >= GUEST_TOP)
		error &= ~PF_PRESENT;
	return error | PF_USER;
}

static int page_fault(struct task *t)
{
	uint64_t addr = t->stop.cr2;
	uint32_t error = t->stop.error;
	int sig = SIGSEGV, code = SEGV_MAPERR, rc;

	if (is_vsyscall(addr, error)) {
		rc = vsyscall_emulate(t);
		/* Linux forces the signal without an address and leaves the thread's exception record alone. */
		return rc ? rc : raise_at(t, (uint8_t)t->fault.trapno, (uint32_t)t->fault.error, SIGSEGV,
					  SI_KERNEL, 0);
	}
	rc = mm_fault(t->proc->mm, addr, error, &sig, &code);
	if (rc)
		return rc;
	return raise_access(t, addr, shown_error(addr, error), sig, code);
}

/* KVM could not provide a page: SIGBUS at the address that the instruction at rip names. */
static int host_refused(struct task *t)
{
	static __thread uint64_t last_rip;
	static __thread unsigned tries;
	uint64_t addr = 0;
	uint32_t error = PF_USER;

	if (!efault_find(t, &addr, &error)) {
		/* Another process may have given the file its pages back meanwhile. */
		tries = last_rip == t->regs->rip ? tries + 1 : 1;
		last_rip = t->regs->rip;
		if (tries <= EFAULT_RETRIES)
			return 1;
	}
	tries = 0;
	return raise_access(t, addr, error, SIGBUS, BUS_ADRERR);
}

/* ---- arithmetic ---- */

/* si_code from unmasked exception bits, the same six in the x87 status word and in MXCSR; 0: none is set. */
static int fpe_code(uint32_t raised)
{
	if (raised & 0x01)
		return FPE_FLTINV;
	if (raised & 0x04)
		return FPE_FLTDIV;
	if (raised & 0x08)
		return FPE_FLTOVF;
	if (raised & 0x12) /* denormal operand, underflow */
		return FPE_FLTUND;
	if (raised & 0x20)
		return FPE_FLTRES;
	return 0;
}

static int math_error(struct task *t, uint8_t vector)
{
	size_t size = vm_cpu(t->proc->vm)->xsave_size;
	cleanup_free unsigned char *x = calloc(1, size);
	uint16_t fcw, fsw;
	uint32_t mxcsr;
	int rc, code;

	if (!x)
		return -ENOMEM;
	rc = vcpu_get_xsave(t->vcpu, x, size);
	if (rc < 0)
		return rc;
	memcpy(&fcw, x, sizeof(fcw));
	memcpy(&fsw, x + 2, sizeof(fsw));
	memcpy(&mxcsr, x + 24, sizeof(mxcsr));
	code = fpe_code(vector == V_MF ? (uint32_t)(fsw & ~fcw) : ~(mxcsr >> 7) & mxcsr);
	/* Linux takes this for a spurious exception and goes on. */
	if (!code)
		return 1;
	return raise_at(t, vector, 0, SIGFPE, code, t->regs->rip);
}

/* ---- traps and trapped instructions ---- */

static int debug_trap(struct task *t)
{
	uint8_t before;
	bool icebp = !(t->regs->rflags & RFLAGS_TF) && guest_read(&before, t->regs->rip - 1, 1) == 0 && before == 0xf1;

	return raise_at(t, V_DB, 0, SIGTRAP, icebp ? TRAP_BRKPT : TRAP_TRACE, t->regs->rip);
}

size_t exception_code(const struct task *t, uint8_t code[INSN_MAX])
{
	uint64_t rip = t->regs->rip;
	size_t to_page_end = PAGE_SIZE_4K - rip % PAGE_SIZE_4K, n = INSN_MAX;

	if (guest_read(code, rip, n) < 0)
		n = to_page_end < INSN_MAX && guest_read(code, rip, to_page_end) == 0 ? to_page_end : 0;
	text_patch_hide(t->proc->mm, rip, code, n);
	return n;
}

/* An instruction was executed for the program, which may be stepping. */
static int carried_out(struct task *t)
{
	return t->regs->rflags & RFLAGS_TF ? raise_at(t, V_DB, 0, SIGTRAP, TRAP_TRACE, t->regs->rip) : 1;
}

static int emulate_tsc(struct task *t, size_t len, bool rdtscp)
{
	struct session *s = t->proc->sess;
	struct guest_regs *r = t->regs;
	uint64_t tsc = 0;
	uint32_t aux = 0;
	int rc = s->ops->tsc(s, t, rdtscp, &tsc, &aux);

	if (rc < 0)
		return rc;
	r->rax = (uint32_t)tsc;
	r->rdx = tsc >> 32;
	if (rdtscp)
		r->rcx = aux;
	r->rip += len;
	r->rflags &= ~RFLAGS_RF;
	return carried_out(t);
}

static int general_protection(struct task *t)
{
	uint8_t code[INSN_MAX];
	bool rdtscp;
	size_t len;

	if (!t->stop.error && !t->fault.tsc_faults) {
		len = tsc_insn(code, exception_code(t, code), &rdtscp);
		if (len)
			return emulate_tsc(t, len, rdtscp);
	}
	return raise_at(t, V_GP, t->stop.error, SIGSEGV, SI_KERNEL, 0);
}

int signal_exception(struct task *t)
{
	uint8_t v = t->stop.vector;
	uint64_t rip = t->regs->rip;

	if (t->stop.stop == VCPU_EFAULT)
		return host_refused(t);
	switch (v) {
	case V_DE:
		return raise_at(t, v, 0, SIGFPE, FPE_INTDIV, rip);
	case V_DB:
		return debug_trap(t);
	case V_BP:
		return raise_at(t, v, 0, SIGTRAP, SI_KERNEL, 0);
	case V_UD:
		return text_patch_undefined(t) ? carried_out(t) : raise_at(t, v, 0, SIGILL, ILL_ILLOPN, rip);
	case V_NP:
	case V_SS:
		return raise_at(t, v, t->stop.error, SIGBUS, SI_KERNEL, 0);
	case V_GP:
		return general_protection(t);
	case V_PF:
		return page_fault(t);
	case V_MF:
	case V_XM:
		return math_error(t, v);
	case V_AC:
		return raise_at(t, v, 0, SIGBUS, BUS_ADRALN, 0);
	case V_OF:
	case V_BR:
		return raise_at(t, v, 0, SIGSEGV, SI_KERNEL, 0);
	default: /* V_TS, and what user code cannot cause */
		return raise_at(t, v, t->stop.error, SIGSEGV, SI_KERNEL, 0);
	}
}
