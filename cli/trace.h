/*
 * What the commands that read recordings share: opening one, with a message when that fails, and going through its
 * events.
 */
#ifndef SANDREC_CLI_TRACE_H
#define SANDREC_CLI_TRACE_H

#include "cli/memory.h"
#include "trace/manifest.h"

/* A descriptor of the trace directory (NULL: the latest) and its path, or -1 after a message. */
int trace_open(const char *name, char *path, size_t len);

/* false after a message. A recording whose manifest is gone can still be read: its streams say what they hold. */
bool trace_manifest(int dir, const char *path, struct manifest *m);

/* The processes recorded, by their streams: sorted numbers, *n of them; NULL after a message. The caller frees them. */
int *trace_pids(int dir, const char *path, size_t *n);

struct trace_filter {
	uint64_t from, to;   /* event numbers, both included */
	int pid, tid;        /* 0: any */
};

typedef bool trace_fn(void *arg, int pid, const struct event *ev, const struct memory *mem); /* false: enough */

/* Every event that the filter lets through, by time. false after a message: one could not be read. */
bool trace_each_event(int dir, const char *path, const struct trace_filter *f, trace_fn *fn, void *arg);

#endif
