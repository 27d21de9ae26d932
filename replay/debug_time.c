/* Going back: forwards from an earlier checkpoint. Contract: debug_int.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/debug_int.h"
#include "replay/replayer.h"

#define STEPS_KNOWN_MAX 3000 /* a place so many instructions behind a known one is reached by stepping */
#define STEPS_TRIED 1000     /* when it is not known how far it is */
#define STEPS_NEAR 40        /* behind a fresh anchor: the next steps back start there */
#define ROUNDS 200

static bool at_start(const struct link_place *p)
{
	return !p->at_event && p->exact && !p->anchor && !p->steps;
}

void time_adopt(struct replay_debug *d, struct peer *p)
{
	peer_quit(&d->now);
	d->now = *p;
	p->sock = -1;
}

static void leave(struct peer *p)
{
	peer_quit(p);
}
#define cleanup_peer __attribute__((cleanup(leave)))

static const struct peer none = { .sock = -1 };

/* ---- getting to places ---- */

static int copy_of(struct copy *c, struct peer *p)
{
	return c ? peer_copy(&c->peer, 0, p) : -ENOENT;
}

/*
 * Runs p, over new program images, each of which knows nothing of the run and reports itself instead. That is a stop that
 * counts, where the client wants to know of it. *coarse: a watched page has turned out to be used too often.
 */
static int run_through(struct replay_debug *d, struct peer *p, const struct link_run *what, bool *coarse)
{
	struct link_run run = *what;
	uint64_t hits = 0;
	int rc = peer_run(d, p, &run);

	while (rc == 0 && (p->at.kind == DEBUG_EXEC || p->at.kind == LINK_HOT)) {
		bool image = p->at.kind == DEBUG_EXEC, seen = image && run.events && run.wishes.exec_events;

		hits += p->at.hits + seen;
		if (!what->count && hits > what->skip && seen)
			break;
		run.skip = what->skip > hits ? what->skip - hits : 0;
		run.from_start = image;
		run.coarse |= !image;
		rc = peer_run(d, p, &run);
	}
	p->at.hits += hits;
	*coarse = run.coarse;
	return rc;
}

static int step(struct replay_debug *d, struct peer *p, uint64_t n)
{
	const struct link_run run = { .steps = n };
	int rc = n ? peer_run(d, p, &run) : 0;

	return rc < 0 || !n || p->at.kind == DEBUG_STEPPED ? rc : -ENXIO;
}

/*
 * To the place behind `events` events; 1 when there is none: events that came together (a system call and a signal at its
 * end) have no place between them.
 */
static int to_start(struct replay_debug *d, uint64_t events, struct peer *p)
{
	const struct link_place place = { .events = events, .exact = true };
	const struct link_run run = { .limit = LIMIT_EVENT, .limit_events = events };
	bool coarse;
	int rc = copy_of(copies_before(d, &place, true), p);

	if (rc < 0 || (at_start(&p->at.place) && p->at.place.events == events))
		return rc;
	rc = run_through(d, p, &run, &coarse);
	if (rc < 0)
		return rc;
	return p->at.kind == LINK_LIMIT && p->at.place.events == events ? 0 : 1;
}

/* A checkpoint of the place behind an event where p stands, if there is none. */
static void keep_start(struct replay_debug *d, struct peer *p)
{
	const struct copy *c = copies_before(d, &p->at.place, true);

	if (at_start(&p->at.place) && (!c || c->anchor || c->peer.at.place.events != p->at.place.events))
		copies_add(d, p, false, 0);
}

int time_seek(struct replay_debug *d, uint64_t events)
{
	cleanup_peer struct peer p = none;
	int rc = to_start(d, events, &p);

	if (rc < 0)
		return rc;
	time_adopt(d, &p);
	return 0;
}

int time_restart(struct replay_debug *d, struct copy *c)
{
	cleanup_peer struct peer p = none;
	int rc = copy_of(c, &p);

	if (rc == 0)
		time_adopt(d, &p);
	return rc;
}

int time_begin(struct replay_debug *d)
{
	return d->ncopies ? time_restart(d, d->copy[0]) : -ENOENT;
}

/* The run ends where place is, at the latest. mark: of place, where it is neither behind an event nor at one. */
static void limit_to(struct link_run *run, const struct link_place *place, const struct link_mark *mark)
{
	run->limit_events = place->events;
	run->limit = place->at_event ? LIMIT_AT_EVENT : at_start(place) ? LIMIT_EVENT : LIMIT_MARK;
	if (run->limit == LIMIT_MARK)
		run->mark = *mark;
}

static bool reached(const struct peer *p, const struct link_run *run)
{
	return p->at.kind == LINK_LIMIT && p->at.place.events == run->limit_events &&
	       p->at.place.at_event == (run->limit == LIMIT_AT_EVENT);
}

/* ---- one instruction back ---- */

/*
 * The last place before target that is known how to reach and from which stepping leads to it: *base, with the
 * target n steps on. target is where `run` is limited to.
 */
struct search {
	struct replay_debug *d;
	struct link_run run;       /* limited to the target, nothing else */
	struct peer base;
	uint64_t steps;            /* from base to target */
};

/* A trial from the base: 1 when the target is within reach, s->steps on; 0: p stands further on, still before it. */
static int try_steps(struct search *s, struct peer *p)
{
	struct link_run run = s->run;
	int rc = peer_copy(&s->base, 0, p);

	run.steps = STEPS_TRIED;
	if (rc == 0)
		rc = peer_run(s->d, p, &run);
	if (rc < 0)
		return rc;
	if (p->at.kind == LINK_RUN_OUT)
		return 0;
	if (!reached(p, &s->run))
		return -ENXIO;
	s->steps = p->at.stepped;
	return 1;
}

/*
 * The last time before the target that the instruction at site is reached becomes the base, when it is at all. p stands
 * where to count from. counts_target: the target's own pass is one of them.
 */
static int last_pass(struct search *s, struct peer *p, uint64_t site, bool counts_target)
{
	cleanup_peer struct peer from = none;
	struct link_run run = s->run;
	uint64_t passes;
	int rc = peer_copy(p, 0, &from);

	run.site = site;
	if (rc == 0)
		rc = peer_run(s->d, p, &run);
	if (rc < 0)
		return rc;
	if (!reached(p, &s->run))
		return -ENXIO;
	passes = p->at.passes;
	if (counts_target && passes)
		passes--;
	if (passes) {
		run = (struct link_run){ .site = site, .passes = passes,
					 .within = s->run.limit == LIMIT_EVENT ? 0 : s->run.limit_events };
		rc = peer_run(s->d, &from, &run);
		if (rc == 0 && from.at.kind != LINK_PASSED)
			rc = -ENXIO;
	}
	if (rc < 0)
		return rc;
	peer_quit(&s->base);
	s->base = from;
	from.sock = -1;
	return 0;
}

/* From a base somewhere before the target to one from which it can be stepped to. */
static int approach(struct search *s)
{
	int rc = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		cleanup_peer struct peer p = none;

		rc = try_steps(s, &p);
		if (rc)
			return rc < 0 ? rc : 0;
		/* First the last pass of the place itself: behind it there is no other, so that a plain breakpoint finds it. */
		if (i == 0 && s->run.limit == LIMIT_MARK)
			rc = last_pass(s, &p, s->run.mark.regs.rip, true);
		else if (i == 0 && s->base.at.point)
			rc = last_pass(s, &p, s->base.at.point, true);
		else
			rc = last_pass(s, &p, p.at.rip, false);
		if (rc < 0)
			return rc;
	}
	return -ELOOP;
}

/* Where the search for the instruction before place begins. */
static int first_base(struct replay_debug *d, const struct link_place *place, struct peer *base)
{
	struct copy *c = copies_before(d, place, false);
	uint64_t events = place->events - at_start(place);
	int rc = 1;

	if (!c)
		return -ENOENT;
	/* Inside the computation that led here: its beginning may be far. */
	if (c->anchor && c->peer.at.place.events == events)
		return copy_of(c, base);
	for (; rc == 1; events--) {
		peer_quit(base);
		rc = to_start(d, events, base);
		if (!events)
			break;
	}
	return rc == 1 ? -ENOENT : rc;
}

/* Makes p, n steps behind base, what the client sees; with a fresh anchor on the way when that is far. */
static int walk(struct replay_debug *d, struct peer *p, uint64_t n)
{
	int rc;

	if (n > 2 * STEPS_NEAR) {
		rc = step(d, p, n - STEPS_NEAR);
		if (rc < 0)
			return rc;
		copies_add(d, p, true, 0);
		n = STEPS_NEAR;
	}
	rc = step(d, p, n);
	if (rc == 0)
		time_adopt(d, p);
	return rc;
}

/* In a computation, and how it got there is not known. */
static bool inside(const struct link_place *place)
{
	return !place->at_event && !at_start(place);
}

/* From the base, which stepping leads to the target from: to what is before `place`, n instructions from the base. */
static int walk_back(struct replay_debug *d, struct search *s, const struct link_place *place, uint64_t n, uint64_t rip)
{
	cleanup_peer struct peer p = none;
	int rc;

	if (!s->base.at.place.exact)
		copies_add(d, &s->base, true, 0);
	rc = peer_copy(&s->base, 0, &p);
	if (rc < 0)
		return rc;
	if (n == 0) {
		/* An event right behind another one, or nothing has executed since the base: what is before it counts. */
		time_adopt(d, &p);
		return time_back_step(d);
	}
	/* At an event the program is where the instructions before have brought it. */
	rc = walk(d, &p, place->at_event ? n : n - 1);
	/* A fault: its instruction has not executed yet. One further back. */
	if (rc == 0 && place->at_event && d->now.at.rip == rip)
		return time_back_step(d);
	return rc;
}

/* By way of a place ahead, when there is one that is easier to find; else, or when that one led astray, straight. */
static int search_by(struct replay_debug *d, const struct link_place *place, uint64_t rip, bool straight)
{
	struct search s = { .d = d, .base = none };
	struct ahead a = { .peer = none, .place = *place };
	bool astray = false;
	int rc = 0;

	if (inside(place))
		rc = straight ? ahead_none(d, &a) : ahead_find(d, NULL, &a);
	if (rc == 0)
		rc = first_base(d, place, &s.base);
	limit_to(&s.run, &a.place, &a.mark);
	if (rc == 0)
		rc = approach(&s);
	ahead_end(d, &a);
	/* The last pass of some instruction may lie between the place and the one ahead. */
	astray = a.steps && s.steps <= a.steps;
	if (rc == 0 && !astray)
		rc = walk_back(d, &s, place, s.steps - a.steps, rip);
	peer_quit(&s.base);
	return rc == 0 && astray ? search_by(d, place, rip, true) : rc;
}

static int search_back(struct replay_debug *d, const struct link_place *place, uint64_t rip)
{
	const struct link_place at = *place; /* it may be d->now's */

	return search_by(d, &at, rip, false);
}

static bool at_begin(const struct replay_debug *d, const struct link_place *p)
{
	return at_start(p) && d->ncopies && p->events <= d->copy[0]->peer.at.place.events;
}

int time_back_step(struct replay_debug *d)
{
	cleanup_peer struct peer p = none;
	struct link_place place = d->now.at.place;
	struct copy *anchor = copies_anchor(d, place.anchor);
	int rc;

	if (at_begin(d, &place))
		return 1;
	/* An anchor is at a distance from the one before. */
	if (!place.at_event && place.exact && anchor && !place.steps && anchor->was.exact) {
		place = anchor->was;
		anchor = copies_anchor(d, place.anchor);
	}
	if (place.at_event || !place.exact || !place.steps || place.steps > STEPS_KNOWN_MAX || (place.anchor && !anchor))
		return search_back(d, &d->now.at.place, d->now.at.rip);
	rc = anchor ? copy_of(anchor, &p) : to_start(d, place.events, &p);
	if (rc == 1)
		rc = -ENXIO;
	/* More steps back are likely to follow: they all start there. */
	if (rc == 0 && !anchor)
		keep_start(d, &p);
	return rc < 0 ? rc : walk(d, &p, place.steps - 1);
}

/* The number of the last event of a thread before `events`, UINT64_MAX: there is none. */
static uint64_t last_event_of(struct replay_debug *d, pid_t tid, uint64_t events)
{
	uint64_t found = UINT64_MAX;
	struct stream_reader *r;
	struct event ev;
	char why[256];

	if (replayer_open_stream(d->request.dirfd, d->number, &r, why, sizeof(why)) < 0)
		return found;
	while (stream_next(r, &ev) == 1 && ev.index < events)
		if (ev.tid == tid && ev.type != REC_NOTE)
			found = ev.index;
	stream_reader_close(r);
	return found;
}

int time_back_to(struct replay_debug *d, pid_t tid)
{
	struct link_place place = { .at_event = true };

	place.events = last_event_of(d, tid, d->now.at.place.events);
	/* The first event, a program image or a process, is nobody's. */
	if (!place.events || place.events == UINT64_MAX)
		return 1;
	return search_back(d, &place, 0);
}

/* ---- back to what stopped it last ---- */

/* The client stands where a change was noticed: to where it was made. */
static int find_last_change(struct replay_debug *d, struct peer *from)
{
	struct link_stop stop = d->now.at;
	int rc = time_find_change(d, from, true);

	d->now.at.kind = stop.kind;
	d->now.at.stop = stop.stop;
	return rc;
}

/* From checkpoint c to the limit: how many stops there are on the way, but for so many beyond; then to the last of them. */
static int last_hit(struct replay_debug *d, struct copy *c, const struct link_run *limited, uint64_t beyond, bool *found)
{
	cleanup_peer struct peer p = none;
	struct link_run run = *limited;
	bool coarse = false;
	int rc = copy_of(c, &p);

	run.count = run.from_start = true;
	if (rc == 0)
		rc = run_through(d, &p, &run, &coarse);
	if (rc < 0)
		return rc;
	if (!reached(&p, limited))
		return -ENXIO;
	*found = p.at.hits > beyond;
	if (!*found)
		return 0;
	run.skip = p.at.hits - beyond - 1;
	run.count = false;
	peer_quit(&p);
	rc = copy_of(c, &p);
	if (rc == 0)
		rc = run_through(d, &p, &run, &coarse);
	if (rc == 0 && p.at.kind == LINK_LIMIT)
		rc = -ENXIO;
	if (rc < 0)
		return rc;
	time_adopt(d, &p);
	return coarse && d->now.at.kind == DEBUG_WATCHPOINT ? find_last_change(d, &c->peer) : 0;
}

int time_back_run(struct replay_debug *d, const struct link_run *what)
{
	struct ahead a = { .peer = none, .place = d->now.at.place };
	struct link_place place = d->now.at.place;
	struct link_run run = *what;
	struct link_mark mark;
	bool found = false;
	struct copy *c, *at = NULL;
	uint64_t beyond;
	int rc = 0;

	if (at_begin(d, &place))
		return 1;
	if (inside(&place))
		rc = ahead_find(d, what, &a);
	mark = a.mark;
	beyond = a.hits;
	c = rc < 0 ? NULL : copies_before(d, &place, false);
	place = a.place;
	for (; rc == 0 && !found && c; c = copies_before(d, &place, false)) {
		limit_to(&run, &place, &mark);
		rc = last_hit(d, c, &run, beyond, &found);
		if (at && d->goal.at)
			at->mark = d->goal.mark; /* with what was learned */
		place = c->anchor ? c->was : c->peer.at.place;
		if (c->anchor && c->mark.tid == 0)
			rc = rc < 0 ? rc : -ENXIO;
		mark = c->mark;
		d->goal.at = c->anchor ? &c->peer : NULL;
		d->goal.mark = mark;
		at = c->anchor ? c : NULL;
		beyond = 0;
	}
	ahead_end(d, &a);
	if (rc < 0 || found)
		return rc;
	rc = time_begin(d);
	return rc < 0 ? rc : 1;
}
