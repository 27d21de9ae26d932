/*
 * What sandrec says to the person at the terminal: on stderr, each line prefixed "sandrec: ". Colour only when stderr is
 * a terminal that has it and NO_COLOR is not set. An error is two lines: what is wrong, then what to do about it.
 *
 * The text may hold several lines, each gets the prefix. Control characters in it (names of files, bytes of a damaged
 * trace) are shown as `?`.
 */
#ifndef SANDREC_MESSAGE_H
#define SANDREC_MESSAGE_H

#include <stdbool.h>

#define MESSAGE_FORMAT(f, a) __attribute__((format(printf, f, a)))

void message(const char *format, ...) MESSAGE_FORMAT(1, 2);       /* something worth knowing */
void message_error(const char *format, ...) MESSAGE_FORMAT(1, 2); /* what is wrong; in a second line what to do */
void message_hint(const char *format, ...) MESSAGE_FORMAT(1, 2);  /* what to do */

bool message_colour(int fd); /* may text written there be coloured? */

#endif
