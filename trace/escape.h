/*
 * Byte strings as text that is always valid UTF-8: a backslash becomes two, a byte that is not part of a well-formed
 * UTF-8 sequence becomes \xHH (lower-case hex). Every byte string without NUL has one such form and comes back from it.
 */
#ifndef SANDREC_ESCAPE_H
#define SANDREC_ESCAPE_H

char *escape_bytes(const char *bytes);   /* malloc'ed, NULL when out of memory */
char *unescape_text(const char *text);   /* malloc'ed; NULL and errno EINVAL when text is no such form, else ENOMEM */

#endif
