/* Progress of a command. Contract: progress_line.h. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/progress_line.h"

#define FIRST_NS 1000000000ULL
#define STEP_NS 200000000ULL

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static struct progress_line *shown; /* on the terminal now */

bool progress_line_wanted(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb");
}

void progress_line_begin(struct progress_line *p, uint64_t total, const char *unit)
{
	p->total = total;
	p->unit = unit;
	p->next_ns = progress_line_wanted() ? now_ns() + FIRST_NS : 0;
}

static void draw(struct progress_line *p, uint64_t done)
{
	uint64_t n = done < p->total ? done : p->total;

	fprintf(stderr, "\r\033[Ksandrec: %s: %" PRIu64 " of %" PRIu64 " %s, %" PRIu64 " %%", p->what, n, p->total, p->unit,
		p->total ? (uint64_t)((double)n * 100 / (double)p->total) : 100);
	fflush(stderr);
	shown = p;
}

void progress_line(struct progress_line *p, uint64_t done)
{
	uint64_t now;

	if (!p->next_ns)
		return;
	now = now_ns();
	if (now < p->next_ns)
		return;
	p->next_ns = now + STEP_NS;
	draw(p, done);
}

void progress_line_wipe(void)
{
	if (shown)
		fputs("\r\033[K", stderr);
	shown = NULL;
}

void progress_line_end(struct progress_line *p)
{
	if (shown == p)
		progress_line_wipe();
	p->next_ns = 0;
}
