/* Making a guest process: VM, address space, first task. Contract: session.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/fd.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/serve.h"
#include "syscall-emu/session.h"
#include "syscall-emu/threads.h"

static int fail(int rc, const char *what, char *why, size_t len)
{
	snprintf(why, len, "cannot %s: %s", what, strerror(-rc));
	return rc;
}

static struct cpu_table kept_cpu; /* of the VM that was dropped */

void process_drop_vm(struct task *t)
{
	struct process *p = t->proc;

	serve_without_vm(t);
	kept_cpu = *vm_cpu(p->vm);
	vcpu_destroy(t->vcpu);
	vm_destroy(p->vm);
}

int process_renew_vm(struct task *t, const struct guest_regs *regs, const void *xsave)
{
	struct process *p = t->proc;
	int rc = vm_create(p->kvm, &kept_cpu, &p->vm);

	if (rc == 0)
		rc = vcpu_create(p->vm, &t->vcpu);
	if (rc < 0)
		return rc;
	t->regs = vcpu_regs(t->vcpu);
	*t->regs = *regs;
	rc = vcpu_set_xsave(t->vcpu, xsave, kept_cpu.xsave_size);
	return rc < 0 ? rc : mm_reborn(p->mm, p->vm, regs->rsp);
}

int process_create(struct session *s, const struct kvm_host *kvm, const struct cpu_table *cpu, pid_t pid,
		   struct task **out, char *why, size_t len)
{
	/* Both live as long as the host process: there is one guest process in it and nothing to give back earlier. */
	struct process *p = calloc(1, sizeof(*p));
	struct task *t = calloc(1, sizeof(*t));
	int rc;

	if (!p || !t)
		return fail(-ENOMEM, "start a process", why, len);
	p->sess = s;
	p->kvm = kvm;
	p->pid = t->tid = pid;
	t->proc = p;
	threads_begin(t);
	rc = vm_create(kvm, cpu, &p->vm);
	if (rc < 0)
		return fail(rc, "create a virtual machine", why, len);
	rc = vcpu_create(p->vm, &t->vcpu);
	if (rc < 0)
		return fail(rc, "create a virtual CPU", why, len);
	t->regs = vcpu_regs(t->vcpu);
	rc = plan_init(&t->plan);
	if (rc < 0)
		return fail(rc, "allocate memory", why, len);
	rc = mm_create(p, &p->mm);
	if (rc < 0)
		return fail(rc, "set up the guest's address space", why, len);
	rc = fdtable_create(&p->fds);
	if (rc < 0)
		return fail(rc, "set up descriptors", why, len);
	*out = t;
	return 0;
}
