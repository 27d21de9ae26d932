/*
 * unshare and setns. Linux lets only a process with one thread change its user namespace, or one that shares its directories
 * with nobody its mount namespace; since Linux 6.14 KVM adds a thread of its own to every process that has a VM. Where the
 * call fails for that reason the VM goes away for its duration. KVM's thread has to be there again before the namespace of
 * new pids changes, as threads have to be in the same one. Never on replay. Source: unshare(2), setns(2), kernel/fork.c,
 * arch/x86/kvm/mmu/mmu.c (kvm_mmu_post_init_vm).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "syscall-emu/clone.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"

#define RETRIES 200 /* the thread is told to end, and does so in its own time */

/* Linux has no name for the namespace of new pids while no process is in it. */
bool namespace_children_elsewhere(void)
{
	cleanup_close int own = proc_self_open("ns/pid", O_RDONLY), new = proc_self_open("ns/pid_for_children", O_RDONLY);
	struct stat a, b;

	return own >= 0 && fstat(own, &a) == 0 && (new < 0 || fstat(new, &b) < 0 || a.st_ino != b.st_ino);
}

static int64_t without_vm(struct task *t, struct plan *p)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint32_t size = vm_cpu(t->proc->vm)->xsave_size;
	struct guest_regs regs = *t->regs;
	cleanup_free void *xsave = malloc(size);
	int64_t ret = -EINVAL;
	int rc = xsave ? vcpu_get_xsave(t->vcpu, xsave, size) : -ENOMEM;

	if (rc < 0)
		return rc;
	process_drop_vm(t);
	for (int i = 0; i < RETRIES && ret == -EINVAL; i++) {
		ret = plan_forward(p, t);
		if (ret == -EINVAL)
			nanosleep(&pause, NULL);
	}
	rc = process_renew_vm(t, &regs, xsave);
	if (rc == 0)
		rc = vcpu_first_entry(t->vcpu);
	if (rc < 0) {
		fprintf(stderr, "sandrec: the program cannot go on: no virtual machine: %s\n", strerror(-rc));
		abort();
	}
	return ret;
}

/* Refused, though the program has one thread? */
static bool alone(const struct task *t, int64_t ret)
{
	return ret == -EINVAL && t->proc->nthreads == 1 && !namespace_children_elsewhere();
}

/* flags: the argument that has them. */
static int64_t in_two_steps(struct task *t, struct plan *p, unsigned flags)
{
	uint64_t all = p->host_arg[flags];
	int64_t ret;

	p->host_arg[flags] = all & ~(uint64_t)CLONE_NEWPID;
	ret = without_vm(t, p);
	if (ret < 0 || !(all & CLONE_NEWPID))
		return ret;
	p->host_arg[flags] = CLONE_NEWPID;
	return plan_forward(p, t);
}

int64_t do_unshare(struct task *t, struct plan *p)
{
	int64_t ret = plan_forward(p, t);

	return alone(t, ret) && p->arg[0] & (CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) ? in_two_steps(t, p, 0) : ret;
}

int64_t do_setns(struct task *t, struct plan *p)
{
	int64_t ret = plan_forward(p, t);

	return alone(t, ret) ? in_two_steps(t, p, 1) : ret;
}
