/* What the files of the debugger's side share. Nobody outside replay/debug* includes this. */
#ifndef SANDREC_DEBUG_INT_H
#define SANDREC_DEBUG_INT_H

#include "replay/debug.h"
#include "replay/debug_link.h"
#include "trace/files.h"

#define COPIES_MAX 64

/* A replayed process at the other end of a socket. */
struct peer {
	int sock; /* -1: none */
	struct link_stop at;
};

/* One that stands still for good, to be copied again. */
struct copy {
	struct peer peer;
	uint64_t anchor;       /* its number; 0 when it is the place behind an event */
	struct link_place was; /* its place before it became an anchor */
	struct link_mark mark; /* tid 0: none was taken */
	unsigned user;         /* number of a `monitor checkpoint`, 0: made on the way */
	uint64_t used;         /* when, by replay_debug.clock */
};

struct replay_debug {
	struct debug_target base;
	struct debug_request request;
	int number;               /* of the process debugged */
	pid_t pid, group;
	struct peer now;       /* what the client sees */
	struct peer diversion; /* or this, when it has changed something */
	struct debug_stop stop;
	struct link_about about;
	bool about_known;
	struct copy *copy[COPIES_MAX]; /* by place, as far as that is known */
	unsigned ncopies, thinned;
	uint64_t anchors, clock, interval_ms;
	unsigned users;
	struct link_point point[LINK_POINTS_MAX];
	unsigned npoints;
	/* The mark that runs are limited to just now, and who stands there: so that more can be learned about it. at: or NULL. */
	struct { struct peer *at; struct link_mark mark; } goal;
	const struct debug_resume *how; /* while running for the client */
	bool cancelled;                 /* it has said stop */
	struct file_index *files;       /* debug_files.c */
	char path[4096];
};

/* ---- debug_peer.c: talking to one process. A peer that is gone is an error of the peer's: -EPIPE. ---- */
int peer_ask(struct peer *p, const struct link_request *q, const void *bytes, size_t len);
ssize_t peer_answer(struct peer *p, void *buf, size_t len);
int peer_number(struct peer *p, const struct link_request *q, const void *bytes, size_t len); /* answer is a number */
void peer_quit(struct peer *p);
/* A copy of p, as a new peer. anchor 0: as its place is; else p and the copy are at (anchor, 0) from now on. */
int peer_copy(struct peer *p, uint64_t anchor, struct peer *made);
int peer_mark(struct peer *p, struct link_mark *m);
/* Runs p until it stops. -ECANCELED: the client wanted it to stop before (it stands somewhere). */
int peer_run(struct replay_debug *d, struct peer *p, const struct link_run *run);

/* ---- debug_copies.c: checkpoints ---- */
struct copy *copies_add(struct replay_debug *d, struct peer *of, bool anchor, unsigned user); /* NULL: it could not be made */
/* The nearest one that is before place, or at it when at_too; NULL: none. */
struct copy *copies_before(struct replay_debug *d, const struct link_place *place, bool at_too);
struct copy *copies_anchor(struct replay_debug *d, uint64_t anchor);
void copies_free(struct replay_debug *d);

/*
 * ---- debug_ahead.c: a place inside a computation that is costly to find (each pass of its instruction leaves the guest) is
 * looked for by one that is a few instructions ahead of it. ----
 */
struct ahead {
	struct peer peer;          /* stands there; sock -1: the place itself is as good */
	struct link_place place;
	struct link_mark mark;     /* where place is neither behind an event nor at one */
	uint64_t steps;            /* so many instructions on */
	uint64_t hits;             /* of what would have stopped `what` in between, from the place itself on */
};
/* From what the client sees, which is such a place. Runs will be limited to it: goal is set. what: counts, or NULL. */
int ahead_find(struct replay_debug *d, const struct link_run *what, struct ahead *a);
int ahead_none(struct replay_debug *d, struct ahead *a); /* the place itself */
void ahead_end(struct replay_debug *d, struct ahead *a);

/* ---- debug_time.c: back ---- */
int time_back_step(struct replay_debug *d);                            /* 1: at the beginning already */
int time_back_to(struct replay_debug *d, pid_t tid);                    /* to what this thread did last; 1: nothing */
int time_back_run(struct replay_debug *d, const struct link_run *what); /* likewise */
int time_begin(struct replay_debug *d);
int time_seek(struct replay_debug *d, uint64_t events);                /* to the place behind so many */
/*
 * A watched value has changed somewhere between from and what the client sees, without anything else on the way that
 * stops: there. last: the change that gave the value it has now; else the first one.
 */
int time_find_change(struct replay_debug *d, struct peer *from, bool last);
/* p becomes what the client sees; the one before goes. */
void time_adopt(struct replay_debug *d, struct peer *p);

int time_restart(struct replay_debug *d, struct copy *c);              /* to its place */

/* A run in which watched pages turn out to be used too often goes on without taking them away. */
#define COARSE_MS 50

/* ---- debug.c ---- */
void debug_moved(struct replay_debug *d);                              /* not by the client: what it stands at */
struct copy *debug_checkpoint(struct replay_debug *d, unsigned user);  /* of the place at hand; NULL: no room */

void debug_monitor(struct replay_debug *d, const char *line, FILE *out);
int files_open_recorded(struct replay_debug *d, const char *path);
void files_index_free(struct file_index *ix);

#endif
