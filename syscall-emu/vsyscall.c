/*
 * The vsyscall page: three functions at fixed addresses that old static programs still call. Nothing is mapped there;
 * the attempt to execute is the call. Contract: exception.h; source: arch/x86/entry/vsyscall/vsyscall_64.c.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "syscall-emu/exception.h"
#include "syscall-emu/seccomp.h"
#include "syscall-emu/signal.h"

#define VSYSCALL_PAGE 0xffffffffff600000ULL
#define VSYSCALL_STEP 0x400ULL

bool is_vsyscall(uint64_t addr, uint32_t error)
{
	return (addr & ~0xfffULL) == VSYSCALL_PAGE && (error & (PF_INSTR | PF_USER | PF_WRITE)) == (PF_INSTR | PF_USER);
}

/* The call could not be made because a signal has to come first: it is executed again after the handler. */
static int signal_first(struct task *t)
{
	struct session *s = t->proc->sess;
	siginfo_t si;
	int rc = s->ops->signal(s, t, true, &si);

	if (rc < 0)
		return rc;
	if (rc)
		signal_deliver(t, &si, false);
	return 1;
}

/* A call that a filter of the guest refuses returns to its caller as any other; a trap shows that as its place. */
static int refused(struct task *t, const struct sys_desc *refusal, uint64_t caller)
{
	struct session *s = t->proc->sess;
	struct guest_regs *r = t->regs;
	int64_t ret;
	int rc;

	r->rip = caller;
	r->rsp += sizeof(caller);
	rc = s->ops->syscall(s, t, refusal, &ret);
	if (rc < 0)
		return rc;
	if (ret != SYS_REGS_SET)
		r->rax = (uint64_t)ret;
	return 1;
}

int vsyscall_emulate(struct task *t)
{
	static const uint16_t number[] = { SYS_gettimeofday, SYS_time, SYS_getcpu };
	struct session *s = t->proc->sess;
	struct guest_regs *r = t->regs;
	const uint64_t args[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };
	uint64_t at = r->rip - VSYSCALL_PAGE, rax = r->rax, caller;
	const struct sys_desc *desc;
	int64_t ret;
	int rc;

	if (at % VSYSCALL_STEP || at / VSYSCALL_STEP >= 3)
		return 0;
	if (guest_read(&caller, r->rsp, sizeof(caller)) < 0)
		return 0;
	r->rax = number[at / VSYSCALL_STEP];
	desc = seccomp_filtered_row(t, sys_lookup(r->rax, args));
	if (seccomp_is_refusal(desc))
		return refused(t, desc, caller);
	rc = s->ops->syscall(s, t, desc, &ret);
	if (rc < 0)
		return rc;
	if (ret == SYS_ERESTARTSYS) {
		r->rax = rax;
		return signal_first(t);
	}
	if (ret == -EFAULT)
		return 0;
	r->rax = (uint64_t)ret;
	r->rip = caller;
	r->rsp += sizeof(caller);
	return 1;
}
