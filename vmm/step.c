/* Single steps. Contract: step.h. Sources: Intel SDM vol. 3 18.3.1.4 (single-step exceptions), vol. 2 2.1 (prefixes). */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/step.h"
#include "vmm/vcpu_int.h"

#define VECTOR_DB 1
#define CODE_MAX 15
#define DR7_ONE 0x401 /* breakpoint 0, local, on execution; bit 10 is always one */

/* What there is to know about an instruction before it runs alone. */
struct kind {
	bool branch;       /* conditional */
	bool pushes_flags;
	bool loads_flags;  /* popf, iret: TF afterwards is what they loaded */
	bool icebp;        /* raises the debug exception by itself */
	bool repeats;      /* traps after every round */
	uint8_t len;       /* of one that repeats: they have no operand bytes */
};

static bool is_prefix(uint8_t b)
{
	return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b == 0x2e || b == 0x36 || b == 0x3e ||
	       b == 0x26 || b == 0x64 || b == 0x65 || (b & 0xf0) == 0x40;
}

static bool is_string(uint8_t b)
{
	return (b >= 0x6c && b <= 0x6f) || (b >= 0xa4 && b <= 0xa7) || (b >= 0xaa && b <= 0xaf);
}

static struct kind classify(const uint8_t *code, size_t n)
{
	struct kind k = { 0 };
	bool rep = false;
	size_t i = 0;

	while (i < n && is_prefix(code[i])) {
		rep |= code[i] == 0xf2 || code[i] == 0xf3;
		i++;
	}
	if (i == n)
		return k;
	k.branch = (code[i] & 0xf0) == 0x70 || (code[i] & 0xfc) == 0xe0 ||
		   (code[i] == 0x0f && i + 1 < n && (code[i + 1] & 0xf0) == 0x80);
	k.pushes_flags = code[i] == 0x9c;
	k.loads_flags = code[i] == 0x9d || code[i] == 0xcf;
	k.icebp = code[i] == 0xf1;
	k.repeats = rep && is_string(code[i]);
	k.len = (uint8_t)(i + 1);
	return k;
}

/* As much of the instruction as is there: the next page need not be. */
static size_t fetch(uint64_t addr, uint8_t *code)
{
	size_t first = PAGE_SIZE_4K - addr % PAGE_SIZE_4K;
	struct iovec local = { code, CODE_MAX };
	struct iovec remote[2] = {
		{ (void *)(uintptr_t)addr, first < CODE_MAX ? first : CODE_MAX },
		{ (void *)(uintptr_t)(addr + first), first < CODE_MAX ? CODE_MAX - first : 0 },
	};
	ssize_t got;

	if (!guest_range_ok(addr, CODE_MAX))
		return 0;
	got = process_vm_readv(getpid(), &local, 1, remote, 2, 0);
	return got < 0 ? 0 : (size_t)got;
}

/* The flags just pushed show a TF that is not the program's. */
static void hide_tf_at(uint64_t rsp)
{
	uint16_t flags;
	struct iovec local = { &flags, sizeof(flags) }, remote = { (void *)(uintptr_t)rsp, sizeof(flags) };

	if (!guest_range_ok(rsp, sizeof(flags)) || process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != sizeof(flags))
		return;
	flags &= (uint16_t)~RFLAGS_TF;
	process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
}

static bool debug_exit(const struct vcpu *v, const struct vcpu_exit *exit)
{
	return exit->stop == VCPU_DEAD && v->run->exit_reason == KVM_EXIT_DEBUG;
}

/*
 * To the instruction behind, by a debug register: a step for each of a hundred million rounds would take minutes.
 * -EOPNOTSUPP: not here.
 */
static int run_past(struct vcpu *v, struct vcpu_exit *exit, uint64_t next)
{
	struct kvm_guest_debug d = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP, .arch.debugreg = { [0] = next, [7] = DR7_ONE },
	};
	int rc;

	if (kvm_ioctl(v->fd, KVM_SET_GUEST_DEBUG, &d) < 0)
		return -EOPNOTSUPP;
	rc = vcpu_enter(v, exit);
	d = (struct kvm_guest_debug){ 0 };
	kvm_ioctl(v->fd, KVM_SET_GUEST_DEBUG, &d);
	return rc < 0 ? rc : debug_exit(v, exit) && v->regs.rip == next;
}

static int by_trap_flag(struct vcpu *v, struct vcpu_exit *exit, const struct kind *k)
{
	struct guest_regs *r = &v->regs;
	int rc;

	r->rflags |= RFLAGS_TF;
	rc = vcpu_enter(v, exit);
	if (rc < 0)
		return rc;
	if (exit->stop == VCPU_SYSCALL)
		r->r11 &= ~RFLAGS_TF;
	if (exit->stop != VCPU_EXCEPTION || exit->vector != VECTOR_DB || k->icebp) {
		r->rflags &= ~RFLAGS_TF;
		return 0;
	}
	if (!k->loads_flags)
		r->rflags &= ~RFLAGS_TF;
	if (k->pushes_flags)
		hide_tf_at(r->rsp);
	return 1;
}

int vcpu_step(struct vcpu *v, struct vcpu_exit *exit, bool *branch)
{
	uint8_t code[CODE_MAX];
	struct kind k = classify(code, fetch(v->regs.rip, code));
	int rc;

	*branch = k.branch;
	if (v->regs.rflags & RFLAGS_TF)
		return vcpu_enter(v, exit);
	if (k.repeats) {
		rc = run_past(v, exit, v->regs.rip + k.len);
		if (rc != -EOPNOTSUPP)
			return rc;
	}
	return by_trap_flag(v, exit, &k);
}
