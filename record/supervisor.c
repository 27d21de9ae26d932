/*
 * The supervisor: starts the guest process, compresses what it writes to the ring and keeps the manifest. Contract:
 * run.h. This thread waits for the first guest process; the collector's threads follow all of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/collector.h"
#include "record/confine.h"
#include "record/forward_signals.h"
#include "record/guest.h"
#include "record/handover.h"
#include "record/plain.h"
#include "record/recorder.h"
#include "record/world.h"
#include "syscall-emu/fd.h"
#include "trace/manifest.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"
#include "vmm/pmu_proof.h"

/* What the guest process says once, when its program is about to run or could not be started. */
struct start_report {
	int32_t failed; /* negative errno, 0 = started */
	int32_t start_error;
	char why[256];
};

struct supervisor {
	const struct run_request *q;
	struct run_result *res;
	struct manifest m;
	struct manifest_proc proc;  /* what the first manifest says */
	struct collector *followers;
	struct tree *tree;
	bool pmu;                   /* execution points are counted by the branch clock */
	int dir, control, shared, ring;
};

static void run_schedule(const struct run_request *q)
{
	process_self.slice_ns = q->slice_ns;
	process_self.chaos = q->chaos;
	process_self.seed = q->seed;
	process_self.places = q->places;
	process_self.switches = q->switches;
	process_self.marked = q->marked != NULL;
	if (q->sandbox)
		process_self.sandbox = *q->sandbox;
	process_self.serve = (uint8_t)q->serve;
}

/* The guest process: never returns. go: readable (at its end) when the supervisor is ready; report: to be written once. */
static _Noreturn void guest_process(const struct run_request *q, const struct kvm_host *kvm_in,
				    const struct cpu_table *cpu, struct recorder_links *link, int go, int report)
{
	struct run_result res = { 0 };
	struct start_report rep = { 0 };
	struct kvm_host kvm = *kvm_in;
	struct recorder *rec = NULL;
	struct exec_params x = { 0 };
	struct task *t = NULL;
	char c;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	process_self.supervised = true;
	run_schedule(q);
	while (read(go, &c, 1) < 0 && errno == EINTR)
		;
	close(go);
	report = fd_hide(report);
	kvm.fd = fd_hide(kvm.fd);
	link->dir = fd_hide(link->dir);
	link->control = fd_hide(link->control);
	link->ring_fd = fd_hide(link->ring_fd);
	rc = handover_prepare();
	if (rc == 0)
		rc = recorder_open_ring(link);
	if (rc == 0)
		rc = files_open(link->dir, fd_hide, &link->files);
	if (rc == 0)
		rc = recorder_create(link, &rec);
	if (rc < 0)
		snprintf(res.why, sizeof(res.why), "cannot open the new trace: %s", strerror(-rc));
	else if (q->world && (rc = world_begin(q->world, q->program, fd_hide)) < 0)
		snprintf(res.why, sizeof(res.why), "cannot use the recording that is to answer: %s", strerror(-rc));
	else if (q->cwd && chdir(q->cwd) < 0)
		snprintf(res.why, sizeof(res.why), "cannot change to %s: %s", q->cwd, strerror(-(rc = -errno)));
	else
		rc = guest_start(recorder_session(rec), q, &kvm, cpu, &x, &t, &res);
	if (rc == 0)
		rc = recorder_exec(rec, t, &x);
	if (rc == 0)
		rc = confine(&process_self.sandbox, res.why, sizeof(res.why));
	rep.failed = rc;
	rep.start_error = res.start_error;
	memcpy(rep.why, res.why, sizeof(rep.why));
	if (write(report, &rep, sizeof(rep)) != sizeof(rep) || rc < 0)
		_exit(1);
	fd_hidden_close(report);
	exec_params_free(&x);
	rc = task_loop(t);
	_exit(rc < 0 ? 70 : 0); /* recorder_exited() ended the process unless the loop broke */
}

static char *manifest_cwd(const struct run_request *q)
{
	return q->cwd ? realpath(q->cwd, NULL) : getcwd(NULL, 0);
}

static void fill_manifest(struct supervisor *s, pid_t pid)
{
	struct manifest *m = &s->m;
	struct utsname u;
	const char *name = strrchr(s->q->program, '/');

	uname(&u);
	m->format = TRACE_FORMAT;
	m->sandrec = strdup(s->q->version);
	m->host = strdup(u.nodename);
	m->kernel = strdup(u.release);
	m->cwd = manifest_cwd(s->q);
	m->clock = strdup(s->pmu ? "pmu" : "landmark");
	m->chaos = s->q->chaos;
	m->seed = s->q->seed;
	m->known_as = s->q->world ? world_pid(s->q->world) : 0;
	m->argv = s->q->argv;
	m->envp = s->q->envp;
	clock_gettime(CLOCK_REALTIME, &m->start);
	s->proc = (struct manifest_proc){ .number = 1, .pid = pid, .ppid = getpid(), .comm = strdup(name ? name + 1 : s->q->program) };
	m->procs = &s->proc;
	m->nprocs = 1;
}

static int open_trace_files(struct supervisor *s, pid_t pid)
{
	int rc;

	fill_manifest(s, pid);
	rc = collector_follow_first(s->followers, pid, s->proc.comm);
	if (rc == 0)
		rc = collector_start(s->followers);
	if (rc == 0)
		rc = manifest_write(s->dir, &s->m);
	if (rc < 0)
		snprintf(s->res->why, sizeof(s->res->why), "cannot write the trace: %s", strerror(-rc));
	return rc;
}

/* The recording is over: what is left goes to disk, and the manifest says how it ended. */
static void finish(struct supervisor *s)
{
	int rc = collector_finish(s->followers, &s->m);

	if (rc < 0) {
		s->m.cut = strdup(strerror(-rc));
		fprintf(stderr, "sandrec: recording stopped: %s\n"
			"sandrec: the program went on; %s replays up to there\n", s->m.cut, s->res->trace);
	}
	clock_gettime(CLOCK_REALTIME, &s->m.end);
	if (s->m.nprocs)
		s->m.procs[0].status = s->res->status;
	s->m.complete = !s->m.cut;
	s->m.places = __atomic_load_n(&s->tree->places, __ATOMIC_RELAXED);
	s->m.switches = __atomic_load_n(&s->tree->switches, __ATOMIC_RELAXED);
	s->m.met = s->tree->met;
	s->m.nmet = s->tree->nmet < TREE_MEETINGS ? s->tree->nmet : TREE_MEETINGS;
	rc = manifest_write(s->dir, &s->m);
	if (rc < 0 && !s->m.cut)
		fprintf(stderr, "sandrec: cannot complete the manifest in %s: %s\n", s->res->trace, strerror(-rc));
}

static void wait_for(pid_t pid, int *status)
{
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
}

/* Every process takes three descriptors here at most; the guest has the limit that it would have had. */
static void raise_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

static int supervise(struct supervisor *s, pid_t pid, int go, int report)
{
	struct start_report rep = { .failed = -EIO };
	ssize_t n;
	int rc = open_trace_files(s, pid);

	if (rc < 0) {
		kill(pid, SIGKILL);
		wait_for(pid, &s->res->status);
		return rc;
	}
	raise_limit();
	forward_signals_start(pid);
	close(go);
	while ((n = read(report, &rep, sizeof(rep))) < 0 && errno == EINTR)
		;
	wait_for(pid, &s->res->status);
	forward_signals_stop();
	finish(s);
	if (n == sizeof(rep) && rep.failed == 0)
		return 0;
	if (n != sizeof(rep)) {
		/* Killed before its program ran: that is how the run ended. */
		return WIFSIGNALED(s->res->status) ? 0 : -EIO;
	}
	rep.why[sizeof(rep.why) - 1] = '\0';
	memcpy(s->res->why, rep.why, sizeof(s->res->why));
	s->res->start_error = rep.start_error;
	return rep.failed;
}

static int start(struct supervisor *s, const struct kvm_host *kvm)
{
	int go[2], report[2], rc = collector_create(s->dir, &s->followers, &s->control, &s->ring);
	pid_t pid;

	if (rc == 0)
		rc = tree_create(&s->tree, &s->shared);
	if (rc == 0 && s->q->marked) {
		memcpy(s->tree->marked, s->q->marked, s->q->nmarked * sizeof(s->q->marked[0]));
		s->tree->nmarked = s->q->nmarked;
	}
	if (rc < 0) {
		snprintf(s->res->why, sizeof(s->res->why), "cannot write the trace: %s", strerror(-rc));
		return rc;
	}
	if (pipe2(go, O_CLOEXEC) < 0 || pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		struct recorder_links link = {
			.number = 1, .ring_fd = s->ring, .dir = s->dir, .control = s->control, .shared = s->shared,
			.tree = s->tree, .program_fd = -1, .world = s->q->world,
		};

		close(go[1]);
		close(report[0]);
		collector_leave(s->followers);
		guest_process(s->q, kvm, &s->m.cpu, &link, go[0], report[1]);
	}
	close(go[0]);
	close(report[1]);
	close(s->ring);
	close(s->control); /* its end tells that every guest process is gone */
	rc = supervise(s, pid, go[1], report[0]);
	close(report[0]);
	return rc;
}

static int choose_clock(struct supervisor *s, struct kvm_host *kvm)
{
	if (s->q->clock != RUN_CLOCK_LANDMARK)
		pmu_prove(kvm, &s->m.cpu);
	s->pmu = kvm->pmu.proven;
	if (s->pmu || s->q->clock != RUN_CLOCK_PMU)
		return 0;
	snprintf(s->res->why, sizeof(s->res->why), "--clock=pmu: no branch counter can be used: %s", kvm->pmu.why);
	return -EOPNOTSUPP;
}

int run_recorded(const struct run_request *q, struct run_result *res)
{
	struct supervisor *s = calloc(1, sizeof(*s)); /* the guest's copy keeps using the CPU table: never freed */
	const char *name = strrchr(q->program, '/');
	char ignored[256];
	struct kvm_host kvm;
	int rc;

	if (!s)
		return -ENOMEM;
	s->q = q;
	s->res = res;
	rc = kvm_host_open(&kvm, res->why, sizeof(res->why));
	if (rc < 0)
		return rc;
	rc = cpu_table_make(&kvm, q->cpu, &s->m.cpu, res->why, sizeof(res->why));
	if (rc < 0)
		return rc;
	rc = choose_clock(s, &kvm);
	if (rc < 0)
		return rc;
	fd_hide_init();
	s->dir = tracedir_create(q->trace, name ? name + 1 : q->program, res->trace, sizeof(res->trace));
	if (s->dir < 0) {
		snprintf(res->why, sizeof(res->why), "cannot create a trace directory%s%s: %s", q->trace ? " " : "",
			 q->trace ? q->trace : "", strerror(-s->dir));
		return s->dir;
	}
	rc = start(s, &kvm);
	close(s->dir);
	if (rc < 0) /* the program never ran: there is nothing to keep */
		tracedir_remove(res->trace, ignored, sizeof(ignored));
	return rc;
}

int run_plain(const struct run_request *q, struct run_result *res)
{
	static struct plain session = { { &plain_ops }, -1, -1 };
	struct tree *tree;
	static struct kvm_host kvm;
	static struct cpu_table cpu;
	struct exec_params x;
	struct task *t;
	int rc = kvm_host_open(&kvm, res->why, sizeof(res->why));

	if (rc < 0)
		return rc;
	rc = cpu_table_make(&kvm, q->cpu, &cpu, res->why, sizeof(res->why));
	if (rc < 0)
		return rc;
	run_schedule(q);
	fd_hide_init();
	handover_prepare();
	kvm.fd = fd_hide(kvm.fd);
	if (tree_create(&tree, &session.shared_fd) < 0)
		session.shared_fd = -1;
	if (q->cwd && chdir(q->cwd) < 0) {
		snprintf(res->why, sizeof(res->why), "cannot change to %s: %s", q->cwd, strerror(errno));
		return -errno;
	}
	rc = guest_start(&session.base, q, &kvm, &cpu, &x, &t, res);
	if (rc == 0)
		rc = confine(&process_self.sandbox, res->why, sizeof(res->why));
	if (rc < 0)
		return rc;
	exec_params_free(&x);
	rc = task_loop(t);
	_exit(rc < 0 ? 70 : 0);
}
