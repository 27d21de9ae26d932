/*
 * Replaying a trace from its first event to its last: `sandrec replay`. The program's first process is replayed in the
 * calling process, the others in processes of their own, side by side.
 */
#ifndef SANDREC_REPLAY_H
#define SANDREC_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct handover;

struct replay_request {
	bool quiet_output; /* do not repeat the program's output */
	int debug;         /* a socket to the debugger (debug.h) of the process `only`; 0: none */
	bool check;        /* for the caller: comes back in the result, whichever program image gets it */
	int only;          /* replay the process of this number alone (only.h); 0: all */
};

/* Of the process replayed alone, or of the first one. */
struct replay_result {
	int status;        /* wait status that its recording ended with */
	uint64_t events;   /* replayed */
	bool check;        /* of the request */
	char cut[256];     /* the recording ended before the program did: why; else empty */
	char why[256];     /* one line, when something failed and was not reported yet; else empty */
};

/*
 * dirfd: the trace directory. 0: every process was replayed to the end of its recording. DIVERGED (divergence.h), reported
 * already; or another negative errno: trace damaged, host lacking something. When the program calls execve, this
 * process becomes a new image of sandrec, which goes on in replay_resume().
 */
int replay_run(int dirfd, const struct replay_request *q, struct replay_result *res);

/* In the new image: the same results, for the first process; other processes end here. */
int replay_resume(struct handover *h, struct replay_result *res);

#endif
