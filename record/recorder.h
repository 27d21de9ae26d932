/*
 * The recording session: does what the plain one does and writes every stop of the guest to the ring.
 * Owned by the guest process (one per process); its thread that holds the baton calls it.
 */
#ifndef SANDREC_RECORDER_H
#define SANDREC_RECORDER_H

#include "record/tree.h"
#include "syscall-emu/loader.h"
#include "trace/files.h"
#include "trace/ring.h"

struct recorder;

/* What a recorder needs from outside. All of it stays the caller's and must outlive the recorder. */
struct recorder_links {
	int number;            /* of the process in this recording: control.h */
	struct ring *ring;     /* NULL: it is not recorded */
	int ring_fd;           /* the same, for the next program image; hidden, the recorder's; -1 */
	struct files_store *files; /* NULL: they cannot be reached (any more) */
	int dir;               /* the trace directory, hidden */
	int control;           /* to the collector, hidden */
	int shared;            /* the tree's memfd, hidden */
	struct tree *tree;
	int program_fd;        /* the program being loaded, opened before exec; -1 */
	struct world *world;   /* where calls are answered from (world.h), or NULL */
};

/* Makes links->ring from links->ring_fd. */
int recorder_open_ring(struct recorder_links *links);

int recorder_create(const struct recorder_links *links, struct recorder **out);
struct session *recorder_session(struct recorder *r);

/* Logs the start of a program image: to be called when loader_exec() is done and before task_loop(). */
int recorder_exec(struct recorder *r, struct task *t, const struct exec_params *x);

#endif
