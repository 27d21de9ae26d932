/*
 * The supervisor's side of a process tree: one follower thread per guest process empties its ring into its stream, and
 * one thread listens to them: they announce themselves, their programs and their end, take the rings of their children and
 * have files stored that they cannot store themselves (control.h). A third closes their virtual machines.
 */
#ifndef SANDREC_COLLECTOR_H
#define SANDREC_COLLECTOR_H

#include <sys/types.h>

#include "trace/manifest.h"

struct collector;

/*
 * dir: the trace directory, the caller's. control: the guest processes' end (close-on-exec). ring: the ring of the first
 * guest process, whose number is 1. That process is forked between this and collector_start(): libc's threads take signals
 * (32, 33) for themselves, and the guest is to inherit the dispositions that sandrec was started with. It calls
 * collector_leave(). Both descriptors are the caller's.
 */
int collector_create(int dir, struct collector **out, int *control, int *ring);
int collector_start(struct collector *c);
void collector_leave(struct collector *c);

/* Follows the first process. */
int collector_follow_first(struct collector *c, pid_t pid, const char *comm);

/*
 * Waits until every process is gone (the guests' end of the connection is closed) and everything is on disk. Fills m's
 * processes (the collector's, valid until collector_destroy). Returns 0, or why recording was cut: a negative errno.
 */
int collector_finish(struct collector *c, struct manifest *m);
void collector_destroy(struct collector *c);

#endif
