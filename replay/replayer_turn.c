/* Whose turn it is on replay: threads of the process, and processes that share memory. Contract: replayer_int.h. */
#include <errno.h>
#include <inttypes.h>

#include "replay/debuggee.h"
#include "replay/divergence.h"
#include "replay/only.h"
#include "replay/replayer_int.h"
#include "syscall-emu/mm_join.h"
#include "syscall-emu/signal.h"
#include "syscall-emu/threads.h"

void replayer_end_turn(struct replayer *r)
{
	if (r->number)
		group_next(r->link.tree, r->number);
	r->number = 0;
}

/* The next event is a REC_TURN: others who share memory with this process come first. */
static int take_turn(struct replayer *r, struct task *t)
{
	struct event_data d;
	int rc = replayer_expect(r, t, REC_TURN);

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
	rc = replayer_data(r, t, &d, false, false); /* what a killed process left */
	if (rc < 0)
		return rc;
	replayer_consume(r);
	mm_join_follow(t->proc->mm);
	return 0;
}

int replayer_first_turn(struct replayer *r, struct task *t)
{
	int rc = replayer_peek(r);

	if (rc < 0 && rc != -ENODATA)
		return replayer_damaged(r, rc);
	return rc > 0 && r->ev.type == REC_TURN && !(r->ev.flags & REC_F_AFTER) ? take_turn(r, t) : 0;
}

static int choose_thread(struct replayer *r, struct task **t)
{
	struct task *next;
	int rc = r->passed ? 0 : replayer_peek(r);

	if (rc < 0 && rc != -ENODATA)
		return replayer_damaged(r, rc);
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
int replayer_turn(struct session *s, struct task **t)
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

int replayer_preempt(struct session *s, struct task *t, bool point)
{
	struct replayer *r = replayer_of(s);
	struct event_data d;
	int rc = replayer_peek(r);

	while (rc > 0 && !point && r->ev.type == REC_TURN && r->ev.flags & REC_F_AFTER) {
		rc = take_turn(r, t);
		if (rc < 0)
			return rc;
		rc = replayer_peek(r);
	}
	if (rc < 0 && rc != -ENODATA)
		return replayer_damaged(r, rc);
	if (rc <= 0 || r->ev.type != REC_SCHED || !(r->ev.flags & REC_F_POINT) != !point)
		return 0;
	if (point && !seek_end(&r->seek, t))
		return 0; /* further on */
	rc = replayer_expect(r, t, REC_SCHED);
	if (rc < 0)
		return rc;
	replayer_announce(r, t, DEBUGGEE_OTHER, -1, NULL);
	rc = replayer_data(r, t, &d, false, false);
	if (rc < 0)
		return rc;
	replayer_consume(r);
	if (point)
		signal_preempted(t);
	replayer_end_turn(r);
	r->switched = true;
	return 1;
}

int64_t replayer_thread(struct session *s, struct task *t, struct plan *p, struct task *made)
{
	made->tid = (pid_t)p->recorded;
	if (replayer_debugged(replayer_of(s)))
		debuggee_thread_begins(replayer_of(s)->link.debug, t, made);
	return p->recorded;
}

int replayer_thread_ended(struct session *s, struct task *t, struct task **next)
{
	struct process *p = t->proc;

	if (replayer_debugged(replayer_of(s)))
		debuggee_thread_ends(replayer_of(s)->link.debug, t);
	thread_free(t);
	*next = p->tasks;
	replayer_end_turn(replayer_of(s));
	replayer_of(s)->switched = true;
	return 0;
}
