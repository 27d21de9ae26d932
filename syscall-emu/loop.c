/* The run loop of one guest thread: from stop to stop. Contract: session.h. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "syscall-emu/landmark.h"
#include "syscall-emu/mm_join.h"
#include "syscall-emu/seccomp.h"
#include "syscall-emu/serve.h"
#include "syscall-emu/session.h"
#include "syscall-emu/signal.h"
#include "syscall-emu/threads.h"
#include "vmm/branches.h"
#include "vmm/step.h"

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
	const struct sys_desc *desc;
	int64_t ret;
	int rc = s->ops->preempt(s, t, false);

	if (rc) {
		t->at_stop = rc > 0;
		return rc < 0 ? rc : 0;
	}
	rc = take_signals(t, false);
	if (rc)
		return rc < 0 ? rc : 0;
	desc = seccomp_filtered_row(t, sys_lookup(r->rax, args));
	serve_outside(t, desc);
	rc = s->ops->syscall(s, t, desc, &ret);
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
	if (rc >= 0 && !t->dead)
		rc = t->proc->sess->ops->preempt(t->proc->sess, t, true);
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
	case VCPU_SERVED:
		rc = take_signals(t, true);
		return rc < 0 ? rc : 0;
	case VCPU_KICK:
		return obey(t, s->ops->kicked(s, t));
	case VCPU_BRANCHES:
		return obey(t, s->ops->landed(s, t));
	case VCPU_DEAD:
		break;
	}
	fprintf(stderr, "sandrec: the virtual CPU of thread %d stopped for good at rip %#llx: %s\n", t->tid,
		(unsigned long long)t->regs->rip, t->stop.why);
	return -EIO;
}

static int run_vcpu(struct task *t)
{
	return vcpu_run(t->vcpu, &t->stop);
}

static int step_vcpu(struct task *t)
{
	bool branch;

	vcpu_branches_spoil(t->vcpu); /* to count what is stepped would take a stop for each */
	return vcpu_step(t->vcpu, &t->stop, &branch);
}

static int enter_guest(struct task *t, int (*how)(struct task *t))
{
	int rc;

	__atomic_store_n(&t->in_guest, 1, __ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&t->kick_early, 0, __ATOMIC_SEQ_CST))
		vcpu_kick(t->vcpu);
	rc = how(t);
	__atomic_store_n(&t->in_guest, 0, __ATOMIC_SEQ_CST);
	/* Who saw us in the guest is sending a signal, which must not interrupt what is done next. */
	while (__atomic_load_n(&t->kick_coming, __ATOMIC_SEQ_CST))
		sched_yield();
	return rc;
}

int task_step(struct task *t)
{
	serve_keep_out(t);
	return enter_guest(t, step_vcpu);
}

static int run(struct task *t)
{
	int rc;

	landmark_enter(t);
	serve_enter(t);
	rc = enter_guest(t, run_vcpu);
	if (rc < 0) {
		fprintf(stderr, "sandrec: KVM_RUN of thread %d failed: error %d\n", t->tid, -rc);
		return rc;
	}
	rc = serve_leave(t);
	if (rc < 0)
		return rc;
	switch (landmark_stop(t)) {
	case LANDMARK_AGAIN:
		return 0;
	case LANDMARK_HIT:
		return obey(t, t->proc->sess->ops->landed(t->proc->sess, t));
	case LANDMARK_NONE:
		break;
	}
	if (t->proc->sess->ops->stopped && t->proc->sess->ops->stopped(t->proc->sess, t))
		return 0;
	return on_stop(t);
}

static int step(struct task *t)
{
	struct session *s = t->proc->sess;
	int rc;

	if (t->at_stop) {
		t->at_stop = false;
		return on_stop(t);
	}
	rc = s->ops->resume(s, t);
	return rc == 0 ? run(t) : obey(t, rc);
}

/* The kernel sees to its end. */
static bool killed(int wait_status)
{
	return WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL;
}

int task_loop(struct task *t)
{
	while (t) {
		struct session *s = t->proc->sess; /* another one in the child of a fork */
		int rc = s->ops->turn(s, &t);

		if (rc == 0)
			rc = step(t);
		if (rc < 0)
			return rc;
		s = t->proc->sess;
		if (t->dead && !t->only_thread) {
			t->proc->wait_status = t->wait_status;
			serve_end(t);
			if (!killed(t->wait_status))
				threads_release_robust(t->proc);
			if (mm_joined(t->proc->mm) && !killed(t->wait_status))
				thread_release_memory(t); /* for Linux it is the last one in its address space */
			return s->ops->exited(s, t);
		}
		if (t->dead)
			rc = s->ops->thread_ended(s, t, &t);
		if (rc < 0)
			return rc;
	}
	return 0;
}
