/* A live session goes on in a new image of sandrec. Contract: handover_resume in handover.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/guest.h"
#include "record/handover.h"
#include "record/plain.h"
#include "record/recorder.h"
#include "syscall-emu/seccomp.h"
#include "syscall-emu/fdtable.h"
#include "syscall-emu/signal_host.h"
#include "vmm/proc_self.h"

/* Too late to return an error from execve: Linux ends such a program with SIGSEGV. */
static _Noreturn void too_late(const struct exec_request *q, const char *why)
{
	fprintf(stderr, "sandrec: %s cannot be executed any more: %s\n", q->path, why);
	signal_host_die(SIGSEGV);
}

/*
 * Signals first: from here on one that the guest does not block may end the process, as it would without us. What the
 * kernel ignores already stays untouched: asking for it again would drop a pending signal.
 */
static void restore_signals(const struct handover *h)
{
	struct sigaction now;

	for (int sig = 1; sig <= 64; sig++)
		if (h->ignored >> (sig - 1) & 1 && sigaction(sig, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			signal(sig, SIG_IGN);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &h->mask, NULL, sizeof(h->mask));
}

static int open_recorder(const struct handover *h, int program_fd, struct recorder **out)
{
	struct recorder_links link = {
		.dir = fd_hide(h->dir_fd),
		.control = fd_hide(h->control_fd),
		.shared = fd_hide(h->shared_fd),
		.ring_fd = h->ring_fd < 0 ? -1 : fd_hide(h->ring_fd),
		.number = h->number,
		.program_fd = program_fd,
	};
	int rc;

	if (link.dir < 0 || link.control < 0 || link.shared < 0 || (h->ring_fd >= 0 && link.ring_fd < 0))
		return -EMFILE;
	rc = tree_open(link.shared, &link.tree);
	if (rc == 0 && link.ring_fd >= 0)
		rc = recorder_open_ring(&link);
	if (rc < 0)
		return rc;
	if (link.ring)
		ring_resume(link.ring, h->events);
	/* Not for a program that has lost the right to them. */
	if (link.ring && files_open(link.dir, fd_hide, &link.files) == 0)
		files_continue(link.files);
	return recorder_create(&link, out);
}

static struct session *open_session(const struct handover *h, struct exec_request *q, struct recorder **rec)
{
	static struct plain plain = { { &plain_ops }, -1, -1 };
	struct tree *tree;
	int rc;

	if (h->kind == HANDOVER_PLAIN) {
		plain.program_fd = q->fd;
		plain.shared_fd = h->shared_fd < 0 ? -1 : fd_hide(h->shared_fd);
		if (plain.shared_fd >= 0)
			tree_open(plain.shared_fd, &tree); /* a cache and nothing more */
		return &plain.base;
	}
	rc = open_recorder(h, q->fd, rec);
	if (rc < 0)
		too_late(q, strerror(-rc));
	return recorder_session(*rec);
}

/* A program without a name is found again only by the descriptor it was executed by. */
static void keep_nameless(struct task *t, struct exec_request *q)
{
	struct process *p = t->proc;
	char path[sizeof(p->exe)];

	proc_self_name(q->fd, path, sizeof(path));
	if (p->fds->exe_fd >= 0 || strcmp(path, p->exe))
		return;
	p->fds->exe_fd = q->fd;
	q->fd = -1;
}

void handover_resume(struct handover *h, struct exec_request *q)
{
	struct run_request run = { .program = q->path, .argv = q->argv, .envp = q->envp, .verbose = h->verbose,
				   .inject = &h->inject };
	struct run_result res = { 0 };
	struct recorder *rec = NULL;
	struct exec_params x;
	struct session *s;
	struct rlimit limit;
	struct task *t;
	int rc;

	restore_signals(h);
	process_self = h->self;
	nofile_lift(&limit);
	rc = handover_inherit(h);
	if (rc < 0)
		too_late(q, strerror(-rc));
	q->fd = fd_hide_program(q->fd);
	s = open_session(h, q, &rec);
	rc = guest_start(s, &run, &h->kvm, &h->cpu, &x, &t, &res);
	if (rc == 0)
		rc = fdtable_restore(t->proc->fds, &h->fds);
	if (rc == 0)
		rc = seccomp_restore(t, h->filters, h->filters_len);
	if (rc == 0 && rec)
		rc = recorder_exec(rec, t, &x);
	if (rc < 0)
		too_late(q, res.why[0] ? res.why : strerror(-rc));
	keep_nameless(t, q);
	exec_params_free(&x);
	exec_request_free(q);
	nofile_restore(&limit);
	rc = task_loop(t);
	_exit(rc < 0 ? 70 : 0); /* the session's exited() ends the process before that */
}
