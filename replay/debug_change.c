/*
 * Who changed a watched value on a page that is used too often to be taken away: by halving. The value is looked at in
 * copies of the program that have passed an instruction so and so often. Contract: time_find_change() in debug_int.h.
 */
#include <errno.h>
#include <string.h>

#include "replay/debug_int.h"

#define STEPS_TRIED 500
#define ROUNDS 100

struct values {
	uint8_t bytes[LINK_POINTS_MAX][64];
	bool readable[LINK_POINTS_MAX];
};

struct window {
	struct replay_debug *d;
	struct peer from;
	struct link_run to;      /* limited to where it ends */
	struct values *before, *after;
	bool last;
};

static int look(struct replay_debug *d, struct peer *p, struct values *v)
{
	memset(v, 0, sizeof(*v));
	for (unsigned i = 0; i < d->npoints; i++) {
		struct link_request q = { .op = LINK_READ, .addr = d->point[i].addr, .len = d->point[i].len };
		int64_t n;
		int rc = d->point[i].kind == DEBUG_WATCH_WRITE ? peer_ask(p, &q, NULL, 0) : 1;

		if (rc == 1)
			continue;
		if (rc < 0 || link_receive(p->sock, &n, sizeof(n), v->bytes[i], q.len, NULL) < 0)
			return -EPIPE;
		v->readable[i] = n == (int64_t)q.len;
	}
	return 0;
}

/* 1: it has happened where p stands; 0: not yet. */
static int happened(struct window *w, struct peer *p)
{
	static struct values now;
	int rc = look(w->d, p, &now);

	if (rc < 0)
		return rc;
	return w->last ? !memcmp(&now, w->after, sizeof(now)) : memcmp(&now, w->before, sizeof(now)) != 0;
}

/* From p, where it has not happened, step by step: 1 when it has, there p stands. 0: not within reach. */
static int step_to_it(struct window *w, struct peer *p)
{
	struct link_run run = w->to;
	uint64_t left = STEPS_TRIED;
	int rc;

	run.points = true;
	while (left) {
		run.steps = left;
		rc = peer_run(w->d, p, &run);
		if (rc < 0)
			return rc;
		left -= p->at.stepped < left ? p->at.stepped : left;
		rc = happened(w, p);
		if (rc)
			return rc;
		if (p->at.kind == LINK_LIMIT)
			return -ENXIO; /* it should have happened by then */
	}
	return 0;
}

static int pass(struct window *w, struct peer *from, uint64_t site, uint64_t n, struct peer *made)
{
	const struct link_run run = { .site = site, .passes = n, .within = from->at.place.events };
	int rc = peer_copy(from, 0, made);

	if (rc == 0 && n)
		rc = peer_run(w->d, made, &run);
	return rc < 0 ? rc : n && made->at.kind != LINK_PASSED ? -ENXIO : 0;
}

/* How often site is passed from p to the end of the window; p is used up. */
static int count(struct window *w, struct peer *p, uint64_t site, uint64_t *n)
{
	struct link_run run = w->to;
	int rc;

	run.site = site;
	rc = peer_run(w->d, p, &run);
	*n = p->at.passes;
	return rc < 0 ? rc : p->at.kind == LINK_LIMIT ? 0 : -ENXIO;
}

/* The end of the window is where p stands, in the same computation as its beginning. */
static int end_at(struct window *w, struct peer *p)
{
	w->to = (struct link_run){ .limit = LIMIT_MARK };
	return peer_mark(p, &w->to.mark);
}

/* Between the passes of site from p on, where it happens: the window becomes what lies between two of them. 1: there were. */
static int halve(struct window *w, struct peer *p, uint64_t site)
{
	struct peer probe = { .sock = -1 }, counter = { .sock = -1 };
	uint64_t not_yet = 0, has, n = 0;
	int rc = peer_copy(p, 0, &counter);

	if (rc == 0)
		rc = count(w, &counter, site, &n);
	peer_quit(&counter);
	has = n + 1;
	while (rc == 0 && has - not_yet > 1) {
		uint64_t middle = not_yet + (has - not_yet) / 2;
		int yes;

		rc = pass(w, p, site, middle, &probe);
		yes = rc < 0 ? rc : happened(w, &probe);
		peer_quit(&probe);
		rc = yes < 0 ? yes : 0;
		if (yes)
			has = middle;
		else
			not_yet = middle;
	}
	if (rc == 0 && has <= n) {
		rc = pass(w, p, site, has, &probe);
		if (rc == 0)
			rc = end_at(w, &probe);
		peer_quit(&probe);
	}
	if (rc == 0)
		rc = pass(w, p, site, not_yet, &probe);
	if (rc < 0) {
		peer_quit(&probe);
		return rc;
	}
	peer_quit(&w->from);
	w->from = probe;
	return n > 1;
}

/* rip of a place in a computation that the window ends at, or 0. */
static uint64_t end_site(const struct window *w, const struct peer *p)
{
	return w->to.limit == LIMIT_MARK ? w->to.mark.regs.rip : p->at.point;
}

static int narrow(struct window *w)
{
	struct peer p = { .sock = -1 };
	int rc = 0;

	for (unsigned i = 0; i < ROUNDS && rc == 0; i++) {
		rc = peer_copy(&w->from, 0, &p);
		if (rc == 0)
			rc = step_to_it(w, &p);
		if (rc > 0) {
			time_adopt(w->d, &p);
			return 0;
		}
		/*
		 * The place that ends the window must not be passed in vain, as only one place can be watched for nothing: so
		 * it is the first to be counted.
		 */
		if (rc == 0 && end_site(w, &p))
			rc = halve(w, &p, end_site(w, &p));
		if (rc == 0)
			rc = halve(w, &p, p.at.rip);
		rc = rc > 0 ? 0 : rc;
		peer_quit(&p);
	}
	return rc < 0 ? rc : -ELOOP;
}

int time_find_change(struct replay_debug *d, struct peer *from, bool last)
{
	static struct values before, after;
	const struct link_place *end = &d->now.at.place;
	struct window w = { .d = d, .from = { .sock = -1 }, .before = &before, .after = &after, .last = last };
	struct link_run start = { .limit = LIMIT_EVENT };
	bool behind_event = !end->at_event && end->exact && !end->anchor && !end->steps;
	int rc = look(d, from, &before);

	if (rc == 0)
		rc = look(d, &d->now, &after);
	if (rc == 0)
		rc = peer_copy(from, 0, &w.from);
	/* Values are compared after each event: it happened behind the last one, or at it. */
	start.limit_events = end->events - behind_event;
	if (rc == 0 && w.from.at.place.events < start.limit_events)
		rc = peer_run(d, &w.from, &start);
	w.to = (struct link_run){ .limit = behind_event ? LIMIT_EVENT : end->at_event ? LIMIT_AT_EVENT : LIMIT_MARK,
				  .limit_events = end->events };
	if (rc == 0 && w.to.limit == LIMIT_MARK)
		rc = peer_mark(&d->now, &w.to.mark);
	/* Events that came together: what is behind the last of them is all there is to see. */
	if (rc == 0 && !happened(&w, &w.from))
		rc = narrow(&w);
	peer_quit(&w.from);
	return rc;
}
