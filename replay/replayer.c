/* The replaying session: what it knows, and all stops but system calls. Contract: replayer.h, replayer_int.h. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay/debuggee.h"
#include "replay/divergence.h"
#include "replay/only.h"
#include "replay/progress.h"
#include "replay/replayer_int.h"
#include "replay/shared_file.h"
#include "syscall-emu/fd.h"
#include "syscall-emu/signal.h"
#include "syscall-emu/text_cache.h"
#include "trace/tracedir.h"

#define CORE_FLAG 0x80 /* of a wait status: depends on the limits of the moment, not on the program */

int replayer_peek(struct replayer *r)
{
	int rc = r->peeked ? 1 : ahead_next(r->ahead, &r->ev);

	r->peeked = rc > 0;
	return rc;
}

struct debuggee *replayer_debugged(const struct replayer *r)
{
	return debuggee_for(r->link.debug, r->link.number);
}

void replayer_consume(struct replayer *r)
{
	r->peeked = false;
	ahead_happened(r->ahead);
	r->done++;
	if (debuggee_for(r->link.debug, r->link.number))
		debuggee_done(r->link.debug, r->ev.index + 1, r->ev.type == REC_SYSCALL);
	progress_events(1);
}

int replayer_damaged(struct replayer *r, int rc)
{
	progress_wipe();
	tree_fail(r->link.tree);
	fprintf(stderr, "sandrec: process %d: %s\n", r->link.pid, stream_reader_error(r->reader));
	return rc;
}

int replayer_expect(struct replayer *r, struct task *t, uint8_t type)
{
	int rc = replayer_peek(r);

	if (rc < 0)
		return replayer_damaged(r, rc);
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

bool replayer_announce(struct replayer *r, struct task *t, enum debuggee_event what, int nr, const siginfo_t *si)
{
	struct debuggee *d = replayer_debugged(r);

	if (d)
		debuggee_event(d, t, what, nr, si);
	return t->proc->sess != &r->base;
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
	struct debuggee *d = replayer_debugged(r);
	int rc;

	if (r->passed)
		return TASK_DEAD;
	rc = replayer_peek(r);
	if (rc < 0 && rc != -ENODATA)
		return replayer_damaged(r, rc);
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
		replayer_consume(r);
		return 1;
	}
	t->wait_status = r->link.ended_status;
	snprintf(r->cut, sizeof(r->cut), "%s", rc < 0 ? stream_reader_error(r->reader) :
		 "the recording has no exit: the program was killed, or recording was stopped");
	return 1;
}

/* ---- nothing to do: the recording says when and what ---- */

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

static void replayer_futex_wake(struct session *s, uint64_t addr, int n)
{
	(void)s, (void)addr, (void)n;
}

static int replayer_tsc(struct session *s, struct task *t, bool rdtscp, uint64_t *tsc, uint32_t *aux)
{
	struct replayer *r = replayer_of(s);
	int rc = replayer_expect(r, t, REC_TSC);

	if (rc < 0)
		return rc;
	if (rdtscp != (r->ev.annex_len == sizeof(*aux)))
		return divergence(&r->ev, "expected %s, found %s", r->ev.annex_len ? "rdtscp" : "rdtsc",
				  rdtscp ? "rdtscp" : "rdtsc");
	replayer_announce(r, t, DEBUGGEE_OTHER, -1, NULL);
	*tsc = (uint64_t)r->ev.result;
	if (rdtscp)
		memcpy(aux, r->ev.annex, sizeof(*aux));
	replayer_consume(r);
	return 0;
}

static int replayer_fault(struct session *s, struct task *t, const siginfo_t *si)
{
	struct replayer *r = replayer_of(s);
	uint64_t found = (uint64_t)t->stop.vector << 32 | t->stop.error;
	int rc = replayer_expect(r, t, REC_FAULT);
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
	if (replayer_announce(r, t, DEBUGGEE_SIGNAL, -1, si))
		return 1;
	replayer_consume(r);
	return 0;
}

static int replayer_signal(struct session *s, struct task *t, bool after, siginfo_t *si)
{
	struct replayer *r = replayer_of(s);
	int rc = replayer_peek(r);

	if (rc < 0 && rc != -ENODATA)
		return replayer_damaged(r, rc);
	if (rc <= 0 || r->ev.type != REC_SIGNAL || !(r->ev.flags & REC_F_AFTER) != !after)
		return 0;
	if (r->ev.flags & REC_F_POINT && !seek_end(&r->seek, t))
		return 0; /* further on */
	rc = replayer_expect(r, t, REC_SIGNAL);
	if (rc < 0)
		return rc;
	if (r->ev.flags & REC_F_POINT ? r->ev.annex_len < sizeof(*si) : r->ev.annex_len != sizeof(*si))
		return divergence(&r->ev, "its siginfo has %u bytes", r->ev.annex_len);
	memcpy(si, r->ev.annex, sizeof(*si));
	if (si->si_signo < 1 || si->si_signo > 64)
		return divergence(&r->ev, "its signal number is %d", si->si_signo);
	if (replayer_announce(r, t, DEBUGGEE_SIGNAL, -1, si))
		return 0;
	replayer_consume(r);
	return 1;
}

static int replayer_stopped(struct session *s, struct task *t)
{
	struct debuggee *d = replayer_debugged(replayer_of(s));

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
	struct debuggee *d = replayer_debugged(r);

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

static int check_exit(struct replayer *r, struct task *t)
{
	int rc;

	if (r->cut[0] || r->passed)
		return 0;
	if (!r->exit_seen) {
		rc = replayer_expect(r, t, REC_EXIT);
		if (rc < 0)
			return rc;
		if ((r->ev.result & ~CORE_FLAG) != (t->wait_status & ~CORE_FLAG))
			return divergence(&r->ev, "expected wait status %#" PRIx64 ", found %#x", (uint64_t)r->ev.result,
					  t->wait_status);
		replayer_consume(r);
	}
	rc = replayer_peek(r);
	if (rc > 0)
		return divergence(&r->ev, "the program has ended, the recording goes on");
	return rc < 0 ? replayer_damaged(r, rc) : 0;
}

static int replayer_exited(struct session *s, struct task *t)
{
	struct replayer *r = replayer_of(s);
	int rc = check_exit(r, t);

	replayer_end_turn(r);
	if (rc == 0 && !r->passed)
		only_note_end(r->link.tree, r->link.number, t->wait_status, r->ev.index + 1, r->cut[0] ? r->cut : NULL);
	if (rc == 0 && replayer_debugged(r))
		debuggee_ended(r->link.debug, t);
	if (r->link.main_process)
		return rc;
	tree_leave(r->link.tree);
	_exit(rc < 0 ? DIVERGENCE_EXIT : 0);
}

static const struct session_ops replayer_ops = {
	.name = "replay",
	.injects = true,
	.turn = replayer_turn,
	.preempt = replayer_preempt,
	.blocks = replayer_waits,
	.unblocks = replayer_waits,
	.resume = replayer_resume,
	.serves = replayer_serves,
	.ahead = replayer_ahead,
	.happened = replayer_happened,
	.taken = replayer_taken,
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
	text_cache_files_rest();
	rc = ahead_create(reader, &r->ahead);
	if (rc == 0)
		rc = files_open(links->dir, fd_hide, &r->files);
	if (rc == 0)
		files_share(r->files, &r->link.tree->memo);
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
	ahead_destroy(r->ahead);
	stream_reader_close(r->reader);
	free(r);
}

struct session *replayer_session(struct replayer *r)
{
	return &r->base;
}

struct debuggee *replayer_debuggee(struct session *s)
{
	return replayer_debugged(replayer_of(s));
}

const char *replayer_cut(const struct replayer *r)
{
	return r->cut[0] ? r->cut : NULL;
}

uint64_t replayer_events(const struct replayer *r)
{
	return r->done;
}
