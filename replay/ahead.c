/* Looking ahead in an event stream. Contract: ahead.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/ahead.h"

struct entry {
	struct ahead_call call;
	bool whole;              /* all of its data is there; else the rest is still to be read */
};

struct ahead {
	struct stream_reader *reader;
	unsigned first, n;       /* the queue: events first, first + 1... of entry[] */
	bool have, opened;       /* behind the queue: one that was read from the stream; some of its data, too */
	struct event last;
	unsigned taken;          /* pieces of the first in the queue that ahead_data() has given */
	bool held;               /* the first piece of the newest in the queue that did not fit */
	struct event_data holds;
	struct entry entry[AHEAD_CALLS];
};

int ahead_create(struct stream_reader *reader, struct ahead **out)
{
	struct ahead *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->reader = reader;
	*out = a;
	return 0;
}

void ahead_destroy(struct ahead *a)
{
	free(a);
}

static struct entry *entry_at(struct ahead *a, unsigned i)
{
	return &a->entry[(a->first + i) % AHEAD_CALLS];
}

/* Makes a->last the event behind the queue: 1, 0 or a negative errno. */
static int read_last(struct ahead *a)
{
	int rc;

	while (!a->have) {
		rc = stream_next(a->reader, &a->last);
		if (rc <= 0)
			return rc;
		a->have = a->last.type != REC_NOTE;
	}
	return 1;
}

int ahead_next(struct ahead *a, struct event *ev)
{
	int rc = a->n ? 1 : read_last(a);

	if (rc > 0)
		*ev = a->n ? entry_at(a, 0)->call.ev : a->last;
	return rc;
}

int ahead_data(struct ahead *a, struct event_data *d)
{
	struct entry *e = entry_at(a, 0);

	if (!a->n) {
		a->opened = true;
		return stream_data(a->reader, d);
	}
	if (a->taken < e->call.n) {
		*d = e->call.piece[a->taken++];
		return 1;
	}
	if (e->whole)
		return 0;
	if (!a->held)
		return stream_data(a->reader, d);
	a->held = false;
	*d = a->holds;
	return 1;
}

void ahead_happened(struct ahead *a)
{
	if (a->n) {
		if (!entry_at(a, 0)->whole)
			a->held = false; /* the reader skips the rest */
		a->first = (a->first + 1) % AHEAD_CALLS;
		a->n--;
	} else {
		a->have = false;
	}
	a->taken = 0;
	a->opened = false;
}

/* The pieces of the event that was read last, up to one that is too large. */
static void read_pieces(struct ahead *a, struct entry *e)
{
	uint32_t used = 0;
	int rc;

	e->call.n = 0;
	while ((rc = stream_data(a->reader, &a->holds)) > 0) {
		struct event_data *d = &e->call.piece[e->call.n];

		if (e->call.n == AHEAD_PIECES || a->holds.len > AHEAD_BYTES - used) {
			a->held = true;
			break;
		}
		memcpy(e->call.bytes + used, a->holds.bytes, a->holds.len);
		*d = a->holds;
		d->bytes = e->call.bytes + used;
		used += a->holds.len;
		e->call.n++;
	}
	e->whole = rc == 0;
}

/* One more in the queue. */
static bool extend(struct ahead *a, bool (*plain)(void *arg, const struct event *ev), void *arg)
{
	struct entry *e = entry_at(a, a->n);

	if (a->n == AHEAD_CALLS || (a->n && !entry_at(a, a->n - 1)->whole) || read_last(a) <= 0 || a->opened ||
	    a->last.annex_len || a->last.ndata > AHEAD_PIECES || !plain(arg, &a->last))
		return false;
	e->call.ev = a->last;
	e->call.ev.annex = NULL;
	read_pieces(a, e);
	a->have = false;
	a->n++;
	return true;
}

const struct ahead_call *ahead_call(struct ahead *a, unsigned skip, bool (*plain)(void *arg, const struct event *ev), void *arg,
				    const struct event **after)
{
	while (a->n <= skip)
		if (!extend(a, plain, arg))
			return NULL;
	if (!entry_at(a, skip)->whole)
		return NULL;
	if (skip + 1 < a->n)
		*after = &entry_at(a, skip + 1)->call.ev;
	else if (read_last(a) > 0)
		*after = &a->last;
	else
		return NULL;
	return &entry_at(a, skip)->call;
}
