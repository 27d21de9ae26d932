/*
 * What the files of the recording session share. Nobody outside record/recorder*.c includes this. The thread that holds the
 * process's baton (sched.h) calls all of it.
 */
#ifndef SANDREC_RECORDER_INT_H
#define SANDREC_RECORDER_INT_H

#include "record/inputs.h"
#include "record/landing.h"
#include "record/recorder.h"
#include "record/walk.h"
#include "syscall-emu/session.h"

struct recorder {
	struct session base;
	struct recorder_links link;
	bool cut; /* the supervisor cannot store any more: the program goes on unrecorded */
	struct landing landing;

	/* Shared memory: record/group.h. */
	uint32_t poked;        /* announcements of poke.h that have been looked at */
	bool slice_over;       /* this process has the group's baton, and others want it, for longer than a slice */
};

/* Of one thread: task.of_session. */
struct recorded {
	struct inputs in;
	struct landing_timer timer, slice;
	struct walk walk;
};

static inline struct recorder *recorder_of(struct session *s)
{
	return (struct recorder *)s;
}

/* ---- recorder.c ---- */

/* Never fails: what a thread needs is made when it is, and this is the first one's. */
struct recorded *recorded_of(struct task *t);

/* Tells the supervisor of the process: type is a CONTROL_ one (control.h). */
void recorder_tell(const struct recorder *r, int32_t type, const struct task *t, int parent);

/* ---- recorder_log.c: none of these fails; when nothing can be stored any more r->cut is set, and they do nothing ---- */

void recorder_log(struct recorder *r, struct event *ev);
void recorder_log_bytes(struct recorder *r, uint64_t addr, const void *bytes, uint64_t len, uint32_t kind);
void recorder_log_inputs(struct recorder *r, const struct inputs *in);
/* t->plan has been carried out, with this result; entry: the registers at the call. */
void recorder_log_syscall(struct recorder *r, struct task *t, const struct guest_regs *entry, int64_t ret);

/* t->plan was not carried out: a recording had the answer. */
struct world_answer;
void recorder_log_answer(struct recorder *r, struct task *t, const struct guest_regs *entry, const struct world_answer *a);

/* What a call has written before it waits: how many pieces, and their bytes. When it is over its row says all. */
unsigned recorder_early(const struct plan *p, bool over);
void recorder_log_early(struct recorder *r, const struct plan *p, bool over);

/* Gives piece what of the range can be read, page by page. */
void recorder_readable(uint64_t addr, uint64_t len, void (*piece)(void *arg, uint64_t addr, uint64_t len, const void *bytes),
		       void *arg);
/* Others have written to the process's memory: adds to t's call, which is over, what was found, if it is to be logged. */
void recorder_log_poked(struct recorder *r, struct task *t);

/* ---- recorder_turn.c ---- */

/* The thread `before` has given the baton up to make a call that waits, and another one has it now. */
void recorder_log_blocked(struct recorder *r, struct task *before);
/*
 * The process has the group's turn with this number; flags: REC_F_AFTER. orphaned: what the shared memory holds is logged, as
 * the one before wrote there what it could not log.
 */
void recorder_log_turn(struct recorder *r, struct task *t, uint32_t number, uint8_t flags, bool orphaned);
/* Around what others who share memory must not see half done. Nothing when nobody shares memory with the process. */
void recorder_take_turn(struct recorder *r, struct task *t);
void recorder_end_turn(struct recorder *r, struct task *t);

/* ---- recorder_point.c ---- */

/* Ends the search for an execution point: where it stands, or NULL when it has not come to one. */
const struct exec_point *recorder_stop_landing(struct recorder *r, struct task *t);

/* ---- operations of the session, by file ---- */

void recorder_shares(struct session *s, struct task *t);
void recorder_blocks(struct session *s, struct task *t);
void recorder_unblocks(struct session *s, struct task *t);
int64_t recorder_thread(struct session *s, struct task *t, struct plan *p, struct task *made);
int recorder_thread_ended(struct session *s, struct task *t, struct task **next);

int recorder_preempt(struct session *s, struct task *t, bool point);
bool recorder_serves(struct session *s, struct task *t);
bool recorder_contended(struct session *s, struct task *t);
int recorder_resume(struct session *s, struct task *t);
int recorder_kicked(struct session *s, struct task *t);
int recorder_landed(struct session *s, struct task *t);

int recorder_map_file(struct session *s, struct task *t, struct plan *p, int fd, int prot, int flags, uint64_t offset,
		      uint64_t len, struct map_source *src);
int recorder_image_file(struct session *s, struct exec_params *x, unsigned index, const char *path);

int64_t recorder_fork(struct session *s, struct task *t, struct plan *p, const struct fork_request *q);
int64_t recorder_exec_call(struct session *s, struct task *t, struct plan *p, struct exec_request *q);

#endif
