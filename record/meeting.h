/*
 * Where threads meet: instructions that use memory which another thread of the process uses too, one of them writing. Switches
 * anywhere else change nothing. A run with chaos learns them while it goes step by step; they are in its recording, and
 * `run --chaos-places` gives them to later runs, whose switches are then at these instructions only. Addresses are the same in
 * every run of a program, as its layout is ours.
 *
 * For the thread that holds the baton.
 */
#ifndef SANDREC_MEETING_H
#define SANDREC_MEETING_H

#include <stdbool.h>
#include <stdint.h>

#include "record/tree.h"

/* Thread tid is at the instruction rip, which uses the memory at addr. */
void meeting_note(struct tree *tree, int tid, uint64_t rip, uint64_t addr, bool writes);

/* Is the instruction among those that the run was given? */
bool meeting_marked(const struct tree *tree, uint64_t rip);

/*
 * For --chaos-places: reads FILE into the tree's list of marked instructions, as `sandrec chaos` writes it: a line `passed
 * N`, then an address in hexadecimal a line. N, or a negative errno.
 */
int64_t meeting_read(const char *file, uint64_t *address, uint32_t *n);

#endif
