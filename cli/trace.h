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

struct stream_reader;
int trace_open_stream(int dir, int number, struct stream_reader **r); /* as stream_reader_open() */

/* One process of a recording. */
struct trace_proc {
	int number, parent;  /* in the recording, from 1; parent 0: none, or not known */
	pid_t pid;
	char name[24];       /* for people: the pid, or "PID.N" where several processes had it */
	int nth;             /* of those with this pid, from 1 */
	bool last;           /* of those */
	bool has_stream;     /* else only the manifest knows it */
};

struct trace_procs {
	size_t n;
	struct trace_proc *p; /* by number */
};

/* From the manifest, as far as it goes, and the streams. false after a message. */
bool trace_procs_read(int dir, const char *path, struct trace_procs *ps);
void trace_procs_free(struct trace_procs *ps);
const struct trace_proc *trace_proc_numbered(const struct trace_procs *ps, int number); /* NULL: none */

/* The process that a user means: "PID" (the last that had it) or "PID.N" (the Nth). NULL after a message. */
const struct trace_proc *trace_proc_find(const struct trace_procs *ps, const char *path, const char *text);

/* Events that can be read: of all processes, or of one. For progress. */
uint64_t trace_count_events(int dir, const struct trace_procs *ps, const struct trace_proc *one);

struct trace_filter {
	uint64_t from, to;   /* event numbers, both included */
	int number, tid;     /* of a process, of a thread; 0: any */
};

/* false: enough */
typedef bool trace_fn(void *arg, const struct trace_proc *p, const struct event *ev, const struct memory *mem);

/* Every event that the filter lets through, by time. false after a message: one could not be read. */
bool trace_each_event(int dir, const char *path, const struct trace_procs *ps, const struct trace_filter *f, trace_fn *fn,
		      void *arg);

#endif
