/*
 * A guest with signals but without a VM: the vCPU, the address space and the session are doubles. Included by one source file
 * of a test program, as it defines them.
 */
#ifndef TESTS_SIGNAL_DOUBLE_H
#define TESTS_SIGNAL_DOUBLE_H

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "syscall-emu/exception.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/signal_host.h"

#define BASE 0x20000000ULL
#define SIZE 0x40000ULL
#define STACK (BASE + SIZE / 2) /* rsp of the guest */
#define ALT (BASE + 0x30000ULL)
#define ALT_SIZE 0x8000ULL
#define XSAVE_SIZE 832u
#define HANDLER 0x400000ULL
#define RESTORER 0x401000ULL

/* ---- doubles ---- */

static struct cpu_table cpu = { .xcr0 = 7, .xsave_size = XSAVE_SIZE };
static unsigned char xsave[XSAVE_SIZE];
static int kicks, masks_set, actions_set;

const struct cpu_table *vm_cpu(const struct vm *vm)
{
	(void)vm;
	return &cpu;
}

int vcpu_get_xsave(struct vcpu *v, void *buf, size_t size)
{
	(void)v;
	memcpy(buf, xsave, size);
	return 0;
}

int vcpu_set_xsave(struct vcpu *v, const void *buf, size_t size)
{
	uint32_t mxcsr;

	(void)v;
	memcpy(&mxcsr, (const char *)buf + 24, sizeof(mxcsr));
	if (mxcsr >> 16)
		return -EINVAL;
	memcpy(xsave, buf, size);
	return 0;
}

void vcpu_kick(struct vcpu *v)
{
	(void)v;
	kicks++;
}

int mm_range_ok(const struct mm *mm, uint64_t addr, uint64_t len)
{
	(void)mm, (void)addr, (void)len;
	return 1;
}

/* For rseq(2), which is not called here. */
void plan_set_annex(struct plan *p, const void *bytes, uint32_t len)
{
	(void)p, (void)bytes, (void)len;
	ck_abort_msg("not called");
}

static bool on_host; /* the session hands on to signal_host.c */

static inline int set_mask(struct session *s, struct task *t)
{
	(void)s;
	masks_set++;
	return on_host ? signal_host_mask(t) : 0;
}

static inline int set_action(struct session *s, struct task *t, int sig)
{
	(void)s;
	actions_set++;
	return on_host ? signal_host_action(t, sig) : 0;
}

static const struct session_ops ops = { .name = "test", .set_mask = set_mask, .set_action = set_action };
static struct session session = { .ops = &ops };
static struct process proc = { .sess = &session };
static struct guest_regs regs;
static struct task task = { .proc = &proc, .regs = &regs };

/* ---- the guest ---- */

static inline void start(void)
{
	void *m = mmap((void *)BASE, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	ck_assert_ptr_eq(m, (void *)BASE);
	ck_assert_int_eq(signal_host_guard(), 0);
	for (unsigned i = 0; i < 16; i++)
		regs.r[i] = 0x1111111111111111ULL * i;
	regs.rsp = STACK;
	regs.rip = 0x400123;
	regs.rflags = 0x10746; /* RF IF DF TF and arithmetic */
	memset(xsave, 0, sizeof(xsave));
	xsave[24] = 0x80, xsave[25] = 0x3f; /* MXCSR 0x3f80 */
	xsave[0] = 0x7f, xsave[1] = 0x02;   /* FCW 0x27f */
	xsave[160] = 0xaa;
	xsave[512] = 3;
	memset(xsave + 576, 0x77, 256);
	task.stop.stop = VCPU_SYSCALL;
}

static inline void handle(int sig, uint64_t flags, uint64_t mask)
{
	proc.action[sig] = (struct ksigaction){ HANDLER, flags | KSA_RESTORER, RESTORER, mask };
}

static inline void deliver(int sig, bool forced)
{
	const siginfo_t si = { .si_signo = sig, .si_code = SI_USER, .si_value.sival_int = 4711 };

	signal_deliver(&task, &si, forced);
}

static inline ucontext_t *context(void)
{
	return (ucontext_t *)(uintptr_t)regs.rdx;
}

/* What the handler's `ret` does, and the system call behind the restorer. */
static inline int64_t handler_returns(void)
{
	regs.rsp += 8;
	return do_rt_sigreturn(&task, &task.plan);
}

static inline int64_t call(sys_handler *fn, uint64_t a, const void *b, const void *c, uint64_t d)
{
	struct plan p = { .arg = { a, (uint64_t)(uintptr_t)b, (uint64_t)(uintptr_t)c, d } };

	return fn(&task, &p);
}

static inline void *scratch(const void *bytes, size_t len)
{
	return memcpy((void *)(BASE + 64), bytes, len);
}

#endif
