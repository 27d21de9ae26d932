/*
 * The supervisor's side of a process tree: one follower thread per guest process empties its ring into its stream, and
 * one thread listens to the control pipe, on which guest processes announce themselves, their programs and their end.
 */
#ifndef SANDREC_COLLECTOR_H
#define SANDREC_COLLECTOR_H

#include <sys/types.h>

#include "trace/manifest.h"

enum control_type { CONTROL_BORN = 1, CONTROL_PROGRAM, CONTROL_ENDED };

struct control_message { /* one write(2), smaller than PIPE_BUF: whole or not at all */
	int32_t type, pid, parent, status;
	char comm[16];
};

struct collector;

/*
 * dir: the trace directory, the caller's. control: the write end for guest processes (close-on-exec). The first guest
 * process is forked between these two: libc's threads take signals (32, 33) for themselves, and the guest is to inherit
 * the dispositions that sandrec was started with. It calls collector_leave().
 */
int collector_create(int dir, struct collector **out, int *control);
int collector_start(struct collector *c);
void collector_leave(struct collector *c);

/* Follows a process whose ring exists (ring.PID). The first one is the program that was started. */
int collector_follow(struct collector *c, pid_t pid, pid_t parent, const char *comm);

/*
 * Waits until every process is gone (all write ends of the control pipe are closed) and everything is on disk. Fills m's
 * processes (the collector's, valid until collector_destroy). Returns 0, or why recording was cut: a negative errno.
 */
int collector_finish(struct collector *c, struct manifest *m);
void collector_destroy(struct collector *c);

#endif
