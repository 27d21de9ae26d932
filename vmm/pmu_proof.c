/* Proving the branch counter. Contract: pmu_proof.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "vmm/branches.h"
#include "vmm/pmu_proof.h"
#include "vmm/probe.h"

#define ROUNDS 1500         /* of the loop, each with BRANCHES conditional branches */
#define BRANCHES 5
#define TRIALS 32
#define SKID_MAX 4000       /* beyond, a way to a point would be thousands of single steps */
#define MARGIN(skid) (2 * (skid) + 16)

/*
 * rbx rounds: branches taken and not, by flag and by count, among everything else that branches or repeats and must not be
 * counted. Then a system call, and all over again.
 */
extern const uint8_t proof_loop[], proof_loop_end[];
__asm__(".pushsection .rodata\n"
	"proof_loop:\n"
	"	mov	%rbx, %r12\n"
	"1:	test	$1, %r12b\n"
	"	jz	2f\n"
	"	nop\n"
	"2:	call	3f\n"
	"	jmp	4f\n"
	"3:	cmovz	%eax, %edx\n"
	"	ret\n"
	"4:	mov	$2, %ecx\n"
	"5:	loop	5b\n"
	"	jrcxz	6f\n"
	"	nop\n"
	"6:	mov	%rsi, %rdi\n"
	"	mov	$5, %ecx\n"
	"	rep stosb\n"
	"	dec	%r12\n"
	"	jnz	1b\n"
	"	syscall\n"
	"	jmp	proof_loop\n"
	"proof_loop_end:\n"
	".popsection\n");

__attribute__((format(printf, 2, 3)))
static bool bad(struct pmu *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
	return false;
}

static void load(struct probe *p)
{
	struct guest_regs *r = vcpu_regs(p->vcpu);

	probe_load(p, proof_loop, (size_t)(proof_loop_end - proof_loop));
	r->rbx = ROUNDS;
	r->rsi = PROBE_DATA;
	r->rflags = RFLAGS_IF | RFLAGS_FIXED;
}

/* To the system call, where the count since *count must be what the loop has. */
static bool to_call(struct probe *p, struct pmu *pmu, const char *how)
{
	uint64_t count = 0;
	int rc;

	do
		rc = vcpu_run(p->vcpu, &p->exit);
	while (rc == 0 && p->exit.stop == VCPU_KICK);
	if (rc == 0 && p->exit.stop == VCPU_SYSCALL)
		rc = vcpu_branches_read(p->vcpu, &count);
	else if (rc == 0)
		return bad(pmu, "a loop did not end %s", how);
	if (rc == 0)
		rc = vcpu_branches_reset(p->vcpu);
	if (rc < 0)
		return bad(pmu, "the counter cannot be read: error %d", -rc);
	if (count != ROUNDS * BRANCHES)
		return bad(pmu, "it counts %" PRIu64 " of %u branches %s", count, ROUNDS * BRANCHES, how);
	return true;
}

static bool counts(struct probe *p, struct pmu *pmu)
{
	bool good = true;

	for (unsigned i = 0; good && i < 4; i++)
		good = to_call(p, pmu, "in a loop");
	return good;
}

/* A margin as large as the way leaves nothing to step, so the stop is the interrupt's own and shows its delay. */
static bool interrupts(struct probe *p, struct pmu *pmu)
{
	uint32_t *margin = &p->vm->host.pmu.margin, seed = 12345;
	uint64_t at, target;

	for (unsigned i = 0; i < TRIALS; i++) {
		seed = seed * 1103515245 + 12345;
		target = 100 + (seed >> 16) % 500;
		*margin = 0;
		if (vcpu_branches_arm(p->vcpu, target) < 0 || vcpu_run(p->vcpu, &p->exit) < 0)
			return bad(pmu, "the counter cannot be set");
		if (p->exit.stop != VCPU_BRANCHES)
			return bad(pmu, "no interrupt comes when it overflows");
		if (vcpu_branches_read(p->vcpu, &at) < 0 || at < target)
			return bad(pmu, "its interrupt comes too early");
		if (at - target > pmu->skid)
			pmu->skid = (uint32_t)(at - target);
		if (!to_call(p, pmu, "around an interrupt"))
			return false;
	}
	if (pmu->skid > SKID_MAX)
		return bad(pmu, "its interrupt comes %u branches late", pmu->skid);
	return true;
}

static bool steps(struct probe *p, struct pmu *pmu)
{
	const uint64_t target = 2 * BRANCHES;
	uint64_t at = 0;

	p->vm->host.pmu.margin = target;
	if (vcpu_branches_arm(p->vcpu, target) < 0 || vcpu_run(p->vcpu, &p->exit) < 0 ||
	    p->exit.stop != VCPU_BRANCHES || vcpu_branches_read(p->vcpu, &at) < 0 || at != target)
		return bad(pmu, "it does not count single steps (%" PRIu64 " of %" PRIu64 ")", at, target);
	return to_call(p, pmu, "after single steps");
}

static bool proof(const struct kvm_host *h, const struct cpu_table *t, struct pmu *pmu)
{
	probe_scope struct probe p = { 0 };
	int rc = probe_begin(&p, h, t);

	if (rc < 0)
		return bad(pmu, "no virtual machine with an interrupt controller: error %d", -rc);
	load(&p);
	return counts(&p, pmu) && interrupts(&p, pmu) && steps(&p, pmu);
}

void pmu_prove(struct kvm_host *h, const struct cpu_table *t)
{
	struct kvm_host trial = *h;

	if (h->pmu.kind == PMU_NONE || h->pmu.proven)
		return;
	trial.pmu.proven = true;
	h->pmu.skid = 0;
	h->pmu.proven = proof(&trial, t, &h->pmu);
	h->pmu.margin = MARGIN(h->pmu.skid);
}
