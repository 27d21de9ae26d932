/*
 * The files that a recording needs besides its events: the program images and what was mapped, as its events name them.
 */
#ifndef SANDREC_CLI_NEEDS_H
#define SANDREC_CLI_NEEDS_H

#include <stdbool.h>

#include "trace/event.h"
#include "trace/files.h"

struct needs {
	size_t n, room;       /* room: a power of two, the size of the table */
	struct need {
		struct file_ref ref;
		bool used;
		char *path;   /* where it was when it was first needed: for people */
	} *slot;
};

/* Adds what an event names. 0, -ENOMEM, or -EBADMSG: the event says something that cannot be. */
int needs_event(struct needs *n, const struct event *ev);

/* The next one after *at slots (0 at first), in no order; NULL: no more. */
const struct need *needs_next(const struct needs *n, size_t *at);

uint64_t needs_bytes(const struct needs *n);
void needs_free(struct needs *n);

#endif
