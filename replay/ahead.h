/*
 * The events of a process in their order, with a look at those that come: a queue between the reader of its stream and the
 * replayer. Events that are looked at are read, with their data, and wait in the queue; they happen when ahead_happened() says so.
 * What is wrong with the stream further on is said when its turn comes.
 *
 * Only small calls can be passed over: of the others nothing is read before they are the next one.
 */
#ifndef SANDREC_AHEAD_H
#define SANDREC_AHEAD_H

#include "trace/stream.h"

#define AHEAD_CALLS 192  /* that are looked at */
#define AHEAD_PIECES 4   /* data records of a small call */
#define AHEAD_BYTES 256  /* and their bytes */

struct ahead;
int ahead_create(struct stream_reader *reader, struct ahead **out); /* the reader stays the caller's */
void ahead_destroy(struct ahead *a);

/* The next event that is not a note: 1, 0 at the end, or the reader's negative errno. Its annex is valid until it has happened. */
int ahead_next(struct ahead *a, struct event *ev);
/* Its data, piece by piece, as stream_data(). */
int ahead_data(struct ahead *a, struct event_data *d);
void ahead_happened(struct ahead *a);

struct ahead_call {
	struct event ev;
	unsigned n;
	struct event_data piece[AHEAD_PIECES];
	char bytes[AHEAD_BYTES];
};

/*
 * The event that comes `skip` events after the next one, if all up to it are calls with small data for which plain() is true
 * (asked once for each); after: the one behind it, of which nothing but its registers, its kind and its thread count. NULL: it is
 * not to be looked at. Valid until the next call of anything here.
 */
const struct ahead_call *ahead_call(struct ahead *a, unsigned skip, bool (*plain)(void *arg, const struct event *ev), void *arg,
				    const struct event **after);

#endif
