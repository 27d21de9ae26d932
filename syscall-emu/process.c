/* A process's end and the settings that are only its own. Contract: process.h. */
#include <asm/prctl.h>
#include <errno.h>
#include <sys/prctl.h>

#include "syscall-emu/futex_pi.h"
#include "syscall-emu/process.h"
#include "syscall-emu/signal.h"
#include "syscall-emu/threads.h"

#define LINUX_TASK_SIZE 0x7ffffffff000ULL
#define ROBUST_HEAD_SIZE 24
#define XFEATURE_MAX 19 /* of the kernels whose numbers are used here */
#define PERSONALITY_GET 0xffffffffu

struct process_self process_self;

static int put32(uint64_t addr, uint32_t value)
{
	return guest_write(addr, &value, sizeof(value));
}

static int put64(uint64_t addr, uint64_t value)
{
	return guest_write(addr, &value, sizeof(value));
}

int64_t do_exit_group(struct task *t, struct plan *p)
{
	t->dead = true;
	t->wait_status = (int)(p->arg[0] & 0xff) << 8;
	return 0;
}

/* The process ends with its last thread, and with that one's status (Linux before 6.0: the first one's). */
int64_t do_exit(struct task *t, struct plan *p)
{
	do_exit_group(t, p);
	futex_pi_owner_died(t, p);
	thread_release_memory(t);
	t->only_thread = t->proc->nthreads > 1;
	return 0;
}

int64_t do_set_tid_address(struct task *t, struct plan *p)
{
	t->clear_child_tid = p->arg[0];
	return t->tid;
}

int64_t do_set_robust_list(struct task *t, struct plan *p)
{
	if (p->arg[1] != ROBUST_HEAD_SIZE)
		return -EINVAL;
	t->robust_list = p->arg[0];
	t->robust_len = p->arg[1];
	if (t->proc->sess->ops->robust_list)
		t->proc->sess->ops->robust_list(t->proc->sess, t);
	return 0;
}

int64_t do_get_robust_list(struct task *t, struct plan *p)
{
	int pid = (int)p->arg[0], rc;

	const struct task *other = pid ? thread_find(t->proc, pid) : t;

	if (!other)
		return -ESRCH;
	/* Linux says the size of the head, registered or not. */
	rc = put64(p->arg[2], ROBUST_HEAD_SIZE);
	return rc < 0 ? rc : put64(p->arg[1], other->robust_list);
}

/* Extended states that need permission first (AMX) are not offered in CPUID, so none can be asked for. */
static int64_t xcomp_request(uint64_t feature)
{
	return feature >= XFEATURE_MAX ? -EINVAL : -EOPNOTSUPP;
}

int64_t do_arch_prctl(struct task *t, struct plan *p)
{
	uint64_t arg = p->arg[1];

	switch ((uint32_t)p->arg[0]) {
	case ARCH_SET_FS:
		if (arg >= LINUX_TASK_SIZE)
			return -EPERM;
		t->regs->fs_base = arg;
		return 0;
	case ARCH_SET_GS:
		if (arg >= LINUX_TASK_SIZE)
			return -EPERM;
		t->regs->gs_base = arg;
		return 0;
	case ARCH_GET_FS:
		return put64(arg, t->regs->fs_base);
	case ARCH_GET_GS:
		return put64(arg, t->regs->gs_base);
	case ARCH_GET_CPUID:
		return 1; /* cpuid does not fault */
	case ARCH_SET_CPUID:
		return -ENODEV;
	case ARCH_GET_XCOMP_SUPP:
	case ARCH_GET_XCOMP_PERM:
	case ARCH_GET_XCOMP_GUEST_PERM:
		return put64(arg, vm_cpu(t->proc->vm)->xcr0);
	case ARCH_REQ_XCOMP_PERM:
	case ARCH_REQ_XCOMP_GUEST_PERM:
		return xcomp_request(arg);
	}
	return -EINVAL;
}

int64_t do_personality(struct task *t, struct plan *p)
{
	uint32_t old = process_self.personality;

	(void)t;
	if ((uint32_t)p->arg[0] != PERSONALITY_GET)
		process_self.personality = (uint32_t)p->arg[0];
	return old;
}

int64_t do_restart_syscall(struct task *t, struct plan *p)
{
	(void)t, (void)p;
	return -EINTR;
}

void process_forked(void)
{
	process_self.pdeathsig = 0;
	process_self.supervised = false;
	process_self.seed = process_self.seed * 0x9e3779b97f4a7c15ULL + 1;
}

static int64_t pdeathsig_get(uint64_t addr)
{
	int sig = (int)process_self.pdeathsig;

	if (!process_self.supervised && prctl(PR_GET_PDEATHSIG, &sig) < 0)
		return -errno;
	return put32(addr, (uint32_t)sig);
}

int64_t do_prctl_pdeathsig(struct task *t, struct plan *p)
{
	(void)t;
	if (p->arg[0] == PR_GET_PDEATHSIG)
		return pdeathsig_get(p->arg[1]);
	if (!process_self.supervised)
		return prctl(PR_SET_PDEATHSIG, p->arg[1]) < 0 ? -errno : 0;
	if (p->arg[1] > 64)
		return -EINVAL;
	process_self.pdeathsig = (uint32_t)p->arg[1];
	return 0;
}

int64_t do_prctl_tsc(struct task *t, struct plan *p)
{
	if (p->arg[0] == PR_GET_TSC)
		return put32(p->arg[1], t->fault.tsc_faults ? PR_TSC_SIGSEGV : PR_TSC_ENABLE);
	if (p->arg[1] != PR_TSC_ENABLE && p->arg[1] != PR_TSC_SIGSEGV)
		return -EINVAL;
	t->fault.tsc_faults = p->arg[1] == PR_TSC_SIGSEGV;
	return 0;
}
