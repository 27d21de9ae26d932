/* Differences of verifier logs. Contract: diff_log.h. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "cli/align.h"
#include "cli/decode.h"
#include "cli/diff_log.h"
#include "vmm/cleanup.h"

struct lines {
	char *text;
	size_t n, room;
	struct { const char *at; size_t len; } *line;
	uint64_t *hash;
};

static bool add_line(struct lines *l, const char *at, size_t len)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		void *line = reallocarray(l->line, room, sizeof(*l->line));
		uint64_t *hash;

		if (!line)
			return false;
		l->line = line;
		hash = reallocarray(l->hash, room, sizeof(*hash));
		if (!hash)
			return false;
		l->hash = hash;
		l->room = room;
	}
	l->line[l->n].at = at;
	l->line[l->n].len = len;
	l->hash[l->n++] = XXH3_64bits(at, len);
	return true;
}

static bool split(struct lines *l, const struct event *ev, const struct memory *mem)
{
	struct call c;
	size_t len;

	if (ev->type != REC_SYSCALL)
		return true;
	decode_call(&c, ev, mem);
	l->text = decode_log(&c, &len);
	for (size_t at = 0; l->text && at < len;) {
		const char *end = memchr(l->text + at, '\n', len - at);
		size_t n = end ? (size_t)(end - l->text) - at : len - at;

		if (!add_line(l, l->text + at, n))
			return false;
		at += n + 1;
	}
	return true;
}

static void lines_free(struct lines *l)
{
	free(l->text);
	free(l->line);
	free(l->hash);
}

static void show(const struct lines *l, size_t from, size_t n, char sign, diff_log_fn *fn, void *arg)
{
	for (size_t i = from; i < from + n; i++)
		fn(arg, sign, l->line[i].at, (int)l->line[i].len);
}

bool diff_log(const struct event *a, const struct memory *mem_a, const struct event *b, const struct memory *mem_b,
	      diff_log_fn *fn, void *arg)
{
	struct lines la = { 0 }, lb = { 0 };
	cleanup_free struct align_run *runs = NULL;
	size_t n = 0;
	bool good = split(&la, a, mem_a) && split(&lb, b, mem_b);

	if (good && (la.n || lb.n))
		good = align(la.hash, la.n, lb.hash, lb.n, &runs, &n) == 0;
	for (size_t i = 0; good && i < n; i++) {
		show(&la, runs[i].a, runs[i].na, '-', fn, arg);
		show(&lb, runs[i].b, runs[i].nb, '+', fn, arg);
	}
	lines_free(&la);
	lines_free(&lb);
	return good;
}
