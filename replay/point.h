/* Running to the execution point of a recorded signal: replay's half of doc/exec-points.md. */
#ifndef SANDREC_REPLAY_POINT_H
#define SANDREC_REPLAY_POINT_H

#include "syscall-emu/landmark.h"
#include "trace/event.h"

struct seek {
	bool active, found;
	struct exec_point point;
	uint64_t false_hits;
	const char *differed;     /* what did at the last one */
};

/* ev, the next event, is a signal or a thread switch with REC_F_POINT. Results as of session_ops.resume and .landed. */
int seek_resume(struct seek *k, struct task *t, const struct event *ev);
/* What the guest is asked about the point of ev when it comes past. */
int seek_condition(struct seek *k, const struct event *ev, struct tramp_cond *c);
/* The same without arming anything: 0, or TASK_SIGNAL when the task stands there now. */
int seek_look(struct seek *k, struct task *t, const struct event *ev);
int seek_hit(struct seek *k, struct task *t, const struct event *ev);
/* True when the task stands at the point; seeking is then over, and branches are counted from here. */
bool seek_end(struct seek *k, struct task *t);

/* Reports that the task came to something else (`found`) without having passed the point: DIVERGED. */
int seek_missed(const struct seek *k, const struct event *ev, const struct task *t, const char *found);

#endif
