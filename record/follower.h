/*
 * One guest process as the supervisor sees it: a thread that moves its ring to its stream until the process is gone.
 * Owned by the collector; what a follower found out is read after follower_join().
 */
#ifndef SANDREC_FOLLOWER_H
#define SANDREC_FOLLOWER_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "trace/manifest.h"

/* Rings of processes that are gone, in files TRACE_SPARE_NAME: for whoever needs a ring. Used by any thread. */
#define SPARE_RINGS 8
struct spare_rings {
	pthread_mutex_t lock;
	int number[SPARE_RINGS];
	unsigned n;
};

struct follower {
	struct follower *next;     /* the collector's */
	int dir;                   /* the trace directory */
	int number, parent;        /* in this recording (control.h); parent 0: the supervisor */
	pid_t pid;                 /* in the supervisor's pid namespace */
	char comm[16];
	pthread_t thread;
	struct spare_rings *spares; /* where its ring goes at the end; NULL: it is removed */
	struct ring *ring;
	struct stream_writer *out;
	int pidfd;                 /* -1: gone already */
	bool ended;                /* it has said so; by another thread, atomically */
	int status;                /* valid then */
	int error;
	uint64_t events;
};

/* Its ring exists. Negative errno; f is then the caller's to free. */
int follower_start(struct follower *f);
/* Its last words. */
void follower_ended(struct follower *f, int status);
void follower_join(struct follower *f);

#endif
