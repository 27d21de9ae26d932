/* Threads as data. Contract: threads.h. */
#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/clone.h"
#include "syscall-emu/seccomp.h"
#include "syscall-emu/threads.h"
#include "vmm/branches.h"
#include "vmm/cleanup.h"

/* KVM does not take vCPU numbers back while the VM lives, so those of ended threads are used again. */
#define SPARE_VCPUS 256

#define ROBUST_LIST_LIMIT 2048 /* entries looked at: the list is the guest's, and may be a circle */
#define ROBUST_PI 1ULL         /* in a pointer of the list */

/* ---- the list ---- */

void threads_begin(struct task *t)
{
	t->next = NULL;
	t->robust_list = 0; /* a child has none */
	t->proc->tasks = t;
	t->proc->nthreads = 1;
}

struct task *thread_find(const struct process *p, pid_t tid)
{
	struct task *t = p->tasks;

	while (t && t->tid != tid)
		t = t->next;
	return t;
}

void thread_add(struct task *t)
{
	t->next = t->proc->tasks;
	t->proc->tasks = t;
	t->proc->nthreads++;
}

static void unlink_task(struct task *t)
{
	struct task **at = &t->proc->tasks;

	while (*at && *at != t)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = t->next;
	t->proc->nthreads--;
}

static void free_task(struct task *t)
{
	plan_release(&t->plan);
	seccomp_release(t);
	free(t->of_session);
	free(t);
}

void threads_forked(struct task *t)
{
	struct process *p = t->proc;
	struct task *next;

	for (struct task *o = p->tasks; o; o = next) {
		next = o->next;
		if (o == t)
			continue;
		vcpu_destroy(o->vcpu);
		free_task(o);
	}
	while (p->nspare)
		vcpu_destroy(p->spare_vcpu[--p->nspare]);
	p->sched = NULL;
	p->pi_waiters = NULL;
	threads_begin(t);
}

void threads_borrowed(struct task *t)
{
	struct process *p = t->proc;

	p->sched = NULL;
	p->pi_waiters = NULL;
	p->spare_vcpu = NULL;
	p->nspare = 0;
	p->grouped = false;
	t->of_session = NULL;
	threads_begin(t);
}

/* ---- vCPUs ---- */

static int take_vcpu(struct process *p, struct vcpu **out)
{
	if (!p->nspare)
		return vcpu_create(p->vm, out);
	*out = p->spare_vcpu[--p->nspare];
	vcpu_branches_reset(*out);
	return 0;
}

static void give_vcpu(struct process *p, struct vcpu *v)
{
	if (!p->spare_vcpu)
		p->spare_vcpu = calloc(SPARE_VCPUS, sizeof(struct vcpu *));
	if (p->spare_vcpu && p->nspare < SPARE_VCPUS)
		p->spare_vcpu[p->nspare++] = v;
	else
		vcpu_destroy(v);
}

/* ---- making one ---- */

static int copy_cpu(struct task *t, const struct task *from, const struct fork_request *q)
{
	size_t size = vm_cpu(from->proc->vm)->xsave_size;
	cleanup_free void *xsave = malloc(size);
	int rc;

	if (!xsave)
		return -ENOMEM;
	rc = vcpu_get_xsave(from->vcpu, xsave, size);
	if (rc == 0)
		rc = vcpu_set_xsave(t->vcpu, xsave, size);
	if (rc < 0)
		return rc;
	t->regs = vcpu_regs(t->vcpu);
	*t->regs = *from->regs;
	t->regs->rax = 0;
	if (q->stack)
		t->regs->rsp = q->stack;
	if (q->flags & CLONE_SETTLS)
		t->regs->fs_base = q->tls;
	return 0;
}

int thread_make(struct task *from, const struct fork_request *q, struct task **out)
{
	struct process *p = from->proc;
	struct task *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	t->proc = p;
	rc = take_vcpu(p, &t->vcpu);
	if (rc < 0) {
		free(t);
		return rc == -ENOMEM ? rc : -EAGAIN;
	}
	rc = copy_cpu(t, from, q);
	if (rc == 0)
		rc = plan_init(&t->plan);
	if (rc < 0) {
		give_vcpu(p, t->vcpu);
		free(t);
		return rc;
	}
	t->mask = from->mask;
	t->fault.tsc_faults = from->fault.tsc_faults;
	t->clear_child_tid = q->flags & CLONE_CHILD_CLEARTID ? q->child_tid : 0;
	seccomp_inherit(t, from);
	*out = t;
	return 0;
}

/* ---- the end of one ---- */

/* A futex of the list: its owner is gone, which the next one to lock it is told. */
static void release_futex(const struct task *t, uint64_t addr, bool pi)
{
	struct session *s = t->proc->sess;
	uint32_t word, died;

	if (addr % sizeof(word) || guest_read(&word, addr, sizeof(word)) < 0 || (word & FUTEX_TID_MASK) != (uint32_t)t->tid)
		return;
	died = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
	if (guest_write(addr, &died, sizeof(died)) == 0 && word & FUTEX_WAITERS && !pi)
		s->ops->futex_wake(s, addr, 1);
}

static void release_robust_list(const struct task *t)
{
	struct {
		uint64_t next, offset, pending;
	} head;
	uint64_t entry;

	if (!t->robust_list || guest_read(&head, t->robust_list, sizeof(head)) < 0)
		return;
	entry = head.next;
	for (unsigned i = 0; i < ROBUST_LIST_LIMIT && (entry & ~ROBUST_PI) != t->robust_list; i++) {
		uint64_t at = entry & ~ROBUST_PI, next;
		bool pi = entry & ROBUST_PI, more = guest_read(&next, at, sizeof(next)) == 0;

		/* The one being locked or unlocked may be in the list as well: it comes last. */
		if (at != (head.pending & ~ROBUST_PI))
			release_futex(t, at + head.offset, pi);
		if (!more)
			return;
		entry = next;
	}
	if (head.pending)
		release_futex(t, (head.pending & ~ROBUST_PI) + head.offset, head.pending & ROBUST_PI);
}

void threads_release_robust(struct process *p)
{
	for (struct task *t = p->tasks; t && p->grouped; t = t->next) {
		release_robust_list(t);
		t->robust_list = 0;
	}
}

void thread_release_memory(struct task *t)
{
	static const uint32_t zero;
	struct session *s = t->proc->sess;

	release_robust_list(t);
	t->robust_list = 0;
	if (s->ops->robust_list)
		s->ops->robust_list(s, t);
	if (t->clear_child_tid && guest_write(t->clear_child_tid, &zero, sizeof(zero)) == 0)
		s->ops->futex_wake(s, t->clear_child_tid, 1);
	t->clear_child_tid = 0;
}

void thread_free(struct task *t)
{
	unlink_task(t);
	give_vcpu(t->proc, t->vcpu);
	free_task(t);
}
