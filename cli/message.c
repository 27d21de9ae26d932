/* Messages on stderr. Contract: message.h. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/progress_line.h"

#define PREFIX "sandrec: "
#define MESSAGE_MAX 4096

bool message_colour(int fd)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	return isatty(fd) && term && strcmp(term, "dumb") && !(no && *no);
}

static bool printable(unsigned char c)
{
	return c >= 0x20 && c != 0x7f;
}

/* One write, so that lines of several processes do not mix. */
static void put(const char *start, const char *line, size_t len)
{
	char buf[MESSAGE_MAX + 64];
	bool coloured = start && message_colour(STDERR_FILENO);
	int n = snprintf(buf, sizeof(buf), "%s%s%s", coloured ? start : "", PREFIX, coloured ? "\033[0m" : "");

	for (size_t i = 0; i < len && n < (int)sizeof(buf) - 1; i++)
		buf[n++] = printable((unsigned char)line[i]) ? line[i] : '?';
	buf[n++] = '\n';
	fflush(stdout);
	progress_line_wipe();
	fwrite(buf, 1, (size_t)n, stderr);
	fflush(stderr);
}

static void put_lines(const char *start, const char *format, va_list ap)
{
	char text[MESSAGE_MAX];
	const char *line = text;

	vsnprintf(text, sizeof(text), format, ap);
	while (*line) {
		size_t len = strcspn(line, "\n");

		put(start, line, len);
		line += len + (line[len] == '\n');
		start = NULL;
	}
}

void message(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_lines(NULL, format, ap);
	va_end(ap);
}

void message_error(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_lines("\033[1;31m", format, ap);
	va_end(ap);
}

void message_hint(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put_lines("\033[1m", format, ap);
	va_end(ap);
}
