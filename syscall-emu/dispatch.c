/* What running and recording share: one system call from the registers to its result. Contract: session.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "syscall-emu/fd.h"
#include "syscall-emu/inject.h"
#include "syscall-emu/kernel_shared.h"
#include "syscall-emu/process.h"
#include "syscall-emu/session.h"
#include "trace/event.h"

#define SAID_MAX 64

/* A descriptor of ours does not exist for the guest, whatever the call. */
static bool names_our_fd(const struct sys_desc *desc, const struct plan *p)
{
	for (unsigned i = 0; i < desc->nargs; i++)
		if (desc->arg[i] == A_FD && fd_is_ours((int)p->arg[i]))
			return true;
	return false;
}

/* Once for each call, as programs try again. */
static void say_refused(const struct task *t, const struct sys_desc *desc)
{
	static const struct sys_desc *said[SAID_MAX];

	if (!t->proc->verbose)
		return;
	for (unsigned i = 0; i < SAID_MAX && said[i] != desc; i++) {
		if (said[i])
			continue;
		said[i] = desc;
		fprintf(stderr, "sandrec: process %d: %s is refused with %s%s%s\n", t->proc->pid, desc->name,
			strerrorname_np(desc->refuse), desc->note ? ": " : "", desc->note ? desc->note : "");
		return;
	}
}

int64_t syscall_prepare(struct task *t, const struct sys_desc *desc)
{
	const struct guest_regs *r = t->regs;
	const uint64_t args[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };
	int rc = plan_build(&t->plan, t, desc, r->rax, args);

	if (rc < 0)
		return rc;
	if (!desc)
		return 0;
	if (desc->refuse) {
		say_refused(t, desc);
		return -desc->refuse;
	}
	return names_our_fd(desc, &t->plan) ? -EBADF : 0;
}

/* The call itself. */
static int64_t perform(struct task *t, const struct sys_desc *desc)
{
	struct plan *p = &t->plan;
	int64_t ret;

	kernel_shared_push(t);
	if (!desc)
		ret = syscall_generic(t, p);
	else if (desc->emulate)
		ret = desc->emulate(t, p);
	else
		ret = plan_forward(p, t);
	if (ret == SYS_ERESTARTSYS || ret == SYS_REGS_SET)
		return ret;
	if (desc && desc->post)
		ret = desc->post(t, p, ret);
	ret = plan_finish(p, t, ret);
	if (!t->newborn && !t->dead) /* nothing of this call is logged for a newborn */
		kernel_shared_pull(t, p);
	return ret;
}

/* The sandbox's refusal, marked in the log like what is injected: replay has no sandbox. */
static bool refused(struct task *t, const struct sys_desc *desc)
{
	const char *why = sandbox_refuses(t, desc);

	if (!why)
		return false;
	t->plan.ev_flags |= REC_F_INJECTED | REC_F_REFUSED;
	if (t->proc->verbose)
		fprintf(stderr, "sandrec: process %d: the sandbox refuses %s: %s\n", t->proc->pid, desc ? desc->name : "a call",
			why);
	return true;
}

int64_t syscall_perform(struct task *t, const struct sys_desc *desc)
{
	struct inject_verdict v = inject_before(t);
	int64_t ret;

	if (v.has_result)
		ret = v.result;
	else
		ret = refused(t, desc) ? -EPERM : perform(t, desc);
	inject_after(t, &v);
	return ret;
}
