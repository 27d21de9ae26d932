/* The run loop of one guest thread: from stop to stop. Contract: session.h. */
#include <errno.h>
#include <stdio.h>

#include "syscall-emu/landmark.h"
#include "syscall-emu/seccomp.h"
#include "syscall-emu/session.h"
#include "syscall-emu/signal.h"

#define SYSCALL_INSN_LEN 2 /* 0f 05 */

/*
 * Asks the session for asynchronous signals at this stop and delivers them: 1 some, 0 none, negative errno. All that are
 * allowed come at once, each frame on top of the last, as when Linux returns to user code.
 */
static int take_signals(struct task *t, bool after)
{
	struct session *s = t->proc->sess;
	siginfo_t si;
	int rc = s->ops->signal(s, t, after, &si), first = rc;

	if (rc > 0 && !after)
		t->regs->rip -= SYSCALL_INSN_LEN;
	while (rc > 0) {
		signal_deliver(t, &si, false);
		rc = t->dead ? 0 : s->ops->signal(s, t, true, &si);
	}
	return rc < 0 ? rc : first;
}

static int on_syscall(struct task *t)
{
	struct session *s = t->proc->sess;
	const struct guest_regs *r = t->regs;
	const uint64_t args[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };
	int64_t ret;
	int rc = take_signals(t, false);

	if (rc)
		return rc < 0 ? rc : 0;
	rc = s->ops->syscall(s, t, seccomp_filtered_row(t, sys_lookup(r->rax, args)), &ret);
	if (rc < 0)
		return rc;
	if (ret == SYS_ERESTARTSYS)
		t->regs->rip -= SYSCALL_INSN_LEN; /* rax still holds the number: the instruction executes again */
	else if (ret != SYS_REGS_SET)
		t->regs->rax = (uint64_t)ret;
	if (t->dead)
		return 0;
	rc = take_signals(t, true);
	return rc < 0 ? rc : 0;
}

/* What resume(), kicked() and landed() say. */
static int obey(struct task *t, int rc)
{
	t->dead |= rc == TASK_DEAD;
	if (rc != TASK_SIGNAL)
		return rc < 0 ? rc : 0;
	/* The last stop may have been a call that waited with another signal mask: it is over. */
	t->stop.stop = VCPU_KICK;
	rc = take_signals(t, true);
	return rc < 0 ? rc : 0;
}

static int on_stop(struct task *t)
{
	struct session *s = t->proc->sess;
	int rc;

	switch (t->stop.stop) {
	case VCPU_SYSCALL:
		return on_syscall(t);
	case VCPU_EXCEPTION:
	case VCPU_EFAULT:
		rc = signal_exception(t);
		return rc < 0 ? rc : 0;
	case VCPU_KICK:
		return obey(t, s->ops->kicked(s, t));
	case VCPU_DEAD:
		break;
	}
	fprintf(stderr, "sandrec: the virtual CPU of thread %d stopped for good at rip %#llx: %s\n", t->tid,
		(unsigned long long)t->regs->rip, t->stop.why);
	return -EIO;
}

static int run(struct task *t)
{
	int rc;

	landmark_enter(t);
	rc = vcpu_run(t->vcpu, &t->stop);
	if (rc < 0) {
		fprintf(stderr, "sandrec: KVM_RUN of thread %d failed: error %d\n", t->tid, -rc);
		return rc;
	}
	switch (landmark_stop(t)) {
	case LANDMARK_AGAIN:
		return 0;
	case LANDMARK_HIT:
		return obey(t, t->proc->sess->ops->landed(t->proc->sess, t));
	case LANDMARK_NONE:
		break;
	}
	return on_stop(t);
}

int task_loop(struct task *t)
{
	int rc;

	while (!t->dead) {
		struct session *s = t->proc->sess; /* another one in the child of a fork */

		rc = s->ops->resume(s, t);
		if (rc == 0)
			rc = run(t);
		else
			rc = obey(t, rc);
		if (rc < 0)
			return rc;
	}
	return t->proc->sess->ops->exited(t->proc->sess, t);
}
