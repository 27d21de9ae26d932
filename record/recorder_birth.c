/* Processes and program images while recording. Contract: recorder_int.h, recorder.h. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "record/control.h"
#include "record/handover.h"
#include "record/live.h"
#include "record/recorder_int.h"
#include "syscall-emu/clone.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/signal_host.h"
#include "syscall-emu/threads.h"
#include "vmm/cleanup.h"

struct birth {
	struct recorder *parent, *made;
	const struct fork_request *q;
	pid_t parent_pid;
	int number, ring_fd; /* the child's; <= 0: it cannot be recorded */
};

/* In the child: the ring it was given instead of its parent's. */
static int change_ring(struct birth *b, struct recorder_links *link)
{
	if (!(b->q->flags & CLONE_VM) && link->ring)
		ring_close(link->ring); /* our copy of the parent's */
	if (link->ring_fd >= 0 && !(b->q->flags & CLONE_FILES))
		fd_hidden_close(link->ring_fd);
	link->number = b->number;
	link->ring = NULL;
	link->ring_fd = -1;
	link->world = NULL; /* it is about one process */
	if (b->number <= 0)
		return 0;
	link->ring_fd = b->ring_fd;
	return recorder_open_ring(link);
}

/* In the child: its own ring, announced to the supervisor, begins with the registers it starts with. */
static int child_ready(struct task *t, void *arg)
{
	struct birth *b = arg;
	struct recorder_links link = b->parent->link;
	struct fork_annex annex = {
		.parent = b->parent_pid,
		.pid = getpid(),
		.parent_number = b->parent->link.number,
		.child_tid = b->q->flags & CLONE_CHILD_SETTID ? b->q->child_tid : 0,
	};
	struct event ev = { .type = REC_FORK, .tid = annex.pid, .regs = *t->regs, .annex = &annex,
			    .annex_len = sizeof(annex) };
	int rc = change_ring(b, &link);

	t->proc->pid = t->tid = annex.pid;
	if (rc == 0)
		rc = recorder_create(&link, &b->made);
	if (rc < 0)
		return rc;
	/* In memory lent by the parent, and while the parent waits for it, it runs in the parent's turn. */
	t->proc->grouped &= !(b->q->flags & (CLONE_VM | CLONE_VFORK));
	t->proc->sess = &b->made->base;
	recorder_tell(b->made, CONTROL_BORN, t, annex.parent_number);
	recorder_log(b->made, &ev);
	recorder_take_turn(b->made, t);
	return 0;
}

int64_t recorder_fork(struct session *s, struct task *t, struct plan *p, const struct fork_request *q)
{
	struct recorder *r = recorder_of(s);
	struct birth b = { .parent = r, .q = q, .parent_pid = t->proc->pid };
	int64_t pid;
	int32_t number;

	if (q->joined || (!(q->flags & CLONE_VM) && mm_shared_writable(t->proc->mm)))
		recorder_shares(s, t);

	/* Taken before, so that our own event can say which one it is. */
	b.number = r->cut ? 0 : control_take_ring(r->link.control, &b.ring_fd);
	/* What it does in our memory has to be in a recording of ours, too. */
	if (!r->cut && b.number <= 0 && q->flags & CLONE_VM)
		ring_stop(r->link.ring);
	pid = clone_process(t, q, child_ready, &b);
	if (pid == 0)
		return 0;
	number = b.number > 0 ? b.number : 0;
	if (number && (pid < 0 || !(q->flags & CLONE_FILES)))
		fd_hidden_close(b.ring_fd); /* it is the child's */
	plan_set_annex(p, &number, sizeof(number));
	if (b.made) { /* a vfork child made it in our memory, and is gone to its own */
		ring_close(b.made->link.ring);
		free(b.made);
	}
	return pid;
}

int64_t recorder_exec_call(struct session *s, struct task *t, struct plan *p, struct exec_request *q)
{
	struct recorder *r = recorder_of(s);
	struct handover h;
	int64_t rc;

	rc = live_exec(t, p, q, &r->link.program_fd);
	if (rc < 0)
		return rc;
	threads_release_robust(t->proc);
	recorder_log_syscall(r, t, t->regs, 0);
	handover_fill(&h, t);
	h.kind = HANDOVER_RECORD;
	h.kvm.image = (h.kvm.image + 1) % KVM_IMAGES;
	h.dir_fd = r->link.dir;
	h.control_fd = r->link.control;
	h.shared_fd = r->link.shared;
	h.number = r->link.number;
	if (!r->cut) {
		h.ring_fd = r->link.ring_fd;
		h.events = ring_events(r->link.ring);
	}
	recorder_tell(r, CONTROL_VM, t, 0);
	recorder_end_turn(r, t);
	signal_host_requeue(t);
	handover_exec(&h, q);
	signal_host_die(SIGKILL); /* as Linux ends a program whose exec fails too late to return */
}

int recorder_exec(struct recorder *r, struct task *t, const struct exec_params *x)
{
	struct event ev = { .type = REC_EXEC, .tid = t->tid, .regs = *t->regs };
	cleanup_free void *blob = NULL;
	int rc = exec_params_encode(x, &blob, &ev.annex_len);

	if (rc < 0)
		return rc;
	ev.annex = blob;
	recorder_tell(r, CONTROL_PROGRAM, t, 0);
	recorder_log(r, &ev);
	return 0;
}
