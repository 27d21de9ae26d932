/*
 * A line on the terminal that says how far a replay has come: after the first second, and only when stderr is a
 * terminal. It is wiped away before anything else is written, and not drawn while the program's own line is unfinished.
 */
#ifndef SANDREC_PROGRESS_H
#define SANDREC_PROGRESS_H

#include "record/tree.h"

/* Before the replay: counts the events of all processes, or of the one and its ancestors. Only with a terminal. */
void progress_plan(int dir, int first, struct tree *t);

/* In every image of every process: t is what the functions below speak of. main_process: this one draws the line. */
void progress_begin(struct tree *t, int main_process);
void progress_end(void);       /* main process: the line is gone */

void progress_events(unsigned n); /* so many more were replayed */
void progress_wipe(void);      /* something else is about to be written */
void progress_wrote(int fd, char last); /* to the program's output, ending with this byte */

#endif
