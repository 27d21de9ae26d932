/*
 * The processes of a recording: what the manifest lists, completed from the streams. A recording that was cut, or is
 * still running, has streams that its manifest does not know yet.
 */
#ifndef SANDREC_CLI_PROCS_H
#define SANDREC_CLI_PROCS_H

#include "trace/manifest.h"

/* One program image: what the process was from start_ns on. */
struct proc_image {
	uint64_t start_ns;
	char **argv;
};

struct proc {
	int number, parent;        /* in the recording; parent 0: none, or not known */
	pid_t pid, ppid;           /* ppid 0: not known */
	char name[24];             /* for people: trace.h */
	char *comm;                /* NULL: not known */
	bool ended;
	int status;                /* wait status when ended */
	uint64_t events;           /* that can be read */
	uint64_t bytes;            /* on disk, files/ not counted */
	uint64_t records;          /* bytes of its records before compression */
	int end;                   /* how its stream ends: 0, -ENODATA (cut short), -EBADMSG, -ENOENT (no stream) */

	/* with procs_scan() only */
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC of its first and last event */
	size_t nimages;            /* of its own: 0 when it only ran its parent's */
	struct proc_image *image;
	char **argv;               /* of its last image, or that which it had from its parent; NULL: not known */
};

struct procs {
	size_t n;
	struct proc *p;            /* by number */
};

/* false after a message. */
bool procs_read(int dir, const char *path, const struct manifest *m, struct procs *out);

/* Goes through all events for what only they say. false: out of memory, after a message. */
bool procs_scan(int dir, struct procs *ps);

void procs_free(struct procs *ps);
struct proc *procs_find(const struct procs *ps, int number); /* NULL: no such process */

#endif
