/*
 * Lengths of time as people write them: 45s, 90m, 12h, 30d, 2w.
 */
#ifndef SANDREC_CLI_AGE_H
#define SANDREC_CLI_AGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool age_parse(const char *text, uint64_t *seconds);         /* false: not of that form, or more than 2^53 s */
void age_text(uint64_t seconds, char *buf, size_t len);      /* "3m", "2h", "5d": the largest unit that gives 1 or more, at most days */

#endif
