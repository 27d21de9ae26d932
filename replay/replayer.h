/*
 * The replaying session: the guest runs again, and every stop takes its outcome from the trace. Each stop is compared
 * with the recorded event: kind, thread, all registers, the bytes a call reads, the result of what is done again.
 */
#ifndef SANDREC_REPLAYER_H
#define SANDREC_REPLAYER_H

#include "record/tree.h"
#include "syscall-emu/loader.h"
#include "trace/stream.h"

struct replayer;
struct debuggee;

/* What a replayer needs from outside. All of it stays the caller's and must outlive the replayer. */
struct replay_links {
	int dir;           /* the trace directory, hidden */
	int shared;        /* the tree's memfd, hidden */
	struct tree *tree; /* record/tree.h */
	int number;        /* of the process in the recording */
	pid_t pid;         /* as the process saw it itself; 0 until that is known */
	bool main_process; /* the one that the user waits for; others end their host process with their stream */
	bool quiet_output; /* do not repeat the program's writes to stdout and stderr */
	struct debuggee *debug; /* the process under the debugger (debuggee.h), or NULL */
	int ended_status;  /* wait status to end with when the recording stops without an exit event */
};

/* reader: the process's stream; the replayer's from here on. */
int replayer_create(const struct replay_links *links, struct stream_reader *reader, struct replayer **out);

/* Opens the stream of a process. Negative errno with a line in why. */
int replayer_open_stream(int dir, int number, struct stream_reader **out, char *why, size_t len);
struct session *replayer_session(struct replayer *r);
struct debuggee *replayer_debuggee(struct session *s); /* NULL: its process is not debugged */
void replayer_destroy(struct replayer *r);

/*
 * Reads the first event, which must start a program image: fills x (free with exec_params_free) and the recorded thread
 * id. Then loader_exec(), then replayer_started(), which compares the registers.
 */
int replayer_exec(struct replayer *r, struct exec_params *x, pid_t *tid);
int replayer_started(struct replayer *r, struct task *t);

/* Did the recording end before the program did? NULL, or why, for people. */
const char *replayer_cut(const struct replayer *r);
uint64_t replayer_events(const struct replayer *r); /* events replayed so far */

#endif
