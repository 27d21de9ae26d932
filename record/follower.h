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
	int vm;                    /* the virtual machine that it leaves, or one of enum follower_vm; atomic */
	bool ended;                /* it has said so; by another thread, atomically */
	int status;                /* valid then */
	int error;
	uint64_t events;
};

enum follower_vm { FOLLOWER_NO_VM = -1, FOLLOWER_GONE = -2 };

/* Its ring exists. Negative errno; f is then the caller's to free. */
int follower_start(struct follower *f);
/* Its last words. */
void follower_ended(struct follower *f, int status);
/*
 * The descriptor of a virtual machine that the process is about to leave is kept, until the process is gone or the next one
 * comes (-1: none, but the process has left the last one). Returns a descriptor that the caller is to close, or -1.
 */
int follower_vm(struct follower *f, int fd);
void follower_join(struct follower *f);

#endif
