/*
 * Debugging a recording: a struct debug_target (gdbstub/target.h) over replayed processes. One process of the recording is
 * replayed, in as many copies as needed: the one the client looks at, and checkpoints, all of them processes of their own
 * that this one asks over sockets (debug_link.h).
 *
 * Backwards is forwards from an earlier checkpoint: to find what stopped the program last before here, it is run up to
 * here while what would have stopped it is counted, then again to the last one. doc/debugging.md has the costs.
 */
#ifndef SANDREC_DEBUG_H
#define SANDREC_DEBUG_H

#include "gdbstub/target.h"

struct replay_result;

struct debug_request {
	int dirfd;         /* the trace directory */
	const char *path;  /* its name for messages */
	int number;        /* process to debug; 0: the first */
	int pid;           /* what the debugger is to call it; 0: as the recording does */
	bool quiet_output; /* do not repeat what the program wrote */
	int output;        /* descriptor that its standard output goes to; -1: ours */
	/* Called in the process that replays when it cannot begin. Ends it. */
	int (*failed)(int rc, const char *path, const struct replay_result *res);
};

/* Stands at the program's first instruction. -EBADMSG, -ECHILD (said already), or another errno with a line in why. */
int debug_start(const struct debug_request *q, struct debug_target **out, char *why, size_t len);
void debug_end(struct debug_target *t);

#endif
