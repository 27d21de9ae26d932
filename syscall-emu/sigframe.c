/*
 * The x86-64 rt_sigframe: what a handler finds on its stack and rt_sigreturn takes back. Contract: signal.h.
 *
 * The frame is built here in one piece and written with one copy per part; a guest that shares or changes the memory
 * meanwhile only spoils its own frame.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/signal.h"
#include "vmm/cleanup.h"

#define RED_ZONE 128
#define USER_CS 0x33
#define USER_SS 0x2b

/* EFLAGS a frame may change: AC OF DF TF SF ZF AF PF CF RF (FIX_EFLAGS of Linux). */
#define RFLAGS_FROM_FRAME 0x50dd5ULL
#define RFLAGS_FIXED 0x202ULL /* bit 1 and IF are always set in user mode */
#define RFLAGS_TF 0x100ULL
#define RFLAGS_DF 0x400ULL
#define RFLAGS_RF 0x10000ULL

#define UC_FLAGS 7 /* UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */

struct frame_context { /* struct sigcontext_64 */
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8];
};

struct frame {
	uint64_t retaddr;
	uint64_t uc_flags, uc_link;
	struct { uint64_t sp; uint32_t flags, pad; uint64_t size; } stack;
	struct frame_context mc;
	uint64_t sigmask;
	unsigned char info[128];
};

_Static_assert(sizeof(struct frame) == 440, "struct rt_sigframe");
_Static_assert(offsetof(struct frame, mc) == 48, "ucontext.uc_mcontext");
_Static_assert(offsetof(struct frame, sigmask) == 304, "ucontext.uc_sigmask");
_Static_assert(sizeof(siginfo_t) == 128, "siginfo_t");

/* ---- the extended state ---- */

#define FP_MAGIC1 0x46505853u
#define FP_MAGIC2 0x46505845u
#define FX_SIZE 512        /* the legacy area, FXSAVE's image */
#define XSAVE_MIN 576      /* with the XSAVE header */
#define FX_FCW 0
#define FX_MXCSR 24
#define FX_XMM 160
#define FX_XMM_SIZE 256
#define FX_ST 32
#define FX_ST_SIZE 128
#define FX_SW_RESERVED 464
#define XSAVE_BV 512
#define XSTATE_FPSSE 3ULL

struct fpx_sw_bytes { /* in the 48 bytes of the legacy area that the CPU leaves to software */
	uint32_t magic1, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size, pad[7];
};

static uint64_t get64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void put64(unsigned char *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

/* The state after a reset: what a handler starts with. */
static void xsave_init(unsigned char *x, size_t size)
{
	memset(x, 0, size);
	memcpy(x + FX_FCW, &(uint16_t){ 0x37f }, sizeof(uint16_t));
	memcpy(x + FX_MXCSR, &(uint32_t){ 0x1f80 }, sizeof(uint32_t));
}

/* Where XSTATE_BV says "initial" the bytes may be anything; whoever looks into the frame reads them all the same. */
static void xsave_show_init(unsigned char *x, uint64_t bv)
{
	if (!(bv & 1)) {
		memset(x, 0, FX_MXCSR);
		memset(x + FX_ST, 0, FX_ST_SIZE);
		memcpy(x + FX_FCW, &(uint16_t){ 0x37f }, sizeof(uint16_t));
	}
	if (!(bv & 2))
		memset(x + FX_XMM, 0, FX_XMM_SIZE);
}

static int push_fpstate(struct task *t, uint64_t addr, size_t size)
{
	const struct fpx_sw_bytes sw = {
		.magic1 = FP_MAGIC1,
		.extended_size = (uint32_t)size + sizeof(uint32_t),
		.xfeatures = vm_cpu(t->proc->vm)->xcr0,
		.xstate_size = (uint32_t)size,
	};
	cleanup_free unsigned char *x = calloc(1, size + sizeof(uint32_t));
	int rc;

	if (!x)
		return -ENOMEM;
	rc = vcpu_get_xsave(t->vcpu, x, size);
	if (rc < 0)
		return rc;
	xsave_show_init(x, get64(x + XSAVE_BV));
	put64(x + XSAVE_BV, get64(x + XSAVE_BV) | XSTATE_FPSSE);
	memcpy(x + FX_SW_RESERVED, &sw, sizeof(sw));
	memcpy(x + size, &(uint32_t){ FP_MAGIC2 }, sizeof(uint32_t));
	rc = guest_write(addr, x, size + sizeof(uint32_t));
	if (rc < 0)
		return rc;
	xsave_init(x, size);
	return vcpu_set_xsave(t->vcpu, x, size);
}

/* Does the frame hold an XSAVE image, or (older programs write such) only the legacy part? */
static bool has_xsave(const struct fpx_sw_bytes *sw, uint64_t addr, size_t size)
{
	uint32_t magic2;

	return sw->magic1 == FP_MAGIC1 && sw->xstate_size >= XSAVE_MIN && sw->xstate_size <= size &&
	       sw->xstate_size <= sw->extended_size &&
	       guest_read(&magic2, addr + sw->xstate_size, sizeof(magic2)) == 0 && magic2 == FP_MAGIC2;
}

static int restore_fpstate(struct task *t, uint64_t addr)
{
	size_t size = vm_cpu(t->proc->vm)->xsave_size;
	cleanup_free unsigned char *x = malloc(size);
	struct fpx_sw_bytes sw;

	if (!x)
		return -ENOMEM;
	xsave_init(x, size);
	if (!addr)
		return vcpu_set_xsave(t->vcpu, x, size);
	if (addr % 64 || guest_read(&sw, addr + FX_SW_RESERVED, sizeof(sw)) < 0)
		return -EFAULT;
	if (has_xsave(&sw, addr, size)) {
		if (guest_read(x, addr, sw.xstate_size) < 0)
			return -EFAULT;
		if (get64(x + XSAVE_BV) & ~vm_cpu(t->proc->vm)->xcr0)
			return -EINVAL;
		put64(x + XSAVE_BV, get64(x + XSAVE_BV) & sw.xfeatures);
	} else {
		if (guest_read(x, addr, FX_SIZE) < 0)
			return -EFAULT;
		put64(x + XSAVE_BV, XSTATE_FPSSE);
	}
	memset(x + FX_SW_RESERVED, 0, FX_SIZE - FX_SW_RESERVED);
	return vcpu_set_xsave(t->vcpu, x, size);
}

/* ---- push ---- */

static void fill_context(struct frame_context *mc, const struct task *t)
{
	const struct guest_regs *r = t->regs;

	*mc = (struct frame_context){
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11,
		.r12 = r->r12, .r13 = r->r13, .r14 = r->r14, .r15 = r->r15,
		.di = r->rdi, .si = r->rsi, .bp = r->rbp, .bx = r->rbx,
		.dx = r->rdx, .ax = r->rax, .cx = r->rcx, .sp = r->rsp,
		.ip = r->rip, .flags = r->rflags, .cs = USER_CS, .ss = USER_SS,
		.err = t->fault.error, .trapno = t->fault.trapno, .cr2 = t->fault.cr2,
		.oldmask = t->mask,
	};
}

/* Addresses of the two parts; -EFAULT when the frame would leave the altstack it is on. */
static int place_frame(const struct task *t, const struct ksigaction *sa, size_t fpsize, uint64_t *frame,
		       uint64_t *fp)
{
	uint64_t sp = t->regs->rsp;
	bool disarms = t->altstack_flags & ALTSTACK_AUTODISARM;
	bool on_alt = !disarms && signal_on_altstack(t, sp);

	sp -= RED_ZONE;
	if (sa->flags & SA_ONSTACK && t->altstack_size && (disarms || !signal_on_altstack(t, sp))) {
		sp = t->altstack_sp + t->altstack_size;
		on_alt = true;
	}
	sp = (sp - fpsize) & ~63ULL;
	*fp = sp;
	/* As after a call: 8 bytes off a 16-byte boundary. */
	sp = ((sp - sizeof(struct frame)) & ~15ULL) - 8;
	*frame = sp;
	return on_alt && !signal_on_altstack(t, sp) ? -EFAULT : 0;
}

int sigframe_push(struct task *t, const siginfo_t *si, const struct ksigaction *sa)
{
	size_t size = vm_cpu(t->proc->vm)->xsave_size;
	struct guest_regs *r = t->regs;
	uint64_t addr;
	struct frame f = {
		.retaddr = sa->restorer,
		.uc_flags = UC_FLAGS,
		.stack = { .sp = t->altstack_sp, .flags = t->altstack_flags, .size = t->altstack_size },
		.sigmask = t->mask,
	};
	/* Without SA_SIGINFO Linux leaves the siginfo part of the stack as it was. */
	size_t len = sa->flags & SA_SIGINFO ? sizeof(f) : offsetof(struct frame, info);

	/* x86-64 has no return trampoline of the kernel's own. */
	if (!(sa->flags & KSA_RESTORER))
		return -EFAULT;
	fill_context(&f.mc, t);
	memcpy(f.info, si, sizeof(f.info));
	if (place_frame(t, sa, size + sizeof(uint32_t), &addr, &f.mc.fpstate) < 0)
		return -EFAULT;
	if (guest_write(addr, &f, len) < 0 || push_fpstate(t, f.mc.fpstate, size) < 0)
		return -EFAULT;
	r->rdi = (uint64_t)si->si_signo;
	r->rax = 0;
	r->rsi = addr + offsetof(struct frame, info);
	r->rdx = addr + offsetof(struct frame, uc_flags);
	r->rip = sa->handler;
	r->rsp = addr;
	r->rflags &= ~(RFLAGS_DF | RFLAGS_RF | RFLAGS_TF);
	return 0;
}

/* ---- return ---- */

/* The handler's `ret` has popped retaddr. */
static uint64_t frame_addr(const struct task *t)
{
	return t->regs->rsp - sizeof(uint64_t);
}

int sigframe_mask(const struct task *t, uint64_t *mask)
{
	return guest_read(mask, frame_addr(t) + offsetof(struct frame, sigmask), sizeof(*mask));
}

static void restore_context(struct guest_regs *r, const struct frame_context *mc)
{
	r->r8 = mc->r8, r->r9 = mc->r9, r->r10 = mc->r10, r->r11 = mc->r11;
	r->r12 = mc->r12, r->r13 = mc->r13, r->r14 = mc->r14, r->r15 = mc->r15;
	r->rdi = mc->di, r->rsi = mc->si, r->rbp = mc->bp, r->rbx = mc->bx;
	r->rdx = mc->dx, r->rax = mc->ax, r->rcx = mc->cx, r->rsp = mc->sp;
	r->rip = mc->ip;
	r->rflags = (r->rflags & ~RFLAGS_FROM_FRAME) | (mc->flags & RFLAGS_FROM_FRAME) | RFLAGS_FIXED;
}

int64_t sigframe_return(struct task *t)
{
	struct frame f;

	if (guest_read(&f, frame_addr(t), offsetof(struct frame, info)) < 0) {
		signal_force_segv(t);
		return SYS_REGS_SET;
	}
	restore_context(t->regs, &f.mc);
	if (restore_fpstate(t, f.mc.fpstate) < 0) {
		signal_force_segv(t);
		return SYS_REGS_SET;
	}
	/* A handler that put nonsense there does not fail: Linux ignores all errors but EFAULT. */
	signal_set_altstack(t, t->regs->rsp, f.stack.sp, f.stack.flags, f.stack.size);
	return SYS_REGS_SET;
}
