/*
 * What an event means, as text that is the same in two recordings of the same behaviour: for `diff`. Process and thread
 * numbers become those of the counterpart (or PID), addresses ADDR, clock readings TIME and what getrandom gave RANDOM,
 * unless they are asked for.
 * Not compared at all: where threads take turns, time stamp instructions, notes, and calls that were interrupted before
 * they did anything.
 */
#ifndef SANDREC_CLI_COMPARE_H
#define SANDREC_CLI_COMPARE_H

#include "cli/decode.h"

struct compare_how {
	bool pids, addresses, times, random; /* compare these too */
	bool no_data;                /* not what is in buffers */
	const char *syscall;         /* only this call, or NULL */
};

/* Numbers of processes and threads, and what both recordings call them. */
struct compare_ids {
	size_t n, room;
	struct compare_id {
		int id, label;
	} *v;
};

bool compare_ids_add(struct compare_ids *ids, int id, int label); /* false: out of memory; the last one counts */
void compare_ids_sort(struct compare_ids *ids);                   /* before they are looked up */
void compare_ids_free(struct compare_ids *ids);

/* Is the event compared at all? */
bool compare_wanted(const struct compare_how *how, const struct event *ev, const struct memory *mem);

/* string_max: bytes of each buffer; SIZE_MAX for comparing. */
void compare_text(FILE *out, const struct compare_how *how, const struct compare_ids *ids, const struct event *ev,
		  const struct memory *mem, size_t string_max);

/* The same for what the event is, whatever its arguments are: calls of the same name. */
uint64_t compare_kind(const struct event *ev);

#endif
