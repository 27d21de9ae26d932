/* The replaying session. Contract: replayer.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record/handover.h"
#include "replay/debuggee.h"
#include "replay/divergence.h"
#include "replay/only.h"
#include "replay/point.h"
#include "replay/progress.h"
#include "replay/replayer.h"
#include "replay/shared_file.h"
#include "syscall-emu/clone.h"
#include "syscall-emu/fd.h"
#include "syscall-emu/file_map.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/signal.h"
#include "syscall-emu/threads.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"
#include "vmm/layout.h"

#define CORE_FLAG 0x80 /* of a wait status: depends on the limits of the moment, not on the program */

struct replayer {
	struct session base;
	struct stream_reader *reader;
	struct files_store *files;
	struct shared_files *shared;
	struct replay_links link;
	struct event ev;       /* the next event, when peeked */
	bool peeked, exit_seen;
	bool switched;         /* the thread that ran last has given way, or ended */
	uint32_t number;       /* whose turn it is: this process's (record/group.h), 0: it has none */
	bool warned;           /* of memory that others share */
	bool file_missing;     /* a recorded file cannot be used, which has been reported */
	bool shown;            /* output of the event at hand is for people */
	bool passed;           /* it has made the process that alone is wanted (only.h), and is not needed any more */
	uint64_t done;
	struct seek seek;      /* of the next event, a signal at an execution point */
	char cut[256];
};

static struct replayer *replayer_of(struct session *s)
{
	return (struct replayer *)s;
}

/* Makes r->ev the next event: 1, 0 at the end of the recording, or a negative errno. */
static int peek(struct replayer *r)
{
	int rc;

	while (!r->peeked) {
		rc = stream_next(r->reader, &r->ev);
		if (rc <= 0)
			return rc;
		r->peeked = r->ev.type != REC_NOTE;
	}
	return 1;
}

/* Non-NULL when r's process is the one that is debugged. */
static struct debuggee *debugged(const struct replayer *r)
{
	return debuggee_for(r->link.debug, r->link.number);
}

static void consume(struct replayer *r)
{
	r->peeked = false;
	r->done++;
	if (debuggee_for(r->link.debug, r->link.number))
		debuggee_done(r->link.debug, r->ev.index + 1, r->ev.type == REC_SYSCALL);
	progress_event();
}

static int damaged(struct replayer *r, int rc)
{
	progress_wipe();
	tree_fail(r->link.tree);
	fprintf(stderr, "sandrec: process %d: %s\n", r->link.pid, stream_reader_error(r->reader));
	return rc;
}

/* The next event must be of this type, by this thread, with these registers. Not consumed. */
static int expect(struct replayer *r, struct task *t, uint8_t type)
{
	int rc = peek(r);

	if (rc < 0)
		return damaged(r, rc);
	if (rc == 0) {
		struct event none = { .type = type, .index = r->done, .tid = t->tid };

		return divergence(&none, "expected the end of the recording, found a %s at rip %#" PRIx64, event_type_name(type),
				  t->regs->rip);
	}
	if (r->ev.type != type && r->seek.active)
		return seek_missed(&r->seek, &r->ev, t, event_type_name(type));
	if (r->ev.type != type)
		return divergence(&r->ev, "expected a %s at rip %#" PRIx64 " (rax %#" PRIx64 "), found a %s at rip %#" PRIx64
				  " (rax %#" PRIx64 ")", event_type_name(r->ev.type), r->ev.regs.rip, r->ev.regs.rax,
				  event_type_name(type), t->regs->rip, t->regs->rax);
	if (r->ev.tid != t->tid)
		return divergence(&r->ev, "expected thread %d, found thread %d", r->ev.tid, t->tid);
	return divergence_regs(&r->ev, t->regs, event_type_name(type));
}

/* ---- stops ---- */

/* Is the next event at a point in a computation, which has to be sought? */
static bool at_point(const struct event *ev)
{
	return (ev->type == REC_SIGNAL || ev->type == REC_SCHED) && ev->flags & REC_F_POINT;
}

static int seek_point(struct replayer *r, struct debuggee *d, struct task *t)
{
	struct tramp_cond c;
	int rc = seek_condition(&r->seek, &r->ev, &c);

	if (rc < 0)
		return rc;
	if (!d || debuggee_lets_seek(d, t, r->ev.regs.rip, &c))
		return seek_resume(&r->seek, t, &r->ev);
	return seek_look(&r->seek, t, &r->ev);
}

static int replayer_resume(struct session *s, struct task *t)
{
	struct replayer *r = replayer_of(s);
	struct debuggee *d = debugged(r);
	int rc;

	if (r->passed)
		return TASK_DEAD;
	rc = peek(r);
	if (rc < 0 && rc != -ENODATA)
		return damaged(r, rc);
	if (d)
		debuggee_resume(d, t, rc == 1 && at_point(&r->ev) ? r->ev.regs.rip : 0);
	if (t->proc->sess != s)
		return debuggee_enter(d, t); /* it has left the recording */
	if (rc == 1 && r->ev.type != REC_EXIT) {
		rc = at_point(&r->ev) ? seek_point(r, d, t) : 0;
		return rc == 0 && d ? debuggee_enter(d, t) : rc;
	}
	/* Nothing visible follows: the program was killed here, or the recording was. */
	if (rc == 1) {
		t->wait_status = (int)r->ev.result;
		r->exit_seen = true;
		consume(r);
		return 1;
	}
	t->wait_status = r->link.ended_status;
	snprintf(r->cut, sizeof(r->cut), "%s", rc < 0 ? stream_reader_error(r->reader) :
		 "the recording has no exit: the program was killed, or recording was stopped");
	return 1;
}

static int repeat_output(void *arg, const void *bytes, uint64_t len)
{
	const char *b = bytes;
	int fd = *(int *)arg;

	progress_wipe();
	if (len)
		progress_wrote(fd, b[len - 1]);
	while (len) {
		ssize_t n = write(fd, b, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		b += n;
		len -= (uint64_t)n;
	}
	return 0;
}

static bool repeats(const struct replayer *r)
{
	return !r->link.quiet_output && only_shows(r->link.tree, r->link.number) && r->shown;
}

/* Under a debugger the same output comes again and again: once is enough. */
static bool show_output(struct replayer *r)
{
	return !debugged(r) || debuggee_shows(&r->link.tree->shown, r->ev.index);
}

static int output_fd(uint8_t flags)
{
	return flags & REC_F_STDERR ? STDERR_FILENO : STDOUT_FILENO;
}

static int compare_input(struct replayer *r, const struct event_data *d)
{
	unsigned char now[4096];
	uint32_t at = 0;

	while (at < d->len) {
		uint32_t n = d->len - at < sizeof(now) ? d->len - at : (uint32_t)sizeof(now);

		if (!guest_range_ok(d->addr + at, n) || guest_read(now, d->addr + at, n) < 0)
			return divergence(&r->ev, "memory the call reads at %#" PRIx64 " is not there", d->addr + at);
		if (memcmp(now, (const char *)d->bytes + at, n))
			return divergence(&r->ev, "memory the call reads at %#" PRIx64 " (%u bytes) differs", d->addr, d->len);
		at += n;
	}
	return 0;
}

static int apply_piece(struct replayer *r, struct task *t, const struct event_data *d)
{
	int fd = d->kind == DATA_STDERR ? STDERR_FILENO : STDOUT_FILENO;

	switch (d->kind) {
	case DATA_INPUT:
		return compare_input(r, d);
	case DATA_STDOUT:
	case DATA_STDERR:
		return !repeats(r) ? 0 : repeat_output(&fd, d->bytes, d->len);
	case DATA_MEMORY:
		if (!guest_range_ok(d->addr, d->len) || mm_poke(t->proc->mm, d->addr, d->bytes, d->len) < 0)
			return divergence(&r->ev, "recorded memory at %#" PRIx64 " (%u bytes) cannot be written", d->addr,
					  d->len);
		return 0;
	default:
		return divergence(&r->ev, "a data record of unknown kind %u", d->kind);
	}
}

/*
 * The event's pieces: inputs come first and are compared before the call has any effect. With inputs_only the first
 * other piece is left in *d and 1 returned; 0 when there are no more.
 */
static int apply_data(struct replayer *r, struct task *t, struct event_data *d, bool inputs_only, bool have)
{
	int rc = have ? 1 : stream_data(r->reader, d);

	while (rc > 0) {
		if (inputs_only && d->kind != DATA_INPUT)
			return 1;
		rc = apply_piece(r, t, d);
		if (rc < 0)
			return rc;
		rc = stream_data(r->reader, d);
	}
	return rc < 0 ? damaged(r, rc) : 0;
}

/* ---- threads ---- */

/* The debugger may want to look before the event happens. true: it has led the process away, the event does not happen. */
static bool announce(struct replayer *r, struct task *t, enum debuggee_event what, int nr, const siginfo_t *si)
{
	struct debuggee *d = debugged(r);

	if (d)
		debuggee_event(d, t, what, nr, si);
	return t->proc->sess != &r->base;
}

static void end_turn(struct replayer *r)
{
	if (r->number)
		group_next(r->link.tree, r->number);
	r->number = 0;
}

/* The next event is a REC_TURN: others who share memory with this process come first. */
static int take_turn(struct replayer *r, struct task *t)
{
	int rc = expect(r, t, REC_TURN);

	if (rc < 0)
		return rc;
	t->proc->grouped = true;
	if (!only_one(r->link.tree))
		group_await(r->link.tree, (uint32_t)r->ev.result);
	else if (!r->warned)
		fprintf(stderr, "sandrec: process %d shares memory with others, which are not replayed with it: it may diverge\n",
			r->link.pid);
	r->warned = true;
	r->number = (uint32_t)r->ev.result;
	consume(r);
	return 0;
}

static int choose_thread(struct replayer *r, struct task **t)
{
	struct task *next;
	int rc = r->passed ? 0 : peek(r);

	if (rc < 0 && rc != -ENODATA)
		return damaged(r, rc);
	if (rc <= 0) {
		(*t)->at_stop = false; /* the recording ends: resume() says so, whatever the thread stands at */
		return 0;
	}
	if (r->ev.tid == (*t)->tid) {
		r->switched = false;
		return 0;
	}
	next = thread_find((*t)->proc, r->ev.tid);
	if (!next)
		return divergence(&r->ev, "there is no such thread");
	if (!r->switched)
		return divergence(&r->ev, "expected thread %d, found thread %d at rip %#" PRIx64 " which has not given way",
				  r->ev.tid, (*t)->tid, (*t)->regs->rip);
	r->switched = false;
	*t = next;
	return 0;
}

/* Who runs is who has the next event. */
static int replayer_turn(struct session *s, struct task **t)
{
	struct replayer *r = replayer_of(s);
	int rc = choose_thread(r, t);

	while (rc == 0 && r->peeked && r->ev.type == REC_TURN && !(r->ev.flags & REC_F_AFTER)) {
		rc = take_turn(r, *t);
		if (rc == 0)
			rc = choose_thread(r, t);
	}
	return rc;
}

static int replayer_preempt(struct session *s, struct task *t, bool point)
{
	struct replayer *r = replayer_of(s);
	struct event_data d;
	int rc = peek(r);

	while (rc > 0 && !point && r->ev.type == REC_TURN && r->ev.flags & REC_F_AFTER) {
		rc = take_turn(r, t);
		if (rc < 0)
			return rc;
		rc = peek(r);
	}
	if (rc < 0 && rc != -ENODATA)
		return damaged(r, rc);
	if (rc <= 0 || r->ev.type != REC_SCHED || !(r->ev.flags & REC_F_POINT) != !point)
		return 0;
	if (point && !seek_end(&r->seek, t))
		return 0; /* further on */
	rc = expect(r, t, REC_SCHED);
	if (rc < 0)
		return rc;
	announce(r, t, DEBUGGEE_OTHER, -1, NULL);
	rc = apply_data(r, t, &d, false, false);
	if (rc < 0)
		return rc;
	consume(r);
	if (point)
		signal_preempted(t);
	end_turn(r);
	r->switched = true;
	return 1;
}

static void replayer_shares(struct session *s, struct task *t)
{
	(void)s, (void)t; /* the recording says when */
}

static int replayer_segment(struct session *s, int id)
{
	return shared_files_segment(replayer_of(s)->shared, id);
}

static void replayer_waits(struct session *s, struct task *t)
{
	(void)s, (void)t; /* nothing is forwarded */
}

static int64_t replayer_thread(struct session *s, struct task *t, struct plan *p, struct task *made)
{
	(void)s, (void)t;
	made->tid = (pid_t)p->recorded;
	return p->recorded;
}

static int replayer_thread_ended(struct session *s, struct task *t, struct task **next)
{
	struct process *p = t->proc;

	if (debugged(replayer_of(s)))
		debuggee_thread_ends(replayer_of(s)->link.debug, t);
	thread_free(t);
	*next = p->tasks;
	end_turn(replayer_of(s));
	replayer_of(s)->switched = true;
	return 0;
}

static void replayer_futex_wake(struct session *s, uint64_t addr, int n)
{
	(void)s, (void)addr, (void)n;
}

/* Runs the handler of a REDO or BOTH row again and compares results. */
static int redo(struct replayer *r, struct task *t, const struct sys_desc *desc, int64_t result, struct event *ev)
{
	int64_t got;

	t->plan.recorded = result;
	got = desc->emulate(t, &t->plan);
	if (r->file_missing)
		return -EBADMSG;
	if (t->newborn) /* the child of a fork, which has a stream of its own */
		return 0;
	if (got != result)
		return divergence(ev, "%s: recorded result %#" PRIx64 ", done again %#" PRIx64, desc->name, (uint64_t)result,
				  (uint64_t)got);
	return 0;
}

static bool is_error(int64_t result)
{
	return result < 0 && result >= -4095;
}

/* A write to the original outputs waits until those that other processes made before it are repeated. -1: none. */
static int64_t output_turn(struct replayer *r, const struct event *ev, const struct plan *p)
{
	uint32_t number;

	if (!(ev->flags & (REC_F_STDOUT | REC_F_STDERR)) || p->annex_len != sizeof(number) || only_one(r->link.tree))
		return -1;
	memcpy(&number, p->annex, sizeof(number));
	tree_wait(r->link.tree, number);
	return number;
}

static bool done_again(const struct sys_desc *desc, int64_t result)
{
	return desc->replay == REDO_FAILED || (desc->replay != INJECT && !is_error(result));
}

static int replayer_syscall(struct session *s, struct task *t, const struct sys_desc *desc, int64_t *ret)
{
	struct replayer *r = replayer_of(s);
	struct event_data d;
	struct event ev;
	int rc = expect(r, t, REC_SYSCALL), more;
	int64_t turn;

	if (rc == 0 && announce(r, t, DEBUGGEE_SYSCALL, (int)t->regs->rax, NULL)) {
		*ret = SYS_REGS_SET;
		return 0;
	}
	if (rc < 0)
		return rc;
	ev = r->ev;
	r->shown = !(ev.flags & (REC_F_STDOUT | REC_F_STDERR)) || show_output(r);
	*ret = ev.result;
	syscall_prepare(t, desc); /* guest state only: what it refuses, the recording refused too */
	if (ev.annex_len)
		plan_set_annex(&t->plan, ev.annex, ev.annex_len);
	more = apply_data(r, t, &d, true, false);
	if (more < 0)
		return more;
	if (ev.flags & REC_F_RESTART) {
		*ret = SYS_ERESTARTSYS;
	} else if (desc && desc->emulate && !(ev.flags & REC_F_INJECTED) && done_again(desc, ev.result)) {
		rc = redo(r, t, desc, ev.result, &ev);
		if (rc < 0)
			return rc;
		if (t->newborn) {
			t->newborn = false;
			*ret = SYS_REGS_SET;
			return 0;
		}
	}
	turn = output_turn(r, &ev, &t->plan);
	if (ev.flags & (REC_F_STDOUT | REC_F_STDERR) && repeats(r)) {
		int fd = output_fd(ev.flags);

		plan_sent(&t->plan, ev.result, repeat_output, &fd);
	}
	rc = more ? apply_data(r, t, &d, false, true) : 0;
	if (turn >= 0)
		tree_done(r->link.tree, (uint32_t)turn);
	if (rc == 0)
		consume(r);
	return rc;
}

static int replayer_tsc(struct session *s, struct task *t, bool rdtscp, uint64_t *tsc, uint32_t *aux)
{
	struct replayer *r = replayer_of(s);
	int rc = expect(r, t, REC_TSC);

	if (rc < 0)
		return rc;
	if (rdtscp != (r->ev.annex_len == sizeof(*aux)))
		return divergence(&r->ev, "expected %s, found %s", r->ev.annex_len ? "rdtscp" : "rdtsc",
				  rdtscp ? "rdtscp" : "rdtsc");
	announce(r, t, DEBUGGEE_OTHER, -1, NULL);
	*tsc = (uint64_t)r->ev.result;
	if (rdtscp)
		memcpy(aux, r->ev.annex, sizeof(*aux));
	consume(r);
	return 0;
}

static int replayer_fault(struct session *s, struct task *t, const siginfo_t *si)
{
	struct replayer *r = replayer_of(s);
	uint64_t found = (uint64_t)t->stop.vector << 32 | t->stop.error;
	int rc = expect(r, t, REC_FAULT);
	siginfo_t was;

	if (rc < 0)
		return rc;
	if ((uint64_t)r->ev.result != found || r->ev.annex_len != sizeof(was))
		return divergence(&r->ev, "expected vector and error code %#" PRIx64 ", found %#" PRIx64,
				  (uint64_t)r->ev.result, found);
	memcpy(&was, r->ev.annex, sizeof(was));
	if (was.si_signo != si->si_signo || was.si_code != si->si_code || was.si_addr != si->si_addr)
		return divergence(&r->ev, "expected signal %d code %d address %p, found signal %d code %d address %p",
				  was.si_signo, was.si_code, was.si_addr, si->si_signo, si->si_code, si->si_addr);
	if (announce(r, t, DEBUGGEE_SIGNAL, -1, si))
		return 1;
	consume(r);
	return 0;
}

static int replayer_signal(struct session *s, struct task *t, bool after, siginfo_t *si)
{
	struct replayer *r = replayer_of(s);
	int rc = peek(r);

	if (rc < 0 && rc != -ENODATA)
		return damaged(r, rc);
	if (rc <= 0 || r->ev.type != REC_SIGNAL || !(r->ev.flags & REC_F_AFTER) != !after)
		return 0;
	if (r->ev.flags & REC_F_POINT && !seek_end(&r->seek, t))
		return 0; /* further on */
	rc = expect(r, t, REC_SIGNAL);
	if (rc < 0)
		return rc;
	if (r->ev.flags & REC_F_POINT ? r->ev.annex_len < sizeof(*si) : r->ev.annex_len != sizeof(*si))
		return divergence(&r->ev, "its siginfo has %u bytes", r->ev.annex_len);
	memcpy(si, r->ev.annex, sizeof(*si));
	if (si->si_signo < 1 || si->si_signo > 64)
		return divergence(&r->ev, "its signal number is %d", si->si_signo);
	if (announce(r, t, DEBUGGEE_SIGNAL, -1, si))
		return 0;
	consume(r);
	return 1;
}

static int replayer_stopped(struct session *s, struct task *t)
{
	struct debuggee *d = debugged(replayer_of(s));

	return d ? debuggee_stopped(d, t) : 0;
}

static int replayer_kicked(struct session *s, struct task *t)
{
	(void)s;
	landmark_disarm(t); /* a signal to sandrec itself; the next resume goes on seeking */
	return 0;
}

static int replayer_landed(struct session *s, struct task *t)
{
	struct replayer *r = replayer_of(s);
	struct debuggee *d = debugged(r);

	return d && debuggee_landed(d, t) ? 0 : seek_hit(&r->seek, t, &r->ev);
}

static int replayer_set_mask(struct session *s, struct task *t)
{
	(void)s, (void)t;
	return 0;
}

static int replayer_set_action(struct session *s, struct task *t, int sig)
{
	(void)s, (void)t, (void)sig;
	return 0;
}

static int missing_file(struct replayer *r, const char *path)
{
	progress_wipe();
	tree_fail(r->link.tree);
	fprintf(stderr, "sandrec: process %d: the recorded copy of %s is missing or damaged\n", r->link.pid, path);
	r->file_missing = true;
	return -EBADMSG;
}

static int replayer_map_file(struct session *s, struct task *t, struct plan *p, int fd, int prot, int flags,
			     uint64_t offset, uint64_t len, struct map_source *src)
{
	struct replayer *r = replayer_of(s);
	struct file_map m;
	int rc = file_map_decode(p->annex, p->annex_len, &m);

	(void)fd, (void)prot, (void)flags, (void)len;
	if (rc < 0)
		return divergence(&r->ev, "a file mapping without a usable file reference");
	if (m.kind == FILE_MAP_KERNEL) {
		src->kernel = true;
		memcpy(src->path, m.path, sizeof(src->path));
		return 0;
	}
	src->shared_copy = m.kind == FILE_MAP_SHARED;
	src->fd = m.kind == FILE_MAP_ZERO ? open("/dev/zero", O_RDWR | O_CLOEXEC) : files_get(r->files, &m.ref, 1);
	if (src->fd < 0)
		return missing_file(r, m.path);
	if (src->shared_copy) {
		cleanup_close int stored = src->fd;

		src->fd = shared_files_get(r->shared, m.dev, m.ino, t->proc->grouped, stored, m.ref.size);
		if (src->fd < 0)
			return src->fd;
	}
	src->offset = offset;
	src->dev = m.dev;
	src->ino = m.ino;
	memcpy(src->path, m.path, sizeof(src->path));
	return 0;
}

static void replayer_map_done(struct session *s, struct map_source *src)
{
	(void)s;
	if (!src->shared_copy && !src->kernel)
		close(src->fd);
}

static int replayer_image_file(struct session *s, struct exec_params *x, unsigned index, const char *path)
{
	struct replayer *r = replayer_of(s);
	int fd;

	if (index >= x->nfiles)
		return divergence(&r->ev, "the program image needs %s, which was not recorded", path);
	fd = files_get(r->files, &x->file[index].ref, 1);
	return fd < 0 ? missing_file(r, path) : fd;
}

static int check_exit(struct replayer *r, struct task *t)
{
	int rc;

	if (r->cut[0] || r->passed)
		return 0;
	if (!r->exit_seen) {
		rc = expect(r, t, REC_EXIT);
		if (rc < 0)
			return rc;
		if ((r->ev.result & ~CORE_FLAG) != (t->wait_status & ~CORE_FLAG))
			return divergence(&r->ev, "expected wait status %#" PRIx64 ", found %#x", (uint64_t)r->ev.result,
					  t->wait_status);
		consume(r);
	}
	rc = peek(r);
	if (rc > 0)
		return divergence(&r->ev, "the program has ended, the recording goes on");
	return rc < 0 ? damaged(r, rc) : 0;
}

static int replayer_exited(struct session *s, struct task *t)
{
	struct replayer *r = replayer_of(s);
	int rc = check_exit(r, t);

	end_turn(r);
	if (rc == 0 && !r->passed)
		only_note_end(r->link.tree, r->link.number, t->wait_status, r->ev.index + 1, r->cut[0] ? r->cut : NULL);
	if (rc == 0 && debugged(r))
		debuggee_ended(r->link.debug, t);
	if (r->link.main_process)
		return rc;
	tree_leave(r->link.tree);
	_exit(rc < 0 ? DIVERGENCE_EXIT : 0);
}

struct birth {
	struct replayer *parent, *made;
	int number;
};

static int open_child(struct birth *b)
{
	struct replay_links link = b->parent->link;
	struct stream_reader *reader;
	char why[256];
	int rc = b->number ? replayer_open_stream(link.dir, b->number, &reader, why, sizeof(why)) : -ENOENT;

	if (rc < 0) {
		if (rc != -ENOENT || !link.tree->cut)
			fprintf(stderr, "sandrec: process %d: %s\n", (int)b->parent->ev.result,
				b->number ? why : "it was not recorded");
		return rc;
	}
	link.number = b->number;
	link.pid = (pid_t)b->parent->ev.result;
	link.main_process = false;
	link.ended_status = SIGKILL;
	return replayer_create(&link, reader, &b->made);
}

/* The first event of its own stream says how it starts. */
static int begin_child(struct task *t, struct birth *b)
{
	struct fork_annex annex;
	int rc = open_child(b);

	if (rc < 0)
		return rc;
	t->proc->sess = &b->made->base;
	rc = peek(b->made);
	if (b->parent->link.tree->cut && (rc == 0 || rc == -ENODATA))
		return -ENOENT;
	if (rc > 0 && b->made->ev.type == REC_FORK && b->made->ev.annex_len == sizeof(annex)) {
		memcpy(&annex, b->made->ev.annex, sizeof(annex));
		b->made->link.pid = t->proc->pid = t->tid = annex.pid; /* in its own pid namespace */
	}
	rc = expect(b->made, t, REC_FORK);
	if (rc < 0)
		return rc;
	if (b->made->ev.annex_len != sizeof(annex))
		return divergence(&b->made->ev, "its annex has %u bytes", b->made->ev.annex_len);
	if (annex.child_tid)
		mm_poke(t->proc->mm, annex.child_tid, &annex.pid, sizeof(annex.pid));
	consume(b->made);
	return 0;
}

/* In the child. Of one that was cut off at birth nothing can be seen. */
static int child_ready(struct task *t, void *arg)
{
	struct birth *b = arg;
	struct tree *tree = b->parent->link.tree;
	int rc = begin_child(t, b);

	if (rc == 0)
		return 0;
	if (rc != -ENOENT || !tree->cut)
		tree_fail(tree);
	tree_leave(tree);
	_exit(rc == DIVERGED ? DIVERGENCE_EXIT : 0);
}

/* The kernel makes a process to replay in; nothing else of the guest's request is meant for this kernel. */
static int64_t replayer_fork(struct session *s, struct task *t, struct plan *p, const struct fork_request *q)
{
	struct birth b = { .parent = replayer_of(s) };
	struct fork_request host = *q;
	struct tree *tree = b.parent->link.tree;
	int64_t pid;

	if (p->annex_len != sizeof(b.number))
		return divergence(&b.parent->ev, "it does not say which process it made");
	memcpy(&b.number, p->annex, sizeof(b.number));
	if (only_one(tree) && !only_on_way(tree, b.number) && !(q->flags & CLONE_VM)) {
		if (debugged(b.parent))
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
	if (debugged(b.parent))
		debuggee_forked(b.parent->link.debug, (pid_t)p->recorded, q->flags & CLONE_VFORK);
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
	int rc = stream_next(r->reader, &next);

	if (rc && rc != -ENODATA)
		return false;
	t->dead = true;
	t->wait_status = r->link.ended_status;
	snprintf(r->cut, sizeof(r->cut), "the recording ends in an execve: the program was killed, or recording was stopped");
	return true;
}

static int64_t replayer_exec_call(struct session *s, struct task *t, struct plan *p, struct exec_request *q)
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
	end_turn(r);
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
	int rc = peek(r);

	if (rc < 0)
		return damaged(r, rc);
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
	int rc = expect(r, t, REC_EXEC);

	if (rc == 0)
		consume(r);
	return rc;
}

static const struct session_ops replayer_ops = {
	.name = "replay",
	.turn = replayer_turn,
	.preempt = replayer_preempt,
	.blocks = replayer_waits,
	.unblocks = replayer_waits,
	.resume = replayer_resume,
	.syscall = replayer_syscall,
	.tsc = replayer_tsc,
	.fault = replayer_fault,
	.signal = replayer_signal,
	.stopped = replayer_stopped,
	.kicked = replayer_kicked,
	.landed = replayer_landed,
	.set_mask = replayer_set_mask,
	.set_action = replayer_set_action,
	.map_file = replayer_map_file,
	.map_done = replayer_map_done,
	.segment = replayer_segment,
	.image_file = replayer_image_file,
	.fork = replayer_fork,
	.shares = replayer_shares,
	.thread = replayer_thread,
	.thread_ended = replayer_thread_ended,
	.futex_wake = replayer_futex_wake,
	.exec = replayer_exec_call,
	.exited = replayer_exited,
};

int replayer_open_stream(int dir, int number, struct stream_reader **out, char *why, size_t len)
{
	char stream[64], ring[64];
	int rc;

	snprintf(stream, sizeof(stream), TRACE_STREAM_NAME, number);
	snprintf(ring, sizeof(ring), TRACE_RING_NAME, number);
	*out = NULL;
	rc = stream_reader_open(dir, stream, ring, out);
	if (rc == 0)
		return 0;
	snprintf(why, len, "%s", *out ? stream_reader_error(*out) : strerror(-rc));
	stream_reader_close(*out);
	return rc;
}

int replayer_create(const struct replay_links *links, struct stream_reader *reader, struct replayer **out)
{
	struct replayer *r = calloc(1, sizeof(*r));
	int rc;

	if (!r) {
		stream_reader_close(reader);
		return -ENOMEM;
	}
	r->base.ops = &replayer_ops;
	r->reader = reader;
	r->link = *links;
	rc = files_open(links->dir, fd_hide, &r->files);
	if (rc == 0)
		rc = shared_files_create(r->link.tree, &r->shared);
	if (rc < 0) {
		replayer_destroy(r);
		return rc;
	}
	*out = r;
	return 0;
}

void replayer_destroy(struct replayer *r)
{
	if (!r)
		return;
	if (r->files)
		files_close(r->files);
	shared_files_destroy(r->shared);
	stream_reader_close(r->reader);
	free(r);
}

struct session *replayer_session(struct replayer *r)
{
	return &r->base;
}

struct debuggee *replayer_debuggee(struct session *s)
{
	return debugged(replayer_of(s));
}

const char *replayer_cut(const struct replayer *r)
{
	return r->cut[0] ? r->cut : NULL;
}

uint64_t replayer_events(const struct replayer *r)
{
	return r->done;
}
