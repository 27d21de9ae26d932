/*
 * What makes a frame's records compress well: numbers and times of events, which only ever grow, become differences to
 * the event before. In place, and reversible; everything else of the records stays as it is. A pure function of the bytes,
 * which are the caller's alone (no other process may change them meanwhile).
 */
#ifndef SANDREC_FRAME_DIFF_H
#define SANDREC_FRAME_DIFF_H

#include <stddef.h>
#include <stdint.h>

/* first_event: the number that the frame's first event has to have. Stops where the bytes are no records, which the reader
 * of the records will find, too. */
void frame_diff(void *records, size_t len, uint64_t first_event);
void frame_undiff(void *records, size_t len, uint64_t first_event);

#endif
