/* A replayed process under the debugger: when it stands still. Contract: debuggee.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "replay/debuggee_int.h"
#include "syscall-emu/landmark.h"

#define WATCH_FAULTS_MAX 2000 /* some tenths of a second */

int debuggee_create(int sock, int number, struct debuggee **out)
{
	struct debuggee *d = calloc(1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	d->sock = sock;
	d->number = number;
	d->place.exact = true;
	*out = d;
	return 0;
}

struct debuggee *debuggee_for(struct debuggee *d, int number)
{
	return d && number == d->number ? d : NULL;
}

int debuggee_socket(const struct debuggee *d)
{
	return d->sock;
}

int debuggee_number(const struct debuggee *d)
{
	return d->number;
}

void debuggee_executed(struct debuggee *d)
{
	d->executed = true;
}

bool debuggee_shows(uint64_t *shown, uint64_t event)
{
	if (event < *shown)
		return false;
	*shown = event + 1;
	return true;
}

/* ---- reasons to stand still ---- */

/* Something a client wants to see: true when that is now, and not counted or passed over. */
static bool hit(struct debuggee *d)
{
	d->hits++;
	return !d->run.count && d->hits > d->run.skip;
}

static bool at_limit(struct debuggee *d, struct task *t)
{
	const struct link_run *r = &d->run;
	const char *why;

	switch (r->limit) {
	case LIMIT_EVENT:
		return !d->place.at_event && d->place.events >= r->limit_events;
	case LIMIT_AT_EVENT:
		return d->place.at_event && d->place.events >= r->limit_events;
	case LIMIT_MARK:
		if (d->place.events > r->mark.events)
			return true; /* missed: who wanted to know sees it by the place */
		if (d->place.events != r->mark.events || t->tid != r->mark.tid || t->regs->rip != r->mark.regs.rip)
			return false;
		if (landmark_check(t, &r->mark.regs, &r->mark.point, &why) == 1)
			return true;
		d->false_hit = !memcmp(t->regs, &r->mark.regs, sizeof(r->mark.regs));
		return false;
	case LIMIT_NONE:
		break;
	}
	return false;
}

static bool wanted_syscall(const struct debuggee *d, int nr)
{
	const struct debug_wishes *w = &d->run.wishes;

	if (!d->run.events || !w->syscalls)
		return false;
	if (w->all_syscalls)
		return true;
	return nr >= 0 && nr < DEBUG_SYSCALLS && w->syscall[nr / 8] >> nr % 8 & 1;
}

static bool thread_news(struct debuggee *d, struct debug_stop *stop)
{
	pid_t born = d->born, ended = d->ended;
	bool wanted = d->run.events && d->run.wishes.thread_events;

	/* One of them at a time, the other one is asked for again. */
	if (born) {
		d->born = 0;
		*stop = (struct debug_stop){ .kind = DEBUG_THREAD_BORN, .tid = d->t->tid, .child = born };
	} else {
		d->ended = 0;
		*stop = (struct debug_stop){ .kind = DEBUG_THREAD_ENDED, .tid = d->t->tid, .child = ended, .status = d->ended_status };
	}
	return wanted && hit(d);
}

/* What has happened since user code ran last, each once. */
static bool news(struct debuggee *d, struct debug_stop *stop)
{
	bool returned;

	while (d->born || d->ended)
		if (thread_news(d, stop))
			return true;
	returned = d->was_syscall;
	d->was_syscall = false;
	if (d->child) {
		stop->kind = d->child_vfork ? DEBUG_VFORK : DEBUG_FORK;
		stop->child = d->child;
		d->child = 0;
		if (d->run.events && (d->child_vfork ? d->run.wishes.vfork_events : d->run.wishes.fork_events)) {
			d->was_syscall = returned;
			if (hit(d))
				return true;
			d->was_syscall = false;
		}
	}
	if (!returned || !wanted_syscall(d, d->last_nr))
		return false;
	stop->kind = DEBUG_SYSCALL_RETURN;
	stop->nr = d->last_nr;
	return hit(d);
}

static bool steps_done(const struct debuggee *d, const struct task *t)
{
	const struct link_run *r = &d->run;

	if (!r->steps || d->stepped < r->steps)
		return false;
	return !(r->range[1] && t->regs->rip >= r->range[0] && t->regs->rip < r->range[1]);
}

static bool at_breakpoint(struct debuggee *d, const struct task *t, struct debug_stop *stop)
{
	if (!d->run.points || d->fresh || !points_at(d, t->regs->rip, &stop->point))
		return false;
	d->fresh = true; /* the next time only when something has executed */
	stop->kind = DEBUG_BREAKPOINT;
	stop->addr = t->regs->rip;
	return hit(d);
}

/*
 * Where watched values are compared: where else is a matter of chance (pages are filled when they are needed), and a
 * count of what has changed has to be the same each time.
 */
static bool compares_here(struct debuggee *d, struct task *t)
{
	const struct link_place *p = &d->place;

	if (!d->run.coarse || (p->exact && !p->anchor && !p->steps) || d->timed_out || d->interrupted || d->run.steps)
		return true;
	return points_at(d, t->regs->rip, NULL) || at_limit(d, t);
}

/* What reads leave no trace that could be looked for later. */
static bool only_writes(const struct debuggee *d)
{
	for (unsigned i = 0; i < d->npoints; i++)
		if (d->point[i].kind > DEBUG_WATCH_WRITE)
			return false;
	return true;
}

/*
 * A checkpoint is to be found again: where code cannot carry a site, each pass on the way to it would leave the guest. Nor
 * does one that covers several instructions do: something may jump to the second, or return there.
 */
static bool slides(struct debuggee *d, const struct task *t)
{
	uint64_t rip = t->regs->rip;
	struct landmark_place p;

	if (!d->timed_out || !d->slide)
		return false;
	if (landmark_look(t, rip, &p) == 0 && p.good && !p.string && p.next - rip >= TRAMP_JUMP_LEN) {
		d->slide = 0;
		return false;
	}
	d->slide--;
	return d->slide;
}

/* Is there a reason to stand still here? kind: what to answer. */
static bool due(struct debuggee *d, struct task *t, uint32_t *kind)
{
	struct debug_stop *stop = &d->stop;

	*stop = (struct debug_stop){ .tid = t->tid };
	/* Backwards, what was written just before the limit is the first thing to be undone. */
	if (d->run.points && compares_here(d, t) && watch_changed(d, stop) && hit(d)) {
		*kind = stop->kind;
		return true;
	}
	if (at_limit(d, t)) {
		*kind = LINK_LIMIT;
		return true;
	}
	if (d->false_hit && goal_differs(d)) {
		*kind = LINK_FALSE;
		return true;
	}
	if (news(d, stop)) {
		*kind = stop->kind;
		return true;
	}
	if (d->run.passes && d->passes >= d->run.passes) {
		*kind = LINK_PASSED;
		return true;
	}
	if (steps_done(d, t)) {
		*kind = d->run.limit == LIMIT_NONE ? DEBUG_STEPPED : LINK_RUN_OUT;
		return true;
	}
	if (at_breakpoint(d, t, stop)) {
		*kind = stop->kind;
		return true;
	}
	if (d->watch_faults > WATCH_FAULTS_MAX && only_writes(d)) {
		*kind = LINK_HOT;
		return true;
	}
	if (d->interrupted || (d->timed_out && !slides(d, t))) {
		*kind = d->interrupted ? DEBUG_INTERRUPTED : LINK_BUDGET;
		return true;
	}
	return false;
}

/* ---- progress ---- */

static bool at_site(const struct debuggee *d, const struct task *t)
{
	return d->run.site && t->regs->rip == d->run.site;
}

/* The step under way has been made. */
static void stepped(struct debuggee *d, const struct task *t)
{
	d->step_counts = false;
	d->fresh = false;
	d->watch_step = false;
	d->stepped += !d->run.tid || d->run.tid == t->tid;
	if (d->place.events == d->seen_events && d->place.exact)
		d->place.steps++;
	if (at_site(d, t))
		d->passes++;
}

void debuggee_done(struct debuggee *d, uint64_t events, bool syscall)
{
	d->place = (struct link_place){ .events = events, .exact = true };
	d->was_syscall = syscall;
	d->fresh = false;
}

void debuggee_thread_begins(struct debuggee *d, const struct task *by, const struct task *made)
{
	names_inherit(d, by, made);
	d->born = made->tid;
}

void debuggee_thread_ends(struct debuggee *d, struct task *t)
{
	d->ended = t->tid;
	d->ended_status = (int)t->regs->rdi; /* of exit(2) */
	if (d->t == t)
		d->t = t->next ? t->next : t->proc->tasks;
}

void debuggee_forked(struct debuggee *d, pid_t child, bool vfork)
{
	d->child = child;
	d->child_vfork = vfork;
}

/* ---- the run ---- */

static void first_words(struct debuggee *d)
{
	uint32_t kind = d->executed ? DEBUG_EXEC : LINK_HERE;

	debuggee_watch_socket(d);
	d->begun = true;
	d->executed = false;
	d->stop = (struct debug_stop){ .kind = DEBUG_EXEC, .tid = d->t->tid };
	d->hits = d->stepped = d->passes = 0;
	memcpy(d->stop.path, d->t->proc->exe, sizeof(d->stop.path));
	debuggee_answer(d, kind);
	debuggee_serve(d);
}

static void look_up(struct debuggee *d)
{
	if (debuggee_spoken_to(d))
		d->interrupted = true;
}

void debuggee_resume(struct debuggee *d, struct task *t, uint64_t point)
{
	uint32_t kind;

	points_remove(d);
	watch_disarm(d, t);
	if (d->site_armed)
		d->passes += landmark_counted(t);
	d->t = t;
	d->seek_site = point;
	d->place.at_event = false;
	/* The delivery of a signal between two instructions counts like one. */
	if (d->place.events != d->seen_events || (d->step_counts && t->regs->rip != d->step_rip))
		stepped(d, t);
	d->step_counts = false;
	d->seen_events = d->place.events;
	if (!d->begun)
		first_words(d);
	look_up(d);
	while (due(d, t, &kind)) {
		landmark_disarm(t);
		debuggee_answer(d, kind);
		debuggee_serve(d);
	}
}

/* ---- landmarks and internal breakpoints ---- */

static bool must_step(const struct debuggee *d, const struct task *t)
{
	const struct link_run *r = &d->run;
	uint64_t rip = t->regs->rip;

	if (r->steps && (!r->tid || r->tid == t->tid))
		return true;
	return d->watch_step || (d->timed_out && d->slide) || rip == d->extra[0] || rip == d->extra[1] || (r->points && points_at(d, rip, NULL));
}

static bool mark_ahead(const struct debuggee *d)
{
	return d->run.limit == LIMIT_MARK && d->run.mark.events == d->place.events;
}

/* Can the 5 bytes of a landmark's jump, and the instructions it displaces, be changed at addr? */
static bool free_for_site(const struct debuggee *d, uint64_t addr)
{
	return !d->run.points || !points_near(d, addr, TRAMP_SITE_MAX);
}

bool debuggee_lets_seek(struct debuggee *d, struct task *t, uint64_t point, const struct tramp_cond *c)
{
	d->extra[1] = 0;
	d->seek = *c;
	if (!must_step(d, t) && !d->run.site && !mark_ahead(d) && free_for_site(d, point) && !(t->regs->rflags & RFLAGS_TF)) {
		d->site_armed = false;
		return true;
	}
	if (!d->site_armed)
		landmark_disarm(t);
	/* A place to be found in this computation comes before the event that ends it. */
	if (!mark_ahead(d) && d->run.site != point && !(d->run.passes && d->run.within == d->place.events))
		d->extra[1] = point;
	return false;
}

static void arm_landmark(struct debuggee *d, struct task *t, uint64_t site, const struct tramp_cond *c)
{
	d->site_plain = d->site_armed = false;
	if (free_for_site(d, site) && site != d->extra[1] && landmark_arm(t, site, c) == 0)
		d->site_armed = landmark_armed(t);
	if (!d->site_armed) {
		d->extra[0] = site;
		d->site_plain = true;
	}
}

static void mark_condition(const struct link_mark *m, struct tramp_cond *c)
{
	c->regs = m->regs;
	c->first = m->point.changed;
	c->nwords = m->point.nwords;
	memcpy(c->word, m->point.word, sizeof(c->word));
}

/* A place to be found, and perhaps another one to be counted on the way there. */
static void arm_sites(struct debuggee *d, struct task *t)
{
	struct tramp_cond c = { 0 };
	bool mark = mark_ahead(d);

	d->extra[0] = 0;
	if (!mark && !d->run.site)
		return;
	if (landmark_armed(t) && d->site_armed)
		return;
	if (!d->run.site) {
		mark_condition(&d->run.mark, &c);
		arm_landmark(d, t, d->run.mark.regs.rip, &c);
		return;
	}
	c.count = d->run.passes ? d->run.passes - d->passes : UINT64_MAX;
	if (mark && d->run.mark.regs.rip == d->run.site) {
		mark_condition(&d->run.mark, &c);
	} else if (d->seek_site && d->seek_site == d->run.site && !mark) {
		uint64_t count = c.count;

		c = d->seek;
		c.count = count;
	} else {
		c.never = true;
		d->extra[1] = mark ? d->run.mark.regs.rip : d->extra[1];
	}
	arm_landmark(d, t, d->run.site, &c);
}

int debuggee_enter(struct debuggee *d, struct task *t)
{
	int rc;

	d->fresh = d->fresh && points_at(d, t->regs->rip, NULL);
	d->site_plain = false;
	if (!must_step(d, t))
		arm_sites(d, t);
	/* Now perhaps because of an internal breakpoint here. */
	if (must_step(d, t)) {
		landmark_disarm(t);
		d->step_rip = t->regs->rip;
		d->step_counts = true;
		step_arm(d, t);
		return d->watch_step ? 0 : watch_arm(d, t);
	}
	d->place.exact = false;
	rc = points_insert(d);
	return rc < 0 ? rc : watch_arm(d, t);
}

int debuggee_stopped(struct debuggee *d, struct task *t)
{
	bool counted = d->site_plain && t->regs->rip == d->run.site && d->run.site;

	if (d->tf) {
		step_stopped(d, t);
		watch_disarm(d, t);
		if (t->stop.stop == VCPU_EXCEPTION && t->stop.vector == V_DB) {
			stepped(d, t);
			return !d->tf_own;
		}
		if (watch_fault(d, t)) {
			t->regs->rflags &= ~RFLAGS_RF;
			return 1;
		}
		return 0;
	}
	if (points_hit(d, t)) {
		points_remove(d);
		watch_disarm(d, t);
		t->regs->rflags &= ~RFLAGS_RF;
		d->passes += counted;
		return 1;
	}
	points_remove(d);
	watch_disarm(d, t);
	if (!watch_fault(d, t))
		return 0;
	t->regs->rflags &= ~RFLAGS_RF;
	return 1;
}

int debuggee_landed(struct debuggee *d, struct task *t)
{
	points_remove(d);
	watch_disarm(d, t);
	return d->site_armed;
}

/* ---- events ---- */

void debuggee_event(struct debuggee *d, struct task *t, enum debuggee_event what, int nr, const siginfo_t *si)
{
	struct debug_stop *stop = &d->stop;
	uint32_t kind = LINK_LIMIT;
	bool is_due;

	points_remove(d);
	watch_disarm(d, t);
	landmark_disarm(t);
	d->t = t;
	d->seek_site = 0;
	d->place.at_event = true;
	d->have_siginfo = si != NULL;
	if (si)
		d->siginfo = *si;
	d->last_nr = nr;
	if (what == DEBUGGEE_SYSCALL)
		names_call(d, t);
	is_due = at_limit(d, t);
	*stop = (struct debug_stop){ .tid = t->tid, .nr = nr, .signo = si ? si->si_signo : 0 };
	if (!is_due && what == DEBUGGEE_SYSCALL && wanted_syscall(d, nr)) {
		stop->kind = DEBUG_SYSCALL_ENTRY;
		kind = stop->kind;
		is_due = hit(d);
	}
	if (!is_due && what == DEBUGGEE_SIGNAL && d->run.signals && !(d->run.wishes.pass_signals >> (si->si_signo - 1) & 1)) {
		stop->kind = DEBUG_SIGNAL;
		kind = stop->kind;
		is_due = hit(d);
	}
	if (is_due) {
		debuggee_answer(d, kind);
		debuggee_serve(d);
	}
}

void debuggee_ended(struct debuggee *d, struct task *t)
{
	uint32_t kind = DEBUG_END;

	points_remove(d);
	landmark_disarm(t);
	d->t = t;
	d->place.at_event = true;
	if (at_limit(d, t))
		kind = LINK_LIMIT;
	d->stop = (struct debug_stop){ .kind = DEBUG_END, .tid = t->tid, .status = t->wait_status };
	for (;;) {
		debuggee_answer(d, kind);
		debuggee_serve(d);
		kind = d->stop.kind = DEBUG_EXITED;
	}
}

void debuggee_failed(struct debuggee *d)
{
	if (!d->t)
		_exit(EXIT_FAILURE);
	points_remove(d);
	d->stop = (struct debug_stop){ .kind = DEBUG_FAILED, .tid = d->t->tid };
	for (;;) {
		debuggee_answer(d, DEBUG_FAILED);
		debuggee_serve(d);
	}
}
