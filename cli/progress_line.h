/*
 * A line on the terminal that says how far a command has come with a recording: after the first second, and only when
 * stderr is a terminal. One thread; replay has its own (replay/progress.h), whose processes come and go.
 */
#ifndef SANDREC_CLI_PROGRESS_LINE_H
#define SANDREC_CLI_PROGRESS_LINE_H

#include <stdbool.h>
#include <stdint.h>

struct progress_line {
	const char *what;   /* "counting": set by the caller */
	const char *unit;   /* "events" */
	uint64_t total;
	uint64_t next_ns;   /* when to draw again; 0: not at all */
};

bool progress_line_wanted(void); /* is there a terminal? Else the total need not be found out. */
void progress_line_begin(struct progress_line *p, uint64_t total, const char *unit);
void progress_line(struct progress_line *p, uint64_t done); /* cheap: call it as often as you like */
void progress_line_end(struct progress_line *p);            /* and wipe it */
void progress_line_wipe(void);                              /* something else is about to be written */

#endif
