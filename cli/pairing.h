/*
 * The processes of one recording and their counterparts in another: the first with the first, then children of
 * counterparts by what they executed and the order in which they were made.
 */
#ifndef SANDREC_CLI_PAIRING_H
#define SANDREC_CLI_PAIRING_H

#include "cli/compare.h"
#include "cli/procs.h"
#include "cli/trace.h"

struct pairing_thread {
	int number, tid, nth;    /* of which process; from 1, in the order of their first events */
};

/* One recording. */
struct side {
	int dir;
	char path[4096];
	struct manifest manifest;
	struct trace_procs named;
	struct procs procs;
	size_t nthreads;
	struct pairing_thread *thread;
	struct compare_ids ids;
};

/* -1: it has none. */
struct pair {
	ptrdiff_t a, b;          /* places in procs.p */
};

struct pairing {
	size_t n;
	struct pair *pair;
};

/* Opens a recording and reads through it for its processes and threads. false after a message. */
bool side_open(struct side *s, const char *name);
void side_close(struct side *s);

/* Finds the pairs and gives both sides' processes and threads the same labels. false after a message. */
bool pairing_find(struct side *a, struct side *b, struct pairing *p);
void pairing_free(struct pairing *p);

const struct pairing_thread *side_thread(const struct side *s, int number, int tid);

#endif
