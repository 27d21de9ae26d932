/* From a trace directory to a replayed program. Contract: replay.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/handover.h"
#include "replay/debuggee.h"
#include "replay/divergence.h"
#include "replay/only.h"
#include "replay/progress.h"
#include "replay/replay.h"
#include "replay/replayer.h"
#include "syscall-emu/seccomp.h"
#include "syscall-emu/signal_host.h"
#include "trace/manifest.h"
#include "vmm/pmu_proof.h"

/* One process to be replayed: where its stream is and where in it to begin. */
struct job {
	struct replay_links link;
	const struct kvm_host *kvm;
	const struct cpu_table *cpu;
	uint64_t first;
	const void *filters; /* seccomp_save()'s, from the image before; NULL: the first one */
	uint32_t filters_len;
};

static int failed(struct replay_result *res, int rc, const char *what)
{
	snprintf(res->why, sizeof(res->why), "%s: %s", what, strerror(-rc));
	return rc;
}

/* Loads the program image as recorded and runs it to the end. */
static int run_guest(struct replayer *r, const struct job *j, struct replay_result *res)
{
	struct exec_params x = { 0 };
	struct process *proc;
	struct task *t = NULL;
	pid_t tid;
	int rc = replayer_exec(r, &x, &tid);

	if (rc < 0)
		return rc;
	rc = process_create(replayer_session(r), j->kvm, j->cpu, x.pid, &t, res->why, sizeof(res->why));
	proc = t ? t->proc : NULL;
	if (rc == 0) {
		t->tid = tid;
		rc = signal_host_guard(); /* guest memory is touched with a net under it */
	}
	if (rc == 0) {
		signal_inherit(t, x.sigmask, x.sigignored);
		rc = loader_exec(t, &x, res->why, sizeof(res->why));
	}
	exec_params_free(&x);
	if (rc == 0 && j->filters)
		rc = seccomp_restore(t, j->filters, j->filters_len);
	if (rc == 0)
		rc = replayer_started(r, t);
	if (rc == 0)
		rc = task_loop(t);
	if (rc < 0 && proc && replayer_debuggee(proc->sess))
		debuggee_failed(replayer_debuggee(proc->sess));
	res->status = rc == 0 ? proc->wait_status : 0;
	/* The child of a fork comes back here too, with a session of its own, when that has failed. */
	if (rc < 0 && proc && proc->sess != replayer_session(r)) {
		tree_fail(j->link.tree);
		tree_leave(j->link.tree);
		_exit(DIVERGENCE_EXIT);
	}
	return rc;
}

static int run_stream(const struct job *j, struct replay_result *res)
{
	struct stream_reader *reader;
	struct replayer *r;
	int rc = replayer_open_stream(j->link.dir, j->link.number, &reader, res->why, sizeof(res->why));

	if (rc < 0)
		return rc;
	rc = replayer_create(&j->link, reader, &r);
	if (rc < 0)
		return failed(res, rc, "cannot open the recording's files");
	if (j->first)
		rc = stream_seek(reader, j->first);
	if (rc < 0)
		failed(res, rc, "cannot find the program image's first event");
	else
		rc = run_guest(r, j, res);
	res->events = replayer_events(r) + j->first;
	snprintf(res->cut, sizeof(res->cut), "%s", replayer_cut(r) ? replayer_cut(r) : "");
	replayer_destroy(r);
	return rc;
}

/*
 * Every process of the tree has become a child of the first one, or is a child of one that has. They report what they
 * can; this one sees those that were killed.
 */
static void wait_for_others(struct tree *tree)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR)
		if (pid > 0 && WIFSIGNALED(status)) {
			fprintf(stderr, "sandrec: a process of the replay was killed by signal %d\n", WTERMSIG(status));
			tree_fail(tree);
		}
}

static int tree_result(const struct tree *tree, int rc, struct replay_result *res)
{
	if (rc < 0)
		return rc;
	if (tree->failed == TREE_DIVERGED)
		return DIVERGED;
	if (tree->failed) {
		snprintf(res->why, sizeof(res->why), "not every process could be replayed");
		return -EBADMSG;
	}
	return only_result(tree, rc, res);
}

static int replay_process(const struct job *j, struct replay_result *res)
{
	struct tree *tree = j->link.tree;
	int rc;

	res->check = tree->check;
	divergence_note_in(&tree->failed);
	progress_begin(tree, j->link.main_process);
	rc = run_stream(j, res);
	if (rc < 0)
		tree_fail(tree);
	tree_leave(tree);
	if (!j->link.main_process) {
		progress_wipe();
		if (res->why[0])
			fprintf(stderr, "sandrec: process %d: %s\n", j->link.pid, res->why);
		_exit(rc < 0 ? DIVERGENCE_EXIT : 0);
	}
	wait_for_others(tree);
	progress_end();
	return tree_result(tree, rc, res);
}

static int find_only(int dir, const struct manifest *m, int number, struct tree_only *o, struct replay_result *res)
{
	for (size_t i = 0; i < m->nprocs; i++)
		if (m->procs[i].number == number && m->procs[i].ended)
			o->status = m->procs[i].status;
	return number ? only_find(dir, number, o, res->why, sizeof(res->why)) : 0;
}

static int replay_first(int dirfd, const struct manifest *m, const struct replay_request *q, struct kvm_host *kvm,
			struct replay_result *res)
{
	struct job j = {
		.link = {
			.number = m->procs[0].number,
			.pid = m->procs[0].pid,
			.main_process = true,
			.quiet_output = q->quiet_output,
			.ended_status = m->procs[0].ended ? m->procs[0].status : 0,
		},
		.kvm = kvm,
		.cpu = &m->cpu,
	};
	int rc = handover_prepare();

	j.link.dir = rc < 0 ? rc : fd_hide(dup(dirfd));
	kvm->fd = fd_hide(kvm->fd);
	if (rc == 0 && j.link.dir >= 0)
		rc = tree_create(&j.link.tree, &j.link.shared);
	if (rc < 0 || j.link.dir < 0)
		return failed(res, rc < 0 ? rc : j.link.dir, "cannot set up the replay");
	j.link.tree->live = 1;
	j.link.tree->group.turn = 1;
	j.link.tree->cut = !m->complete;
	j.link.tree->check = q->check;
	rc = find_only(j.link.dir, m, q->only, &j.link.tree->only, res);
	if (rc < 0)
		return rc;
	if (q->debug)
		rc = debuggee_create(q->debug, q->only, &j.link.debug);
	else
		progress_plan(j.link.dir, j.link.number, j.link.tree);
	if (rc < 0)
		return failed(res, rc, "cannot set up the replay");
	/* Processes whose parent ends come to this one, which waits for all. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return replay_process(&j, res);
}

int replay_run(int dirfd, const struct replay_request *q, struct replay_result *res)
{
	static struct kvm_host kvm; /* both stay: processes of the tree use them to the end */
	static struct manifest m;
	int rc = manifest_read(dirfd, &m, res->why, sizeof(res->why));

	if (rc < 0)
		return rc;
	if (m.nprocs == 0) {
		snprintf(res->why, sizeof(res->why), "the recording has no process");
		return -EBADMSG;
	}
	rc = kvm_host_open(&kvm, res->why, sizeof(res->why));
	if (rc == 0)
		rc = cpu_table_check(&kvm, &m.cpu, res->why, sizeof(res->why));
	if (rc < 0)
		return rc;
	/* Without the counter points are found by their states. */
	if (m.clock && !strcmp(m.clock, "pmu"))
		pmu_prove(&kvm, &m.cpu);
	fd_hide_init();
	return replay_first(dirfd, &m, q, &kvm, res);
}

static int take_debugger(struct job *j, const struct handover *h)
{
	int sock = fd_hide(h->debug_fd), rc = sock < 0 ? sock : debuggee_create(sock, h->debug_number, &j->link.debug);

	if (rc == 0 && h->number == h->debug_number)
		debuggee_executed(j->link.debug);
	return rc;
}

int replay_resume(struct handover *h, struct replay_result *res)
{
	struct job j = {
		.link = {
			.number = h->number,
			.pid = h->pid,
			.main_process = h->main_process,
			.quiet_output = h->quiet_output,
			.ended_status = h->ended_status,
		},
		.kvm = &h->kvm,
		.cpu = &h->cpu,
		.first = h->events,
		.filters = h->filters,
		.filters_len = h->filters_len,
	};
	int rc;

	process_self = h->self;
	rc = handover_inherit(h);
	if (rc < 0)
		return failed(res, rc, "cannot go on in a new program image");
	j.link.dir = fd_hide(h->dir_fd);
	j.link.shared = fd_hide(h->shared_fd);
	rc = j.link.dir < 0 || j.link.shared < 0 ? -EMFILE : tree_open(j.link.shared, &j.link.tree);
	if (rc == 0 && h->debug_fd >= 0)
		rc = take_debugger(&j, h);
	if (rc < 0)
		return failed(res, rc, "cannot go on in a new program image");
	return replay_process(&j, res);
}
