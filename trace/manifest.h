/*
 * The manifest: what a trace directory holds, as JSON (jansson). Written by the supervisor at start and again at the
 * end, each time to a temporary file and renamed, so that a reader finds a whole one. Read as hostile input.
 */
#ifndef SANDREC_MANIFEST_H
#define SANDREC_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include "vmm/cpuid.h"

/* Raised whenever an older sandrec could misread a new trace; additions an old reader may ignore do not raise it. */
#define TRACE_FORMAT 3 /* 3: frames with flags */
#define TRACE_FORMAT_OLDEST 2 /* the oldest that is still read */
#define MANIFEST_NAME "manifest"

struct manifest_proc {
	int number, parent; /* in the recording (names its stream); parent: that of its parent, 0 for the first */
	pid_t pid, ppid;  /* in the supervisor's pid namespace; may occur twice */
	char *comm;       /* last program image's name; freed by manifest_free */
	bool ended;
	int status;       /* wait status when ended */
	uint64_t events;
};

struct manifest {
	int format;
	char *sandrec;    /* version that recorded */
	char *host, *kernel, *cwd, *clock; /* nodename, release, directory, "none"|"landmark"|"pmu" */
	char **argv, **envp;
	struct timespec start, end; /* CLOCK_REALTIME; end 0 while running */
	bool complete;    /* the recording ended in order */
	char *cut;        /* why it ended early ("disk full"), or NULL */
	pid_t known_as;   /* run --answers: the number that the first process had in the recording that answered; 0: its own */
	bool chaos;       /* scheduled at random, from seed */
	uint64_t seed;
	uint64_t places, switches; /* with chaos: where it could have forced switches, at most in one process, and how many it has */
	uint64_t *met;    /* nmet addresses of instructions where threads were seen to use the same memory (record/meeting.h) */
	size_t nmet;
	struct cpu_table cpu;
	size_t nprocs;
	struct manifest_proc *procs; /* [0] is the program that was started */
};

/*
 * Strings may hold any bytes: what is not UTF-8 is stored as \xHH and a backslash as two (doc/trace-format.md).
 */
int manifest_write(int dirfd, const struct manifest *m);
/* -ENOENT, -EBADMSG (damaged), -EPROTO (another format); why gets one line. */
int manifest_read(int dirfd, struct manifest *m, char *why, size_t len);
int manifest_parse(const char *text, size_t text_len, struct manifest *m, char *why, size_t len);
void manifest_free(struct manifest *m); /* also after a failed read; m is zeroed */

#endif
