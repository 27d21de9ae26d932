/* Restartable sequences. Contract: rseq.h. */
#include <errno.h>
#include <linux/rseq.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>

#include "syscall-emu/mm.h"
#include "syscall-emu/rseq.h"

#define SIZE 32u /* the first version's; later ones have no more fields that are not zero here */
#define UNREGISTERED 0xffffffffu
#define LINUX_TASK_SIZE 0x7ffffffff000ULL

/* The words that the kernel writes; between them is rseq_cs, which is the program's. */
static int show_cpu(uint64_t addr, uint32_t start, uint32_t now)
{
	const uint32_t ids[2] = { start, now }, none[2] = { 0, 0 }; /* node, concurrency id */
	int rc = guest_write(addr, ids, sizeof(ids));

	return rc < 0 ? rc : guest_write(addr + offsetof(struct rseq, flags) + sizeof(uint32_t), none, sizeof(none));
}

static uint32_t first_cpu(struct plan *p)
{
	cpu_set_t set;
	uint32_t cpu = 0;

	if (p->annex_len == sizeof(cpu)) {
		memcpy(&cpu, p->annex, sizeof(cpu));
		return cpu;
	}
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &set))
			cpu++;
	plan_set_annex(p, &cpu, sizeof(cpu));
	return cpu;
}

static int64_t unregister(struct task *t, uint64_t addr, uint32_t len, uint32_t sig)
{
	if (!t->rseq || t->rseq != addr || t->rseq_len != len)
		return -EINVAL;
	if (t->rseq_sig != sig)
		return -EPERM;
	if (show_cpu(addr, 0, UNREGISTERED) < 0)
		return -EFAULT;
	t->rseq = 0;
	return 0;
}

int64_t do_rseq(struct task *t, struct plan *p)
{
	uint64_t addr = p->arg[0];
	uint32_t len = (uint32_t)p->arg[1], flags = (uint32_t)p->arg[2], sig = (uint32_t)p->arg[3], cpu;

	if (flags & RSEQ_FLAG_UNREGISTER)
		return flags & ~(uint32_t)RSEQ_FLAG_UNREGISTER ? -EINVAL : unregister(t, addr, len, sig);
	if (flags)
		return -EINVAL;
	if (t->rseq)
		return t->rseq != addr || t->rseq_len != len ? -EINVAL : t->rseq_sig != sig ? -EPERM : -EBUSY;
	if (len < SIZE || addr % SIZE)
		return -EINVAL;
	if (!mm_range_ok(t->proc->mm, addr, len))
		return -EFAULT;
	cpu = first_cpu(p);
	if (show_cpu(addr, cpu, cpu) < 0)
		return -EFAULT;
	t->rseq = addr;
	t->rseq_len = len;
	t->rseq_sig = sig;
	return 0;
}

/* Is the description one that Linux accepts, down to the signature in front of the abort address? */
static bool sound(const struct task *t, const struct rseq_cs *cs)
{
	uint64_t end = cs->start_ip + cs->post_commit_offset;
	uint32_t sig;

	if (cs->version || cs->flags || cs->start_ip >= LINUX_TASK_SIZE || end >= LINUX_TASK_SIZE || end < cs->start_ip ||
	    cs->abort_ip >= LINUX_TASK_SIZE || cs->abort_ip - cs->start_ip < cs->post_commit_offset)
		return false;
	return guest_read(&sig, cs->abort_ip - sizeof(sig), sizeof(sig)) == 0 && sig == t->rseq_sig;
}

int rseq_interrupted(struct task *t)
{
	const uint64_t none = 0;
	struct rseq_cs cs;
	uint64_t addr;

	if (!t->rseq)
		return 0;
	if (guest_read(&addr, t->rseq + offsetof(struct rseq, rseq_cs), sizeof(addr)) < 0)
		return -EFAULT;
	if (!addr)
		return 0;
	if (guest_read(&cs, addr, sizeof(cs)) < 0 || !sound(t, &cs))
		return -EFAULT;
	if (guest_write(t->rseq + offsetof(struct rseq, rseq_cs), &none, sizeof(none)) < 0)
		return -EFAULT;
	if (t->regs->rip - cs.start_ip < cs.post_commit_offset)
		t->regs->rip = cs.abort_ip;
	return 0;
}
