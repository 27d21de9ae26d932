/*
 * Telling people that a replay left the recording: event, thread, what was expected, what came.
 */
#ifndef SANDREC_DIVERGENCE_H
#define SANDREC_DIVERGENCE_H

#include "trace/event.h"

#define DIVERGENCE_EXIT 70
#define DIVERGED (-EILSEQ) /* what replay functions return when they have reported a divergence */

/* One report per process; ev is the recorded event. fmt says what differs. Returns DIVERGED. */
int divergence(const struct event *ev, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Compares all registers; a difference is reported with `when` ("at a system call") and DIVERGED returned, else 0. */
int divergence_regs(const struct event *ev, const struct guest_regs *found, const char *when);

/* Where a report is noted for others to see (the process tree): set to 1 (TREE_DIVERGED) with the first one. */
void divergence_note_in(uint32_t *word);

const char *event_type_name(uint8_t type); /* "system call", "signal", ... */

#endif
