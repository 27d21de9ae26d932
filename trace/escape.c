#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trace/escape.h"

/* Bytes of the well-formed UTF-8 sequence at s (Unicode standard, table 3-7), 0 when there is none. */
static unsigned utf8_len(const unsigned char *s)
{
	unsigned n = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 :
		     s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : 0;

	for (unsigned i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Longer than needed, surrogates, above U+10FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

char *escape_bytes(const char *bytes)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *s = (const unsigned char *)bytes;
	char *out = malloc(4 * strlen(bytes) + 1), *p = out;

	if (!out)
		return NULL;
	while (*s) {
		unsigned n = utf8_len(s);

		if (!n) {
			*p++ = '\\';
			*p++ = 'x';
			*p++ = hex[*s >> 4];
			*p++ = hex[*s++ & 15];
			continue;
		}
		if (*s == '\\')
			*p++ = '\\';
		while (n--)
			*p++ = (char)*s++;
	}
	*p = 0;
	return out;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

char *unescape_text(const char *text)
{
	char *out = malloc(strlen(text) + 1), *p = out;

	if (!out)
		return NULL;
	while (*text) {
		if (*text != '\\') {
			*p++ = *text++;
		} else if (text[1] == '\\') {
			*p++ = '\\';
			text += 2;
		} else if (text[1] == 'x' && hex_digit(text[2]) >= 0 && hex_digit(text[3]) >= 0 &&
			   (text[2] != '0' || text[3] != '0')) {
			*p++ = (char)(hex_digit(text[2]) << 4 | hex_digit(text[3]));
			text += 4;
		} else {
			free(out);
			errno = EINVAL;
			return NULL;
		}
	}
	*p = 0;
	return out;
}
