/* Running without recording. Contract: plain.h. */
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/handover.h"
#include "record/live.h"
#include "record/plain.h"
#include "record/sched.h"
#include "record/thread.h"
#include "syscall-emu/clone.h"
#include "syscall-emu/fd.h"
#include "syscall-emu/kernel_shared.h"
#include "syscall-emu/loader.h"
#include "syscall-emu/mm_join.h"
#include "syscall-emu/signal_host.h"

static bool plain_serves(struct session *s, struct task *t)
{
	(void)s;
	return !sched_asked(t);
}

static bool plain_contended(struct session *s, struct task *t)
{
	(void)s;
	return sched_contended(t);
}

static int plain_syscall(struct session *s, struct task *t, const struct sys_desc *desc, int64_t *ret)
{
	int64_t rc;

	(void)s;
	mm_join_follow(t->proc->mm);
	rc = syscall_prepare(t, desc);
	*ret = rc < 0 ? rc : syscall_perform(t, desc);
	return 0;
}

static int plain_resume(struct session *s, struct task *t)
{
	(void)s;
	return sched_asked(t) ? TASK_SIGNAL : 0;
}

static int plain_preempt(struct session *s, struct task *t, bool point)
{
	(void)s;
	if (!sched_wants_switch(t))
		return 0;
	if (point)
		signal_preempted(t);
	sched_yield_baton(t);
	return 0;
}

static void plain_blocks(struct session *s, struct task *t)
{
	(void)s;
	sched_leave(t, true);
}

static void plain_unblocks(struct session *s, struct task *t)
{
	(void)s;
	sched_enter(t);
}

static void plain_shares(struct session *s, struct task *t)
{
	(void)s, (void)t; /* nobody has to repeat the order */
}

static void begin_thread(struct task *made, struct task *before)
{
	(void)made, (void)before;
}

static int64_t plain_thread(struct session *s, struct task *t, struct plan *p, struct task *made)
{
	(void)s, (void)p;
	return live_thread(t, made, begin_thread);
}

static int plain_fault(struct session *s, struct task *t, const siginfo_t *si)
{
	(void)s, (void)t, (void)si;
	return 0;
}

/* Nothing has to find this place again. */
static int plain_kicked(struct session *s, struct task *t)
{
	int rc = live_kicked(s, t);

	return rc || (!t->pending && !sched_asked(t)) ? rc : TASK_SIGNAL;
}

static int plain_landed(struct session *s, struct task *t)
{
	(void)s, (void)t;
	return 0; /* never armed */
}

static int plain_map_file(struct session *s, struct task *t, struct plan *p, int fd, int prot, int flags,
			  uint64_t offset, uint64_t len, struct map_source *src)
{
	struct file_map m;

	(void)s, (void)p;
	/* Nothing has to be told apart from what the kernel does: the guest gets its memory itself. */
	if (!fd_is_ours(fd) && kernel_shared_is_kind(t->proc->fds, fd, src->path, sizeof(src->path))) {
		src->fd = fd;
		src->offset = offset;
		return 0;
	}
	return live_map_file(t, fd, prot, flags, offset, len, src, &m);
}

static int plain_image_file(struct session *s, struct exec_params *x, unsigned index, const char *path)
{
	struct plain *p = (struct plain *)s;
	int fd = p->program_fd;

	(void)x;
	if (index || fd < 0)
		return live_image_file(path);
	return live_image_fd(fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

/* The host's addresses and thread numbers are the guest's. */
static void plain_robust_list(struct session *s, struct task *t)
{
	(void)s;
	syscall(SYS_set_robust_list, t->robust_list, sizeof(struct robust_list_head));
}

static int plain_exited(struct session *s, struct task *t)
{
	(void)s;
	signal_host_die(t->wait_status);
}

static int ready(struct task *child, void *arg)
{
	(void)arg;
	child->proc->pid = getpid();
	child->tid = (pid_t)syscall(SYS_gettid);
	return 0;
}

static int64_t plain_fork(struct session *s, struct task *t, struct plan *p, const struct fork_request *q)
{
	(void)s, (void)p;
	live_threads_settle(t->proc);
	return clone_process(t, q, ready, NULL);
}

static int64_t plain_exec(struct session *s, struct task *t, struct plan *p, struct exec_request *q)
{
	struct plain *plain = (struct plain *)s;
	struct handover h;
	int64_t rc;

	rc = live_exec(t, p, q, &plain->program_fd);
	if (rc < 0)
		return rc;
	handover_fill(&h, t);
	h.kind = HANDOVER_PLAIN;
	h.shared_fd = plain->shared_fd;
	signal_host_requeue(t);
	handover_exec(&h, q);
	signal_host_die(SIGKILL); /* as Linux ends a program whose exec fails too late to return */
}

const struct session_ops plain_ops = {
	.name = "plain",
	.turn = live_turn,
	.preempt = plain_preempt,
	.blocks = plain_blocks,
	.unblocks = plain_unblocks,
	.resume = plain_resume,
	.serves = plain_serves,
	.contended = plain_contended,
	.syscall = plain_syscall,
	.tsc = live_tsc,
	.fault = plain_fault,
	.signal = live_signal,
	.kicked = plain_kicked,
	.landed = plain_landed,
	.set_mask = live_set_mask,
	.set_action = live_set_action,
	.map_file = plain_map_file,
	.map_done = live_map_done,
	.bpf_object = bpf_object_ask,
	.image_file = plain_image_file,
	.fork = plain_fork,
	.shares = plain_shares,
	.thread = plain_thread,
	.thread_ended = live_thread_ended,
	.robust_list = plain_robust_list,
	.futex_wake = live_futex_wake,
	.exec = plain_exec,
	.exited = plain_exited,
};
