/* fork, vfork, clone, clone3. Contract: clone.h. */
#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "syscall-emu/clone.h"
#include "syscall-emu/fd.h"
#include "syscall-emu/forward.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/mm_join.h"
#include "syscall-emu/process.h"
#include "syscall-emu/serve.h"
#include "syscall-emu/signal_host.h"
#include "syscall-emu/threads.h"
#include "trace/event.h"
#include "vmm/branches.h"
#include "vmm/cleanup.h"
#include "vmm/layout.h"
#include "vmm/proc_self.h"

#define VFORK_STACK (256u << 10)
#define CLONE_ARGS_MAX 4096
#define CHILD_FAILED 125

/* What a new thread must share with the others here; Linux insists on less. */
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND)


/* ---- the host side ---- */

struct birth {
	struct task *t;
	const struct fork_request *q;
	struct guest_regs regs;
	void *xsave;
	uint32_t *parted; /* shared with the parent, which waits for it: the child has its own copy of joined memory */
	int (*ready)(struct task *child, void *arg);
	void *arg;
};

static _Noreturn void stillborn(const char *what, int rc)
{
	fprintf(stderr, "sandrec: a new process cannot run: %s: %s\n", what, strerror(-rc));
	_exit(CHILD_FAILED);
}

static uint32_t xsave_size(const struct task *t)
{
	return vm_cpu(t->proc->vm)->xsave_size;
}

static void part(struct task *t, const struct birth *b)
{
	int rc = mm_part(t->proc->mm);

	if (rc < 0)
		stillborn("no memory", rc);
	__atomic_store_n(b->parted, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, b->parted, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* The parent must not change what the child is about to copy. Unless that has been killed. */
static void await_part(const struct birth *b, pid_t pid)
{
	const struct timespec patience = { .tv_nsec = 20000000 };

	while (!__atomic_load_n(b->parted, __ATOMIC_SEQ_CST)) {
		siginfo_t si = { 0 };

		if (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 ? si.si_pid == pid : kill(pid, 0) < 0)
			break;
		syscall(SYS_futex, b->parted, FUTEX_WAIT, 0, &patience, NULL, 0);
	}
}

/* The forked child's own VM over the same addresses. KVM refuses the parent's to anybody else. */
static void make_vm(struct task *t, const struct birth *b)
{
	int rc;

	kvm_keep_fds = b->q->flags & CLONE_FILES; /* the parent's, who goes on using them */
	threads_forked(t);
	serve_forked();
	process_drop_vm(t);
	kvm_keep_fds = false;
	rc = process_renew_vm(t, &b->regs, b->xsave);
	if (rc < 0)
		stillborn("no virtual machine", rc);
	rc = b->q->joined ? 0 : mm_leave_behind(t->proc->mm);
	if (rc < 0)
		stillborn("no memory", rc);
}

static void clear_handlers(struct task *t)
{
	struct session *s = t->proc->sess;

	for (int sig = 1; sig <= 64; sig++) {
		struct ksigaction *act = &t->proc->action[sig];

		if (act->handler == (uint64_t)(uintptr_t)SIG_IGN || act->handler == (uint64_t)(uintptr_t)SIG_DFL)
			continue;
		*act = (struct ksigaction){ 0 };
		s->ops->set_action(s, t, sig);
	}
}

static void be_born(struct task *t, const struct birth *b)
{
	int rc;

	t->regs->rax = 0;
	if (b->q->stack)
		t->regs->rsp = b->q->stack;
	if (b->q->flags & CLONE_SETTLS)
		t->regs->fs_base = b->q->tls;
	if (b->q->flags & CLONE_CLEAR_SIGHAND)
		clear_handlers(t);
	t->clear_child_tid = b->q->flags & CLONE_CHILD_CLEARTID ? b->q->child_tid : 0;
	if (b->q->flags & CLONE_VM) {
		threads_borrowed(t);
		t->rseq = 0;
	}
	signal_host_forked(t);
	process_forked();
	t->newborn = true;
	rc = b->ready(t, b->arg);
	if (rc < 0)
		stillborn("it cannot be followed", rc);
}

/* The new call wants to be told nothing where the old one ignores it. */
static uint64_t host_exit_signal(const struct fork_request *q)
{
	return q->flags & CLONE_PARENT ? 0 : q->exit_signal;
}

static int64_t fork_copy(struct birth *b, const struct fork_request *q)
{
	struct clone_args a = {
		.flags = q->flags & ~(uint64_t)(CLONE_SETTLS | CLONE_CLEAR_SIGHAND),
		.exit_signal = host_exit_signal(q),
		.parent_tid = q->parent_tid,
		.child_tid = q->child_tid,
		.pidfd = q->pidfd,
	};
	struct signal_host_state saved;
	struct rlimit limit;
	long pid;

	if (mm_joined(b->t->proc->mm) && !q->joined) {
		b->parted = mmap(NULL, sizeof(*b->parted), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (b->parted == MAP_FAILED)
			return -ENOMEM;
	}
	/* What is sent to the child before it can take signals waits in the kernel. */
	signal_host_save(&saved);
	if (!(q->flags & CLONE_FILES))
		fd_hide_freeze();
	pid = syscall(SYS_clone3, &a, sizeof(a));
	if (pid < 0)
		pid = -errno;
	if (pid) {
		if (!(q->flags & CLONE_FILES))
			fd_hide_thaw();
		signal_host_restore(b->t, &saved);
		if (b->parted && pid > 0)
			await_part(b, (pid_t)pid);
		if (b->parted)
			munmap(b->parted, sizeof(*b->parted));
		return pid;
	}
	if (!(q->flags & CLONE_FILES))
		fdtable_copied(b->t->proc->fds, q->flags & CLONE_VFORK);
	if (b->parted)
		part(b->t, b);
	nofile_lift(&limit);
	make_vm(b->t, b);
	nofile_restore(&limit);
	be_born(b->t, b);
	return 0;
}

/* The child of a vfork: its own task and process, the parent's memory and, as the parent sleeps, its vCPU. */
static int run_child(void *arg)
{
	struct birth *b = arg;
	struct task *t = malloc(sizeof(*t));
	struct process *p = malloc(sizeof(*p));

	if (!t || !p)
		_exit(CHILD_FAILED);
	*p = *b->t->proc;
	*t = *b->t;
	t->proc = p;
	if (plan_init(&t->plan) < 0 || fdtable_copy(p->fds, &p->fds) < 0)
		_exit(CHILD_FAILED);
	if (!(b->q->flags & CLONE_FILES))
		fdtable_copied(p->fds, true);
	be_born(t, b);
	t->newborn = false;
	_exit(task_loop(t) < 0 ? CHILD_FAILED : 0); /* the session's exited() ends the process before that */
}

static int64_t fork_sharing(struct birth *b, const struct fork_request *q)
{
	char *stack = mmap(NULL, VFORK_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	struct process_self self = process_self;
	struct signal_host_state saved;
	struct fd_hide_saved hidden;
	struct task *t = b->t;
	struct clone_args a = {
		.flags = q->flags & ~(uint64_t)(CLONE_SETTLS | CLONE_CLEAR_SIGHAND),
		.exit_signal = host_exit_signal(q),
		.parent_tid = q->parent_tid,
		.child_tid = q->child_tid,
		.pidfd = q->pidfd,
		.stack = (uint64_t)(uintptr_t)stack,
		.stack_size = VFORK_STACK,
	};
	int64_t pid;

	if (stack == MAP_FAILED)
		return -errno;
	signal_host_save(&saved);
	fd_hide_save(&hidden);
	if (!(q->flags & CLONE_FILES))
		fd_hide_freeze();
	vcpu_branches_lend(t->vcpu, true);
	pid = forward_clone(&a, sizeof(a), run_child, b);
	vcpu_branches_lend(t->vcpu, false);
	fd_hide_restore(&hidden);
	if (!(q->flags & CLONE_FILES))
		fd_hide_thaw();
	signal_host_restore(t, &saved);
	process_self = self;
	munmap(stack, VFORK_STACK);
	*t->regs = b->regs;
	vcpu_set_xsave(t->vcpu, b->xsave, xsave_size(t));
	return pid;
}

int64_t clone_process(struct task *t, const struct fork_request *q, int (*ready)(struct task *child, void *arg), void *arg)
{
	cleanup_free void *xsave = malloc(xsave_size(t));
	struct birth b = { .t = t, .q = q, .regs = *t->regs, .xsave = xsave, .ready = ready, .arg = arg };
	int rc;

	if (!xsave)
		return -ENOMEM;
	rc = vcpu_get_xsave(t->vcpu, xsave, xsave_size(t));
	if (rc < 0)
		return rc;
	fflush(NULL);
	return q->flags & CLONE_VM ? fork_sharing(&b, q) : fork_copy(&b, q);
}

/* ---- the calls ---- */

static int64_t refuse(const char *what)
{
	static bool said;

	if (!said)
		fprintf(stderr, "sandrec: %s: cannot be recorded; the program gets ENOSYS\n", what);
	said = true;
	return -ENOSYS;
}

/* A pointer the kernel writes through. Natively a bad one is ignored there, too. */
static uint64_t target(uint64_t flag, uint64_t flags, uint64_t addr)
{
	int now;

	return flags & flag && guest_read(&now, addr, sizeof(now)) == 0 && guest_write(addr, &now, sizeof(now)) == 0 ? addr : 0;
}

/* Combinations that Linux refuses, before what is refused here. */
static bool flags_agree(uint64_t f)
{
	return !(f & CLONE_THREAD && !(f & CLONE_SIGHAND)) && !(f & CLONE_SIGHAND && !(f & CLONE_VM)) &&
	       !(f & CLONE_SIGHAND && f & CLONE_CLEAR_SIGHAND) && !(f & CLONE_FS && f & (CLONE_NEWNS | CLONE_NEWUSER));
}

static int64_t put_tid(struct plan *p, uint64_t addr, pid_t tid)
{
	if (!addr || guest_write(addr, &tid, sizeof(tid)) < 0)
		return 0;
	return plan_add(p, addr, sizeof(tid), DATA_MEMORY, NULL);
}

static int64_t start_thread(struct task *t, struct plan *p, const struct fork_request *q)
{
	struct session *s = t->proc->sess;
	struct task *made;
	int64_t tid;
	int rc;

	if ((q->flags & THREAD_FLAGS) != THREAD_FLAGS)
		return refuse("clone of a thread with descriptors or a working directory of its own");
	if (q->flags & (CLONE_PIDFD | CLONE_VFORK))
		return -EINVAL;
	rc = thread_make(t, q, &made);
	if (rc < 0)
		return rc;
	tid = s->ops->thread(s, t, p, made);
	if (tid < 0) {
		thread_free(made);
		return tid;
	}
	thread_add(made);
	/* Written here and not by the kernel in its own time. */
	if (q->flags & CLONE_PARENT_SETTID)
		put_tid(p, q->parent_tid, (pid_t)tid);
	if (q->flags & CLONE_CHILD_SETTID)
		put_tid(p, q->child_tid, (pid_t)tid);
	return tid;
}

static int64_t start_process(struct task *t, struct plan *p, struct fork_request *q)
{
	struct session *s = t->proc->sess;
	int64_t pid;

	if (!flags_agree(q->flags))
		return -EINVAL;
	if (q->flags & CLONE_THREAD)
		return start_thread(t, p, q);
	if (q->flags & CLONE_FILES && fdtable_share(t->proc->fds) < 0)
		return -ENOMEM;
	q->flags &= ~(uint64_t)CLONE_SIGHAND; /* handlers are copied */
	if (q->flags & CLONE_VM && !(q->flags & CLONE_VFORK)) {
		if (mm_join(t->proc->mm) < 0)
			return -ENOMEM;
		q->joined = true;
		q->flags &= ~(uint64_t)CLONE_VM;
	}
	q->parent_tid = target(CLONE_PARENT_SETTID, q->flags, q->parent_tid);
	q->child_tid = target(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, q->flags, q->child_tid);
	q->pidfd = target(CLONE_PIDFD, q->flags, q->pidfd);
	if (q->flags & CLONE_PIDFD && !q->pidfd)
		return -EFAULT;
	pid = s->ops->fork(s, t, p, q);
	if (pid < 0)
		return pid;
	if (pid == 0)
		return SYS_REGS_SET;
	if (q->parent_tid)
		plan_add(p, q->parent_tid, sizeof(int), DATA_MEMORY, NULL);
	if (q->pidfd)
		plan_add(p, q->pidfd, sizeof(int), DATA_MEMORY, NULL);
	return pid;
}

int64_t do_fork(struct task *t, struct plan *p)
{
	return start_process(t, p, &(struct fork_request){ .exit_signal = SIGCHLD });
}

int64_t do_vfork(struct task *t, struct plan *p)
{
	return start_process(t, p, &(struct fork_request){ .flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD });
}

int64_t do_clone(struct task *t, struct plan *p)
{
	/* The old call has one pointer for two uses, which clone3 keeps apart; the kernel refuses both together. */
	struct fork_request q = {
		.flags = (uint32_t)p->arg[0] & ~(uint64_t)CSIGNAL, .exit_signal = p->arg[0] & CSIGNAL, .stack = p->arg[1],
		.parent_tid = p->arg[2], .pidfd = p->arg[2], .child_tid = p->arg[3], .tls = p->arg[4],
	};

	if ((q.flags & (CLONE_PIDFD | CLONE_PARENT_SETTID)) == (CLONE_PIDFD | CLONE_PARENT_SETTID))
		return -EINVAL;
	q.flags &= ~(uint64_t)CLONE_DETACHED;
	return start_process(t, p, &q);
}

/* The extensible structure: shorter ones are zero-extended, longer ones must have zeros where we know nothing. */
static int read_clone_args(struct clone_args *a, uint64_t addr, uint64_t size)
{
	unsigned char raw[CLONE_ARGS_MAX];

	if (size > sizeof(raw))
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	if (guest_read(raw, addr, size) < 0)
		return -EFAULT;
	for (uint64_t i = sizeof(*a); i < size; i++)
		if (raw[i])
			return -E2BIG;
	memset(a, 0, sizeof(*a));
	memcpy(a, raw, size < sizeof(*a) ? size : sizeof(*a));
	return 0;
}

int64_t do_clone3(struct task *t, struct plan *p)
{
	struct fork_request q;
	struct clone_args a;
	int rc = read_clone_args(&a, p->arg[0], p->arg[1]);

	if (rc < 0)
		return rc;
	if (a.exit_signal > 64 || a.flags & ((CSIGNAL & ~CLONE_NEWTIME) | CLONE_DETACHED) || !a.stack != !a.stack_size ||
	    (a.exit_signal && a.flags & (CLONE_PARENT | CLONE_THREAD)))
		return -EINVAL;
	if (a.set_tid_size || a.flags & CLONE_INTO_CGROUP)
		return -EPERM; /* what a process without the privilege hears */
	q = (struct fork_request){
		.flags = a.flags, .exit_signal = a.exit_signal, .stack = a.stack ? a.stack + a.stack_size : 0,
		.tls = a.tls, .parent_tid = a.parent_tid, .child_tid = a.child_tid, .pidfd = a.pidfd,
	};
	return start_process(t, p, &q);
}
