/*
 * Copies of a replayed process: a host fork each. The kernel shares the memory copy-on-write, KVM lets nobody use another
 * process's machine: a copy makes its own when it is to run. Contract: debuggee_int.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/debuggee_int.h"
#include "syscall-emu/landmark.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/serve.h"
#include "vmm/branches.h"
#include "vmm/cleanup.h"

static size_t size_of(const struct debuggee *d)
{
	return vm_cpu(d->t->proc->vm)->xsave_size;
}

const uint8_t *copy_xsave(const struct debuggee *d, const struct task *t)
{
	size_t n = 0;

	for (const struct task *o = d->t->proc->tasks; o && o != t; o = o->next)
		n++;
	return d->xsave + n * size_of(d);
}

static int save(struct debuggee *d)
{
	size_t size = size_of(d), n = 0;
	int rc = 0;

	if (d->stale)
		return 0;
	free(d->xsave);
	d->xsave = calloc(d->t->proc->nthreads, size);
	if (!d->xsave)
		return -ENOMEM;
	for (struct task *t = d->t->proc->tasks; t && rc == 0; t = t->next)
		rc = vcpu_get_xsave(t->vcpu, d->xsave + size * n++, size);
	return rc;
}

int copy_make(struct debuggee *d, int sock, uint64_t anchor)
{
	int rc;
	pid_t pid;

	landmark_disarm(d->t);
	rc = save(d);
	if (rc < 0)
		return rc;
	if (anchor) {
		d->place.anchor = anchor;
		d->place.steps = 0;
		d->place.exact = true;
	}
	pid = fork();
	if (pid)
		return pid < 0 ? -errno : 0;
	serve_forked();
	close(d->sock);
	d->sock = sock;
	d->stale = true;
	debuggee_watch_socket(d);
	rc = copy_shared();
	if (rc == 0)
		return 1;
	fprintf(stderr, "sandrec: a checkpoint cannot be made: its shared memory: %s\n", strerror(-rc));
	_exit(EXIT_FAILURE);
}

static int revive_thread(struct task *t, const uint8_t *xsave, size_t size)
{
	struct guest_regs regs = *t->regs;
	int rc;

	vcpu_destroy(t->vcpu);
	rc = vcpu_create(t->proc->vm, &t->vcpu);
	if (rc < 0)
		return rc;
	t->regs = vcpu_regs(t->vcpu);
	*t->regs = regs;
	vcpu_branches_spoil(t->vcpu); /* its count stayed in the original: the next point is found by its state */
	return vcpu_set_xsave(t->vcpu, xsave, size);
}

int copy_revive(struct debuggee *d)
{
	struct process *p = d->t->proc;
	struct cpu_table cpu = *vm_cpu(p->vm);
	struct vm *was = p->vm;
	size_t n = 0;
	int rc;

	while (p->nspare)
		vcpu_destroy(p->spare_vcpu[--p->nspare]);
	rc = vm_create(p->kvm, &cpu, &p->vm);
	for (struct task *t = p->tasks; t && rc == 0; t = t->next)
		rc = revive_thread(t, d->xsave + cpu.xsave_size * n++, cpu.xsave_size);
	vm_destroy(was);
	if (rc == 0)
		rc = mm_reborn(p->mm, p->vm, d->t->regs->rsp);
	d->stale = rc < 0;
	return rc;
}
