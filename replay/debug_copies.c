/* Checkpoints. Contract: debug_int.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay/debug_int.h"
#include "vmm/cleanup.h"

#define MEMORY_SHARE 8 /* checkpoints go when less than this part of the memory is available */

static bool at_start(const struct link_place *p)
{
	return !p->at_event && p->exact && !p->anchor && !p->steps;
}

/* Does the way from the last event to place lead over c? */
static bool leads_over(struct replay_debug *d, const struct copy *c, const struct link_place *place, bool at_too)
{
	uint64_t anchor = place->anchor;
	bool moved = !place->exact || place->steps || at_too;

	while (anchor) {
		const struct copy *a = NULL;

		if (anchor == c->anchor)
			return moved;
		for (unsigned i = 0; i < d->ncopies; i++)
			if (d->copy[i]->anchor == anchor)
				a = d->copy[i];
		if (!a)
			return false;
		anchor = a->was.anchor;
		moved = true;
	}
	return false;
}

/* Is c certainly before place? Of two places between the same events only some pairs are known. */
static bool before(struct replay_debug *d, const struct copy *c, const struct link_place *place, bool at_too)
{
	const struct link_place *p = &c->peer.at.place;

	if (p->events != place->events)
		return p->events < place->events;
	if (at_start(place))
		return at_too && at_start(p) && !c->anchor;
	if (at_start(p) && !c->anchor)
		return true;
	if (place->at_event)
		return !p->at_event;
	return c->anchor && leads_over(d, c, place, at_too);
}

struct copy *copies_before(struct replay_debug *d, const struct link_place *place, bool at_too)
{
	struct copy *best = NULL;

	for (unsigned i = 0; i < d->ncopies; i++) {
		struct copy *c = d->copy[i];

		/* Of those between the same two events, the later made is the later one when both lead to place. */
		if (before(d, c, place, at_too) && (!best || c->peer.at.place.events > best->peer.at.place.events ||
		    (c->peer.at.place.events == best->peer.at.place.events && c->anchor > best->anchor)))
			best = c;
	}
	if (best)
		best->used = ++d->clock;
	return best;
}

struct copy *copies_anchor(struct replay_debug *d, uint64_t anchor)
{
	for (unsigned i = 0; i < d->ncopies; i++)
		if (anchor && d->copy[i]->anchor == anchor) {
			d->copy[i]->used = ++d->clock;
			return d->copy[i];
		}
	return NULL;
}

static void drop(struct replay_debug *d, unsigned i)
{
	peer_quit(&d->copy[i]->peer);
	free(d->copy[i]);
	d->ncopies--;
	memmove(&d->copy[i], &d->copy[i + 1], (d->ncopies - i) * sizeof(d->copy[0]));
}

/* The number in a file of a control group; UINT64_MAX: there is none, or no limit. */
static uint64_t group_number(const char *group, const char *file)
{
	char path[4352];
	cleanup_fclose FILE *f = NULL;
	unsigned long long n;

	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/%s", group, file);
	f = fopen(path, "re");
	return f && fscanf(f, "%llu", &n) == 1 ? n : UINT64_MAX;
}

/* Memory of files, which goes when it is wanted, counts as used by a control group. */
static uint64_t group_files(const char *group)
{
	char path[4352], line[128];
	cleanup_fclose FILE *f = NULL;
	unsigned long long n;

	snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.stat", group);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "file %llu", &n) == 1)
			return n;
	return 0;
}

/* In a container the machine's memory says little. Source: the kernel's cgroup-v2.rst. */
static bool low_group_memory(void)
{
	cleanup_fclose FILE *f = fopen("/proc/self/cgroup", "re");
	char group[4096] = "", line[4096];
	uint64_t most, used, files;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "0::", 3))
			snprintf(group, sizeof(group), "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
	if (!group[0])
		return false;
	most = group_number(group, "memory.max");
	used = group_number(group, "memory.current");
	files = group_files(group);
	if (most == UINT64_MAX || used == UINT64_MAX)
		return false;
	used -= files < used ? files : used;
	return used > most || most - used < most / MEMORY_SHARE;
}

static bool low_memory(void)
{
	cleanup_fclose FILE *f = fopen("/proc/meminfo", "re");
	unsigned long long total = 0, available = 0, n;
	char line[128];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "MemTotal: %llu", &n) == 1)
			total = n;
		else if (sscanf(line, "MemAvailable: %llu", &n) == 1)
			available = n;
	}
	return (total && available < total / MEMORY_SHARE) || low_group_memory();
}

/* Between whose neighbours the fewest events lie is missed least. The first, and people's own, stay. */
static bool drop_one(struct replay_debug *d)
{
	uint64_t least = UINT64_MAX;
	unsigned found = 0;

	for (unsigned i = 1; i < d->ncopies; i++) {
		const struct copy *c = d->copy[i];
		uint64_t next = i + 1 < d->ncopies ? d->copy[i + 1]->peer.at.place.events : c->peer.at.place.events + 1;
		uint64_t gap = next - d->copy[i - 1]->peer.at.place.events;

		/* What was used lately is likely to be used again. */
		if (d->clock - c->used < COPIES_MAX / 8 && c->used)
			continue;
		if (!c->user && gap < least) {
			least = gap;
			found = i;
		}
	}
	if (!found)
		return false;
	drop(d, found);
	return true;
}

static void make_room(struct replay_debug *d)
{
	if (d->ncopies == COPIES_MAX && drop_one(d))
		d->thinned++;
	if (d->ncopies > 2 && low_memory())
		drop_one(d);
	/* When half of them have been dropped once, what is left is far apart: so may the next ones be. */
	if (d->thinned >= COPIES_MAX / 2) {
		d->thinned = 0;
		d->interval_ms *= 2;
	}
}

struct copy *copies_add(struct replay_debug *d, struct peer *of, bool anchor, unsigned user)
{
	struct copy *c;
	unsigned i;

	make_room(d);
	if (d->ncopies == COPIES_MAX)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->anchor = anchor ? ++d->anchors : 0;
	c->user = user;
	c->was = of->at.place;
	/* An anchor that cannot be found again is of no use. */
	if ((anchor && peer_mark(of, &c->mark) < 0) || peer_copy(of, c->anchor, &c->peer) < 0) {
		free(c);
		return NULL;
	}
	for (i = d->ncopies; i && d->copy[i - 1]->peer.at.place.events > c->peer.at.place.events; i--)
		d->copy[i] = d->copy[i - 1];
	d->copy[i] = c;
	d->ncopies++;
	return c;
}

void copies_free(struct replay_debug *d)
{
	while (d->ncopies)
		drop(d, d->ncopies - 1);
}
