/* Places that are easy to find. Contract: debug_int.h. */
#include <string.h>

#include "replay/debug_int.h"

#define AHEAD_MAX 90 /* of the instructions that are tried: when there are more, none was found */

static bool breakpoint_at(const struct replay_debug *d, uint64_t addr)
{
	for (unsigned i = 0; i < d->npoints; i++)
		if (d->point[i].kind <= DEBUG_HARD_BREAK && d->point[i].addr == addr)
			return true;
	return false;
}

static bool watches(const struct replay_debug *d)
{
	for (unsigned i = 0; i < d->npoints; i++)
		if (d->point[i].kind > DEBUG_HARD_BREAK)
			return true;
	return false;
}

int ahead_none(struct replay_debug *d, struct ahead *a)
{
	int rc = peer_mark(&d->now, &a->mark);

	peer_quit(&a->peer);
	a->place = d->now.at.place;
	a->steps = a->hits = 0;
	if (rc == 0) {
		d->goal.at = &d->now;
		d->goal.mark = a->mark;
	}
	return rc;
}

int ahead_find(struct replay_debug *d, const struct link_run *what, struct ahead *a)
{
	struct link_run run = what ? *what : (struct link_run){ 0 };
	int rc;

	memset(a, 0, sizeof(*a));
	a->peer.sock = -1;
	/* Where values are compared depends on how the program runs: then it is the place itself. */
	if (what && watches(d))
		return ahead_none(d, a);
	run.count = run.from_start = run.slide = true;
	run.limit = LIMIT_AT_EVENT;
	run.limit_events = d->now.at.place.events;
	rc = peer_copy(&d->now, 0, &a->peer);
	if (rc == 0)
		rc = peer_run(d, &a->peer, &run);
	if (rc < 0)
		return rc;
	a->steps = a->peer.at.stepped;
	a->hits = a->peer.at.hits;
	a->place = a->peer.at.place;
	if (a->peer.at.kind == LINK_LIMIT)
		return 0;
	if (a->peer.at.kind != LINK_BUDGET || !a->steps || a->steps > AHEAD_MAX)
		return ahead_none(d, a);
	/* A run that ends there does not count it. */
	a->hits -= run.points && a->hits && breakpoint_at(d, a->peer.at.rip);
	rc = peer_mark(&a->peer, &a->mark);
	if (rc == 0) {
		d->goal.at = &a->peer;
		d->goal.mark = a->mark;
	}
	return rc;
}

void ahead_end(struct replay_debug *d, struct ahead *a)
{
	peer_quit(&a->peer);
	d->goal.at = NULL;
}
