/*
 * What the files of the replaying session share. Nobody outside replay/replayer*.c includes this. All of it runs on the one
 * host thread that drives the process's threads.
 */
#ifndef SANDREC_REPLAYER_INT_H
#define SANDREC_REPLAYER_INT_H

#include "replay/ahead.h"
#include "replay/debuggee.h"
#include "replay/point.h"
#include "replay/replayer.h"

struct replayer {
	struct session base;
	struct stream_reader *reader; /* for its errors: events come from: */
	struct ahead *ahead;
	struct files_store *files;
	struct shared_files *shared;
	struct replay_links link;
	struct event ev;       /* the next event, when peeked */
	bool peeked, exit_seen;
	bool switched;         /* the thread that ran last has given way, or ended */
	uint32_t number;       /* whose turn it is: this process's (record/group.h), 0: it has none */
	bool warned;           /* of memory that others share */
	bool file_missing;     /* a recorded file cannot be used, which has been reported */
	bool shown;            /* output of the event at hand is for people */
	bool passed;           /* it has made the process that alone is wanted (only.h), and is not needed any more */
	uint64_t done;
	struct seek seek;      /* of the next event, a signal at an execution point */
	char cut[256];
};

static inline struct replayer *replayer_of(struct session *s)
{
	return (struct replayer *)s;
}

/* ---- replayer.c ---- */

/* Non-NULL when r's process is the one that is debugged. */
struct debuggee *replayer_debugged(const struct replayer *r);

/* Makes r->ev the next event: 1, 0 at the end of the recording, or a negative errno. */
int replayer_peek(struct replayer *r);
/* r->ev has happened. */
void replayer_consume(struct replayer *r);
/* Reports that the stream cannot be read, and returns rc. */
int replayer_damaged(struct replayer *r, int rc);
/* The next event must be of this type, by this thread, with these registers: 0, or reported. Not consumed. */
int replayer_expect(struct replayer *r, struct task *t, uint8_t type);

/* The debugger may want to look before the event happens. true: it has led the process away, the event does not happen. */
bool replayer_announce(struct replayer *r, struct task *t, enum debuggee_event what, int nr, const siginfo_t *si);

/* ---- replayer_call.c ---- */

/*
 * The event's pieces: inputs come first and are compared before the call has any effect. With inputs_only the first
 * other piece is left in *d and 1 returned; 0 when there are no more. have: *d is such a piece.
 */
int replayer_data(struct replayer *r, struct task *t, struct event_data *d, bool inputs_only, bool have);

/* ---- replayer_turn.c ---- */

/* Processes that share memory with this one may go on, if it was this one's turn. */
void replayer_end_turn(struct replayer *r);
/* A process that has just been made takes its turn, if it has to: 0 or a negative errno. */
int replayer_first_turn(struct replayer *r, struct task *t);

/* ---- operations of the session, by file ---- */

bool replayer_serves(struct session *s, struct task *t);
bool replayer_ahead(struct session *s, struct task *t, unsigned skip, struct switchless_call *c);
uint64_t replayer_happened(struct session *s);
void replayer_taken(struct session *s, unsigned n);
int replayer_syscall(struct session *s, struct task *t, const struct sys_desc *desc, int64_t *ret);

int replayer_turn(struct session *s, struct task **t);
int replayer_preempt(struct session *s, struct task *t, bool point);
int64_t replayer_thread(struct session *s, struct task *t, struct plan *p, struct task *made);
int replayer_thread_ended(struct session *s, struct task *t, struct task **next);

int replayer_map_file(struct session *s, struct task *t, struct plan *p, int fd, int prot, int flags, uint64_t offset,
		      uint64_t len, struct map_source *src);
void replayer_map_done(struct session *s, struct map_source *src);
int replayer_image_file(struct session *s, struct exec_params *x, unsigned index, const char *path);

int64_t replayer_fork(struct session *s, struct task *t, struct plan *p, const struct fork_request *q);
int64_t replayer_exec_call(struct session *s, struct task *t, struct plan *p, struct exec_request *q);

#endif
