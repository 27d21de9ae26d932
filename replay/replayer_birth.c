/* Processes and program images on replay. Contract: replayer_int.h, replayer.h. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "record/handover.h"
#include "replay/debuggee.h"
#include "replay/divergence.h"
#include "replay/only.h"
#include "replay/replayer_int.h"
#include "syscall-emu/clone.h"
#include "syscall-emu/fd.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/threads.h"
#include "trace/manifest.h"

struct birth {
	struct replayer *parent, *made;
	int number;
	bool nothing; /* of what it did there is no recording; a vfork child says so in its parent's memory */
};

/* Was it killed before it could log anything? A recording that ended in order lists all the others. */
static bool never_ran(const struct birth *b)
{
	struct manifest m;
	char why[256];
	bool listed = false;

	if (b->parent->link.tree->cut)
		return true;
	if (b->number <= 0)
		return false;
	if (manifest_read(b->parent->link.dir, &m, why, sizeof(why)) < 0)
		return false;
	for (size_t i = 0; i < m.nprocs; i++)
		listed |= m.procs[i].number == b->number;
	manifest_free(&m);
	return !listed;
}

/* 0, 1: there is nothing to replay, or a negative errno that has been reported. */
static int open_child(struct birth *b)
{
	struct replay_links link = b->parent->link;
	struct stream_reader *reader;
	char why[256];
	int rc = b->number ? replayer_open_stream(link.dir, b->number, &reader, why, sizeof(why)) : -ENOENT;

	if (rc == -ENOENT && never_ran(b))
		return 1;
	if (rc < 0) {
		fprintf(stderr, "sandrec: process %d: %s\n", (int)b->parent->ev.result, b->number ? why : "it was not recorded");
		return rc;
	}
	link.number = b->number;
	link.pid = (pid_t)b->parent->ev.result;
	link.main_process = false;
	link.ended_status = SIGKILL;
	return replayer_create(&link, reader, &b->made);
}

/* The first event of its own stream says how it starts. 1: it never did. */
static int begin_child(struct task *t, struct birth *b)
{
	struct fork_annex annex;
	int rc = open_child(b);

	if (rc)
		return rc;
	t->proc->sess = &b->made->base;
	rc = replayer_peek(b->made);
	if (rc == 0 || (rc == -ENODATA && b->parent->link.tree->cut))
		return 1;
	if (rc > 0 && b->made->ev.type == REC_FORK && b->made->ev.annex_len == sizeof(annex)) {
		memcpy(&annex, b->made->ev.annex, sizeof(annex));
		b->made->link.pid = t->proc->pid = t->tid = annex.pid; /* in its own pid namespace */
	}
	rc = replayer_expect(b->made, t, REC_FORK);
	if (rc < 0)
		return rc;
	if (b->made->ev.annex_len != sizeof(annex))
		return divergence(&b->made->ev, "its annex has %u bytes", b->made->ev.annex_len);
	if (annex.child_tid)
		mm_poke(t->proc->mm, annex.child_tid, &annex.pid, sizeof(annex.pid));
	replayer_consume(b->made);
	/* It may have to wait for others before the first thing that happens to it, a signal for one. */
	return replayer_first_turn(b->made, t);
}

/* In the child. Of one that was cut off at birth nothing can be seen. */
static int child_ready(struct task *t, void *arg)
{
	struct birth *b = arg;
	struct tree *tree = b->parent->link.tree;
	int rc = begin_child(t, b);

	if (rc == 0)
		return 0;
	b->nothing = rc > 0;
	if (rc < 0)
		tree_fail(tree);
	tree_leave(tree);
	_exit(rc == DIVERGED ? DIVERGENCE_EXIT : 0);
}

/* The recording of a child that ran in t's memory ended before that child did: what t found then, nobody knows. */
static void ends_in_child(struct replayer *r, struct task *t)
{
	t->dead = true;
	t->wait_status = r->link.ended_status;
	snprintf(r->cut, sizeof(r->cut), "recording was stopped while a child ran in the memory of process %d", r->link.pid);
}

/* The kernel makes a process to replay in; nothing else of the guest's request is meant for this kernel. */
int64_t replayer_fork(struct session *s, struct task *t, struct plan *p, const struct fork_request *q)
{
	struct birth b = { .parent = replayer_of(s) };
	struct fork_request host = *q;
	struct tree *tree = b.parent->link.tree;
	int64_t pid;

	if (p->annex_len != sizeof(b.number))
		return divergence(&b.parent->ev, "it does not say which process it made");
	memcpy(&b.number, p->annex, sizeof(b.number));
	if (only_one(tree) && !only_on_way(tree, b.number) && !(q->flags & CLONE_VM)) {
		if (replayer_debugged(b.parent))
			debuggee_forked(b.parent->link.debug, (pid_t)p->recorded, q->flags & CLONE_VFORK);
		return p->recorded;
	}
	/* In memory that both share, the kernel's zero at the child's end is seen. */
	host.flags &= CLONE_VM | CLONE_VFORK | CLONE_SETTLS | CLONE_CHILD_CLEARTID;
	host.exit_signal = SIGCHLD;
	host.parent_tid = host.pidfd = 0;
	__atomic_fetch_add(&tree->live, 1, __ATOMIC_SEQ_CST);
	pid = clone_process(t, &host, child_ready, &b);
	if (pid == 0)
		return 0;
	if (pid < 0) {
		tree_leave(tree);
		return pid;
	}
	if (replayer_debugged(b.parent))
		debuggee_forked(b.parent->link.debug, (pid_t)p->recorded, q->flags & CLONE_VFORK);
	if (q->flags & CLONE_VFORK && tree->cut && (b.nothing || (b.made && b.made->cut[0])))
		ends_in_child(b.parent, t);
	if (b.made) /* a vfork child made it in our memory, and is gone to its own */
		replayer_destroy(b.made);
	b.parent->passed = only_on_way(tree, b.number);
	if (b.parent->passed && b.parent->link.debug) {
		close(debuggee_socket(b.parent->link.debug)); /* it is the child's alone */
		b.parent->link.debug = NULL;
	}
	return p->recorded;
}

/* Killed while it was becoming another program: the new image has logged nothing. */
static bool ends_in_exec(struct replayer *r, struct task *t)
{
	struct event next;
	int rc;

	ahead_happened(r->ahead); /* the execve, of which nothing else is wanted */
	rc = ahead_next(r->ahead, &next);

	if (rc && rc != -ENODATA)
		return false;
	t->dead = true;
	t->wait_status = r->link.ended_status;
	snprintf(r->cut, sizeof(r->cut), "the recording ends in an execve: the program was killed, or recording was stopped");
	return true;
}

int64_t replayer_exec_call(struct session *s, struct task *t, struct plan *p, struct exec_request *q)
{
	struct replayer *r = replayer_of(s);
	struct handover h;
	uint64_t next = r->ev.index + 1;

	(void)p, (void)q;
	if (ends_in_exec(r, t))
		return 0;
	if (only_one(r->link.tree) && !r->link.main_process && !only_on_way(r->link.tree, r->link.number)) {
		tree_leave(r->link.tree); /* it ran in its parent's memory so far, and leaves that now */
		_exit(0);
	}
	threads_release_robust(t->proc);
	replayer_end_turn(r);
	handover_fill(&h, t);
	h.kind = HANDOVER_REPLAY;
	h.fds = (struct fdtable_state){ .saved = { -1, -1, -1 } };
	h.dir_fd = r->link.dir;
	h.shared_fd = r->link.shared;
	h.number = r->link.number;
	h.events = next;
	h.main_process = r->link.main_process;
	h.quiet_output = r->link.quiet_output;
	h.ended_status = r->link.ended_status;
	if (r->link.debug) {
		h.debug_fd = debuggee_socket(r->link.debug);
		h.debug_number = debuggee_number(r->link.debug);
	}
	return handover_exec(&h, NULL);
}

int replayer_exec(struct replayer *r, struct exec_params *x, pid_t *tid)
{
	int rc = replayer_peek(r);

	if (rc < 0)
		return replayer_damaged(r, rc);
	if (rc == 0 || r->ev.type != REC_EXEC) {
		fprintf(stderr, "sandrec: the recording does not start with a program: it ended before the program ran\n");
		return -EBADMSG;
	}
	rc = exec_params_decode(r->ev.annex, r->ev.annex_len, x);
	if (rc < 0)
		fprintf(stderr, "sandrec: the first event is damaged\n");
	*tid = r->ev.tid;
	return rc;
}

int replayer_started(struct replayer *r, struct task *t)
{
	int rc = replayer_expect(r, t, REC_EXEC);

	if (rc == 0)
		replayer_consume(r);
	return rc;
}
