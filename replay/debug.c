/* Debugging a recording. Contract: debug.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replay/debug_int.h"
#include "replay/replay.h"
#include "trace/manifest.h"

#define FIRST_INTERVAL_MS 200

static struct replay_debug *debug_of(struct debug_target *t)
{
	return (struct replay_debug *)t;
}

/* What the client looks at. */
static struct peer *seen(struct replay_debug *d)
{
	return d->diversion.sock >= 0 ? &d->diversion : &d->now;
}

/* ---- looking ---- */

static const struct link_about *about(struct replay_debug *d)
{
	struct link_request q = { .op = LINK_ABOUT };

	if (!d->about_known && peer_ask(&d->now, &q, NULL, 0) == 0)
		d->about_known = peer_answer(&d->now, &d->about, sizeof(d->about)) == sizeof(d->about);
	return &d->about;
}

static const struct debug_layout *layout(struct debug_target *t)
{
	return &about(debug_of(t))->layout;
}

static int list_threads(struct replay_debug *d, struct link_thread *list, int max)
{
	struct link_request q = { .op = LINK_THREADS };
	struct peer *p = seen(d);
	int rc = peer_ask(p, &q, NULL, 0);
	ssize_t got;
	int64_t n;

	if (rc < 0)
		return rc;
	got = link_receive(p->sock, &n, sizeof(n), list, (size_t)max * sizeof(*list), NULL);
	return got < 0 ? (int)got : (int)n;
}

static int threads(struct debug_target *t, pid_t *tid, int max)
{
	struct link_thread list[LINK_THREADS_MAX];
	int n = list_threads(debug_of(t), list, LINK_THREADS_MAX);

	for (int i = 0; i < n && i < max; i++)
		tid[i] = list[i].tid;
	return n < max ? n : max;
}

static int thread_name(struct debug_target *t, pid_t tid, char *name, size_t len)
{
	struct link_thread list[LINK_THREADS_MAX];
	int n = list_threads(debug_of(t), list, LINK_THREADS_MAX);

	for (int i = 0; i < n; i++)
		if (list[i].tid == tid) {
			snprintf(name, len, "%.16s", list[i].name);
			return 0;
		}
	return -ESRCH;
}

static pid_t pid(struct debug_target *t)
{
	return debug_of(t)->pid;
}

static int regs_of(struct peer *p, pid_t tid, struct debug_regs *r)
{
	struct link_request q = { .op = LINK_GET_REGS, .tid = tid };
	int rc = peer_ask(p, &q, NULL, 0);
	ssize_t n = rc < 0 ? rc : peer_answer(p, r, sizeof(*r));

	return n < 0 ? (int)n : n == sizeof(*r) ? 0 : -ESRCH;
}

static int get_regs(struct debug_target *t, pid_t tid, struct debug_regs *r)
{
	return regs_of(seen(debug_of(t)), tid, r);
}

static ssize_t read_memory(struct debug_target *t, uint64_t addr, void *buf, size_t len)
{
	struct peer *p = seen(debug_of(t));
	size_t done = 0;

	while (done < len) {
		struct link_request q = { .op = LINK_READ, .addr = addr + done, .len = len - done };
		int rc = peer_ask(p, &q, NULL, 0);
		int64_t n = rc;

		if (rc == 0 && link_receive(p->sock, &n, sizeof(n), (char *)buf + done, len - done, NULL) < 0)
			n = -EPIPE;
		if (n <= 0)
			return done ? (ssize_t)done : (ssize_t)n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* ---- changing: on a copy that leaves the recording ---- */

static int divert(struct replay_debug *d)
{
	struct link_request q = { .op = LINK_DIVERT };
	int rc;

	if (d->diversion.sock >= 0)
		return 0;
	if (d->stop.kind == DEBUG_END || d->stop.kind == DEBUG_EXITED)
		return -EPERM; /* there is no program any more that could do anything */
	rc = peer_copy(&d->now, 0, &d->diversion);
	if (rc == 0)
		rc = peer_number(&d->diversion, &q, NULL, 0);
	if (rc < 0)
		peer_quit(&d->diversion);
	return rc;
}

static int set_regs(struct debug_target *t, pid_t tid, const struct debug_regs *r)
{
	struct replay_debug *d = debug_of(t);
	struct link_request q = { .op = LINK_SET_REGS, .tid = tid };
	int rc = divert(d);

	return rc < 0 ? rc : peer_number(&d->diversion, &q, r, sizeof(*r));
}

static int write_memory(struct debug_target *t, uint64_t addr, const void *buf, size_t len)
{
	struct replay_debug *d = debug_of(t);
	int rc = divert(d);

	for (size_t done = 0; rc == 0 && done < len;) {
		size_t n = len - done < LINK_BYTES_MAX ? len - done : LINK_BYTES_MAX;
		struct link_request q = { .op = LINK_WRITE, .addr = addr + done, .len = n };

		rc = peer_number(&d->diversion, &q, (const char *)buf + done, n);
		done += n;
	}
	return rc;
}

/* Is the program where the recording has it, as far as it knows by its registers? */
static bool back_from_diversion(struct replay_debug *d)
{
	struct debug_regs here, there;

	if (regs_of(&d->now, d->now.at.tid, &here) < 0 || regs_of(&d->diversion, d->now.at.tid, &there) < 0)
		return true;
	return !memcmp(&here.r, &there.r, sizeof(here.r));
}

/* ---- points ---- */

static int find_point(const struct replay_debug *d, const struct link_point *p)
{
	for (unsigned i = 0; i < d->npoints; i++)
		if (!memcmp(&d->point[i], p, sizeof(*p)))
			return (int)i;
	return -1;
}

static int set_point(struct debug_target *t, enum debug_point kind, uint64_t addr, uint64_t len)
{
	struct replay_debug *d = debug_of(t);
	const struct link_point p = { .kind = (uint32_t)kind, .addr = addr, .len = kind <= DEBUG_HARD_BREAK ? 1 : len };

	if (kind > DEBUG_HARD_BREAK && (!len || len > 64 || addr + len < addr))
		return -EINVAL;
	if (find_point(d, &p) >= 0)
		return 0;
	if (d->npoints == LINK_POINTS_MAX)
		return -ENOSPC;
	d->point[d->npoints++] = p;
	return 0;
}

static int clear_point(struct debug_target *t, enum debug_point kind, uint64_t addr, uint64_t len)
{
	struct replay_debug *d = debug_of(t);
	const struct link_point p = { .kind = (uint32_t)kind, .addr = addr, .len = kind <= DEBUG_HARD_BREAK ? 1 : len };
	int i = find_point(d, &p);

	if (i >= 0)
		d->point[i] = d->point[--d->npoints];
	return 0;
}

/* ---- running ---- */

static void failed(struct replay_debug *d, int rc)
{
	fprintf(stderr, "sandrec: the replay cannot go on: %s\n", rc == -EPIPE ? "its process has ended" : strerror(-rc));
	d->stop = (struct debug_stop){ .kind = DEBUG_FAILED, .tid = d->now.at.tid };
}

/* The stop of the process that the client looks at. */
static void take_stop(struct replay_debug *d)
{
	const struct link_stop *s = &seen(d)->at;

	d->stop = s->stop;
	d->stop.kind = s->kind < LINK_HERE ? (enum debug_stop_kind)s->kind : DEBUG_STEPPED;
	d->stop.tid = s->tid;
	if (s->kind == DEBUG_EXEC)
		d->about_known = false;
}

void debug_moved(struct replay_debug *d)
{
	peer_quit(&d->diversion);
	d->about_known = false;
	take_stop(d);
	d->stop.kind = DEBUG_STEPPED;
}

/* A checkpoint of the place at hand: an anchor, if nothing else tells where it is. */
struct copy *debug_checkpoint(struct replay_debug *d, unsigned user)
{
	const struct link_place *p = &d->now.at.place;

	return copies_add(d, &d->now, !p->at_event && !(p->exact && !p->anchor && !p->steps), user);
}

/* What a run that stopped on the way is to go on with: true; or nothing, as that is for the client. */
static bool goes_on(struct replay_debug *d, const struct link_run *run)
{
	switch (d->now.at.kind) {
	case LINK_BUDGET:
		if (!run->coarse)
			debug_checkpoint(d, 0);
		return true;
	case LINK_HOT:
		return true;
	case DEBUG_EXEC:
		d->about_known = false;
		debug_checkpoint(d, 0);
		return !run->wishes.exec_events;
	}
	return false;
}

static int forward(struct replay_debug *d, struct link_run *run)
{
	struct peer before = { .sock = -1 };
	int rc;

	do {
		peer_quit(&before);
		rc = run->coarse ? peer_copy(&d->now, 0, &before) : 0;
		run->budget_ms = run->steps ? 0 : run->coarse ? COARSE_MS : (uint32_t)d->interval_ms;
		if (rc == 0)
			rc = peer_run(d, &d->now, run);
		run->coarse |= d->now.at.kind == LINK_HOT;
	} while (rc == 0 && goes_on(d, run));
	if (rc == 0 && run->coarse && d->now.at.kind == DEBUG_WATCHPOINT) {
		struct link_stop stop = d->now.at;

		rc = time_find_change(d, &before, false);
		d->now.at.kind = DEBUG_WATCHPOINT;
		d->now.at.stop = stop.stop;
	}
	peer_quit(&before);
	return rc;
}

static int step_or_run_back(struct replay_debug *d, const struct debug_resume *how, struct link_run *run)
{
	int rc;

	if (how->step) {
		rc = time_back_step(d);
		/* Others ran meanwhile. */
		if (rc == 0 && how->tid && d->now.at.tid != how->tid)
			rc = time_back_to(d, how->tid);
		take_stop(d);
		d->stop.kind = rc == 1 ? DEBUG_BEGIN : DEBUG_STEPPED;
		return rc;
	}
	rc = time_back_run(d, run);
	if (rc < 0)
		return rc;
	take_stop(d);
	if (rc == 1) {
		d->stop.kind = DEBUG_BEGIN;
	} else if (d->stop.kind == DEBUG_WATCHPOINT) {
		struct debug_stop watch = d->stop;

		/* Backwards, the write has been undone. */
		rc = time_back_step(d);
		if (rc < 0)
			return rc;
		d->stop = watch;
		d->stop.tid = d->now.at.tid;
	}
	return rc;
}

static void drop_diversion(struct replay_debug *d)
{
	peer_quit(&d->diversion);
}

static void resume(struct debug_target *t, const struct debug_resume *how, struct debug_stop *stop)
{
	struct replay_debug *d = debug_of(t);
	struct link_run run = { .points = true, .signals = true, .events = true, .wishes = how->wishes };
	int rc;

	d->how = how;
	d->cancelled = false;
	if (how->step && !how->back) {
		run.steps = 1;
		run.tid = how->tid;
		memcpy(run.range, how->range, sizeof(run.range));
	}
	if (d->diversion.sock >= 0 && (how->back || back_from_diversion(d)))
		drop_diversion(d);
	if (how->back) {
		rc = step_or_run_back(d, how, &run);
	} else {
		rc = d->diversion.sock >= 0 ? peer_run(d, &d->diversion, &run) : forward(d, &run);
		take_stop(d);
	}
	if (rc == -ECANCELED) {
		take_stop(d);
		d->stop.kind = DEBUG_INTERRUPTED;
	} else if (rc < 0) {
		failed(d, rc);
	}
	d->how = NULL;
	d->cancelled = false;
	*stop = d->stop;
}

static int restart(struct debug_target *t, struct debug_stop *stop)
{
	struct replay_debug *d = debug_of(t);
	int rc;

	drop_diversion(d);
	rc = time_begin(d);
	d->about_known = false;
	take_stop(d);
	*stop = d->stop;
	return rc;
}

static const struct debug_stop *stopped(struct debug_target *t)
{
	return &debug_of(t)->stop;
}

/* ---- objects ---- */

static ssize_t piece(const void *bytes, size_t total, uint64_t off, void *buf, size_t len)
{
	if (off >= total)
		return 0;
	if (len > total - off)
		len = total - off;
	memcpy(buf, (const char *)bytes + off, len);
	return (ssize_t)len;
}

static ssize_t auxv(struct debug_target *t, uint64_t off, void *buf, size_t len)
{
	const struct link_about *a = about(debug_of(t));

	return piece(a->auxv, a->auxv_len, off, buf, len);
}

static ssize_t siginfo(struct debug_target *t, uint64_t off, void *buf, size_t len)
{
	const siginfo_t *si = &seen(debug_of(t))->at.siginfo;

	return si->si_signo ? piece(si, sizeof(*si), off, buf, len) : -ENODATA;
}

static int exec_file(struct debug_target *t, char *path, size_t len)
{
	const struct link_about *a = about(debug_of(t));

	snprintf(path, len, "%s", a->exe);
	return a->exe[0] ? 0 : -ENOENT;
}

/* A file in /proc/PID, as it is now. */
static int open_about(struct replay_debug *d, enum link_file what)
{
	struct link_request q = { .op = LINK_FILE, .number = what };
	int fd = memfd_create("about", MFD_CLOEXEC), rc = fd < 0 ? -errno : 0;
	int64_t n;

	if (rc == 0)
		rc = link_send(seen(d)->sock, &q, sizeof(q), NULL, 0, fd);
	if (rc == 0)
		rc = peer_answer(seen(d), &n, sizeof(n)) < 0 ? -EPIPE : (int)n;
	if (rc == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return rc;
}

static int open_file(struct debug_target *t, const char *path)
{
	static const struct { const char *name; enum link_file what; } known[] = {
		{ "maps", LINK_FILE_MAPS }, { "cmdline", LINK_FILE_CMDLINE }, { "environ", LINK_FILE_ENVIRON },
		{ "comm", LINK_FILE_COMM },
	};
	struct replay_debug *d = debug_of(t);
	int p, tid, end = 0;

	/* gdb asks for /proc/PID/FILE and /proc/PID/task/TID/FILE. */
	if (sscanf(path, "/proc/%d/task/%d/%n", &p, &tid, &end) != 2 || !end)
		sscanf(path, "/proc/%d/%n", &p, &end);
	for (unsigned i = 0; end && p == d->pid && i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(path + end, known[i].name))
			return open_about(d, known[i].what);
	return files_open_recorded(d, path);
}

static void monitor(struct debug_target *t, const char *line, FILE *out)
{
	debug_monitor(debug_of(t), line, out);
}

static const struct debug_ops ops = {
	.threads = threads,
	.thread_name = thread_name,
	.pid = pid,
	.layout = layout,
	.get_regs = get_regs,
	.set_regs = set_regs,
	.read = read_memory,
	.write = write_memory,
	.set_point = set_point,
	.clear_point = clear_point,
	.resume = resume,
	.restart = restart,
	.stopped = stopped,
	.auxv = auxv,
	.siginfo = siginfo,
	.exec_file = exec_file,
	.open_file = open_file,
	.monitor = monitor,
};

/* ---- beginning and end ---- */

static _Noreturn void be_replayed(const struct replay_debug *d, int sock)
{
	const struct replay_request q = { .quiet_output = d->request.quiet_output, .only = d->number, .debug = sock };
	struct replay_result res = { 0 };
	int rc;

	setpgid(0, 0);
	signal(SIGINT, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	if (d->request.output >= 0)
		dup2(d->request.output, STDOUT_FILENO);
	rc = replay_run(d->request.dirfd, &q, &res);
	exit(d->request.failed(rc, d->request.path, &res));
}

static int begin(struct replay_debug *d)
{
	int pair[2];
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	fflush(NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* Copies whose parents are gone are this one's; thousands of them come and go, and nobody asks how they ended. */
	signal(SIGCHLD, SIG_IGN);
	d->group = fork();
	if (d->group == 0) {
		close(pair[0]);
		be_replayed(d, pair[1]);
	}
	close(pair[1]);
	d->now.sock = pair[0];
	if (d->group < 0)
		return -errno;
	setpgid(d->group, d->group);
	n = peer_answer(&d->now, &d->now.at, sizeof(d->now.at));
	if (n < 0)
		return -ECHILD; /* it has said why */
	take_stop(d);
	debug_checkpoint(d, 0);
	return 0;
}

static int first_process(const struct debug_request *q, struct replay_debug *d, char *why, size_t len)
{
	static struct manifest m;
	int rc = manifest_read(q->dirfd, &m, why, len);

	if (rc < 0)
		return rc;
	if (m.nprocs == 0) {
		snprintf(why, len, "the recording has no process");
		return -EBADMSG;
	}
	d->number = m.procs[0].number;
	d->pid = m.procs[0].pid;
	return 0;
}

int debug_start(const struct debug_request *q, struct debug_target **out, char *why, size_t len)
{
	struct replay_debug *d = calloc(1, sizeof(*d));
	int rc;

	if (!d)
		return -ENOMEM;
	d->base.ops = &ops;
	d->request = *q;
	snprintf(d->path, sizeof(d->path), "%s", q->path);
	d->request.path = d->path;
	d->number = q->number;
	d->pid = q->pid;
	d->now.sock = d->diversion.sock = -1;
	d->interval_ms = FIRST_INTERVAL_MS;
	rc = q->number ? 0 : first_process(q, d, why, len);
	if (rc == 0)
		rc = begin(d);
	if (rc < 0) {
		if (rc != -ECHILD && !why[0])
			snprintf(why, len, "%s", strerror(-rc));
		debug_end(&d->base);
		return rc;
	}
	*out = &d->base;
	return 0;
}

void debug_end(struct debug_target *t)
{
	struct replay_debug *d = debug_of(t);

	peer_quit(&d->diversion);
	peer_quit(&d->now);
	copies_free(d);
	if (d->group > 0)
		kill(-d->group, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		continue;
	files_index_free(d->files);
	free(d);
}
