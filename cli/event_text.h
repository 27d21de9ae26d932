/*
 * One event as a line of text much like strace's, without its number and its place.
 */
#ifndef SANDREC_EVENT_TEXT_H
#define SANDREC_EVENT_TEXT_H

#include "cli/decode.h"
#include "cli/trace.h"

void event_text(FILE *out, const struct trace_procs *ps, const struct event *ev, const struct memory *mem);

/* Text that the call gave, lines of their own behind it: decode_text(). */
void event_more(FILE *out, const struct event *ev, const struct memory *mem);

/* An execve that succeeded: the event of the image that follows says the same, and more. */
bool event_starts_image(const struct event *ev, const struct memory *mem);

/* Is it a call of this name, or a command of it ("ioctl$TCGETS")? A program image is an execve. */
bool event_is_call(const struct event *ev, const struct memory *mem, const char *name);

#endif
