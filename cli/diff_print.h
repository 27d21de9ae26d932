/*
 * How `diff` shows what it has found: as text, like a unified diff, or as one JSON object. Events are read again where
 * they differ, so that comparing takes 24 bytes for each.
 */
#ifndef SANDREC_CLI_DIFF_PRINT_H
#define SANDREC_CLI_DIFF_PRINT_H

#include <jansson.h>

#include "cli/align.h"
#include "cli/pairing.h"

/* The events of one thread that are compared. */
struct sequence {
	size_t n, room;
	uint64_t *key;    /* hash of the text: equal events */
	uint64_t *kind;   /* compare_kind() */
	uint64_t *index;  /* number in its process */
};

bool sequence_add(struct sequence *s, uint64_t key, uint64_t kind, uint64_t index); /* false: out of memory */
void sequence_free(struct sequence *s);

struct text_buffer {
	char *text;
	size_t len;
};

/* NULL: out of memory. The buffer's text is free()d by the next call, the last one by the caller. */
const char *text_of_event(struct text_buffer *b, const struct compare_how *how, const struct compare_ids *ids,
			  const struct event *ev, const struct memory *mem, size_t string_max);

enum diff_kind { DIFF_TEXT, DIFF_JSON, DIFF_QUIET };

struct diff_print {
	const struct side *a, *b;
	const struct compare_how *how;
	size_t context;
	enum diff_kind kind;
	uint64_t differences;  /* runs and processes without counterpart */

	/* private */
	json_t *list, *only_a, *only_b;
	uint64_t processes;
	const struct pair *shown;
	bool colour;
};

/* All false after a message. */
bool diff_print_begin(struct diff_print *d);
bool diff_print_thread(struct diff_print *d, const struct pair *p, int nth, const struct sequence *a, const struct sequence *b,
		       const struct align_run *runs, size_t n);
bool diff_print_alone(struct diff_print *d, const struct pair *p);
void diff_print_end(struct diff_print *d, bool good);

#endif
