/* Lengths of time. Contract: age.h. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/age.h"

static const struct {
	char letter;
	uint32_t seconds;
} units[] = { { 'w', 604800 }, { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

#define NUNITS (sizeof(units) / sizeof(units[0]))

bool age_parse(const char *text, uint64_t *seconds)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	n = strtoull(text, &end, 10);
	for (size_t i = 0; i < NUNITS; i++) {
		if (*end != units[i].letter || end[1])
			continue;
		*seconds = n * units[i].seconds;
		return !errno && n <= (1ull << 53) / units[i].seconds;
	}
	return false;
}

void age_text(uint64_t seconds, char *buf, size_t len)
{
	size_t i = 1; /* no weeks: 13d says more than 1w */

	while (i + 1 < NUNITS && seconds < units[i].seconds)
		i++;
	snprintf(buf, len, "%" PRIu64 "%c", seconds / units[i].seconds, units[i].letter);
}
