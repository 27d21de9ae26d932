/*
 * A recording as a picture: who ran when, for `sandrec timeline`. Two forms of one list of bars: a page for a browser,
 * and the trace event format of Chrome, which Perfetto reads.
 *
 * A bar ends when its event was logged and begins at the thread's previous event: the recording does not say when a call
 * began, so what the program computed before it is in its bar.
 */
#ifndef SANDREC_CLI_TIMELINE_H
#define SANDREC_CLI_TIMELINE_H

#include <stdio.h>

#include "cli/procs.h"

enum bar_kind { /* the page knows them by number */
	BAR_CALL,
	BAR_WAIT,    /* a call that may wait and took long, or the wait for the thread's turn */
	BAR_FAILED,  /* a call that gave an error */
	BAR_IMAGE,   /* a program image starts */
	BAR_SIGNAL,  /* signals and faults: a moment */
	BAR_SWITCH,  /* the thread gives way: a moment */
	BAR_END,     /* the process ends: a moment */
	BAR_OTHER
};

static inline bool bar_is_moment(enum bar_kind k) { return k == BAR_SIGNAL || k == BAR_SWITCH || k == BAR_END; }

struct bar {
	uint64_t begin_ns, end_ns; /* since the recording's first event */
	uint64_t event;
	enum bar_kind kind;
	int tid, nth;              /* the thread, and which of the process's it is, from 1 */
	const char *name;          /* "openat", "SIGCHLD" */
	const char *text;          /* the whole event */
};

struct timeline {              /* begin() fills it */
	FILE *f;
	void *state;
};

struct timeline_form {
	bool (*begin)(struct timeline *t, const struct manifest *m); /* false: out of memory, as below */
	bool (*process)(struct timeline *t, const struct proc *p);   /* the bars that follow are its */
	bool (*bar)(struct timeline *t, const struct proc *p, const struct bar *b);
	bool (*process_end)(struct timeline *t, const struct proc *p);
	bool (*birth)(struct timeline *t, const struct proc *parent, const struct proc *child, uint64_t ns);
	bool (*end)(struct timeline *t, bool cut);                   /* always, to free the state */
};

extern const struct timeline_form timeline_html, timeline_chrome;

/* A string as JSON, `<` as an escape: it may stand inside a page's script. false: out of memory. */
bool timeline_put_string(FILE *f, const char *text);

#endif
