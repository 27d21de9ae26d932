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
	struct ring *ring;
	struct files_store *files;
	int dir;               /* the trace directory, hidden: children make their rings there */
	int control;           /* to the collector, hidden */
	int shared;            /* the tree's memfd, hidden */
	struct tree *tree;
	int program_fd;        /* the program being loaded, opened before exec; -1 */
};

int recorder_create(const struct recorder_links *links, struct recorder **out);
struct session *recorder_session(struct recorder *r);

/* Logs the start of a program image: to be called when loader_exec() is done and before task_loop(). */
int recorder_exec(struct recorder *r, struct task *t, const struct exec_params *x);

#endif
