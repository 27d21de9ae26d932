/* Counterparts of processes. Contract: pairing.h. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/align.h"
#include "cli/message.h"
#include "cli/pairing.h"
#include "cli/trace.h"
#include "trace/stream.h"
#include "vmm/cleanup.h"

#define THREADS_PER_PROCESS 100000 /* labels: this many for each process */

const struct pairing_thread *side_thread(const struct side *s, int number, int tid)
{
	/* Backwards: where a number was used twice the last one is meant, and it is found soonest while they are added. */
	for (size_t i = s->nthreads; i-- > 0;)
		if (s->thread[i].number == number && s->thread[i].tid == tid)
			return &s->thread[i];
	return NULL;
}

static bool add_thread(struct side *s, int number, int tid, int nth)
{
	struct pairing_thread *more = reallocarray(s->thread, s->nthreads + 1, sizeof(*more));

	if (!more)
		return false;
	s->thread = more;
	s->thread[s->nthreads++] = (struct pairing_thread){ number, tid, nth };
	return true;
}

static bool find_threads(struct side *s, const struct proc *p)
{
	struct stream_reader *r;
	bool good = true;
	struct event ev;
	int last = 0, nth = 0;

	if (trace_open_stream(s->dir, p->number, &r) == 0)
		while (good && stream_next(r, &ev) == 1) {
			if (nth && (ev.tid == last || side_thread(s, p->number, ev.tid)))
				continue;
			good = add_thread(s, p->number, last = ev.tid, ++nth);
		}
	stream_reader_close(r);
	return good;
}

bool side_open(struct side *s, const char *name)
{
	bool good = true;

	memset(s, 0, sizeof(*s));
	s->dir = trace_open(name, s->path, sizeof(s->path));
	if (s->dir < 0 || !trace_manifest(s->dir, s->path, &s->manifest) || !trace_procs_read(s->dir, s->path, &s->named) ||
	    !procs_read(s->dir, s->path, &s->manifest, &s->procs) || !procs_scan(s->dir, &s->procs))
		return false;
	for (size_t i = 0; good && i < s->procs.n; i++)
		good = find_threads(s, &s->procs.p[i]);
	if (!good)
		message_error("out of memory");
	return good;
}

void side_close(struct side *s)
{
	procs_free(&s->procs);
	trace_procs_free(&s->named);
	manifest_free(&s->manifest);
	compare_ids_free(&s->ids);
	free(s->thread);
	if (s->dir >= 0)
		close(s->dir);
	memset(s, 0, sizeof(*s));
	s->dir = -1;
}

/* What a process executed, as a number: the same for the same program. */
static uint64_t program_of(const struct proc *p)
{
	const char *name = p->argv && p->argv[0] ? p->argv[0] : p->comm ? p->comm : "", *slash = strrchr(name, '/');
	uint64_t h = 14695981039346656037u; /* FNV-1a */

	for (name = slash ? slash + 1 : name; *name; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211u;
	return h;
}

struct children {
	size_t n;
	size_t *at;        /* places in procs.p */
	uint64_t *program;
};

/* parent -1: those without a recorded parent. */
static bool find_children(const struct side *s, ptrdiff_t parent, struct children *c)
{
	c->at = calloc(s->procs.n + 1, sizeof(*c->at));
	c->program = calloc(s->procs.n + 1, sizeof(*c->program));
	c->n = 0;
	for (size_t i = 0; c->at && c->program && i < s->procs.n; i++) {
		const struct proc *p = &s->procs.p[i];
		const struct proc *of = p->parent == p->number ? NULL : procs_find(&s->procs, p->parent);

		if (parent < 0 ? of != NULL : of != &s->procs.p[parent])
			continue;
		c->program[c->n] = program_of(p);
		c->at[c->n++] = i;
	}
	return c->at && c->program;
}

static void free_children(struct children *c)
{
	free(c->at);
	free(c->program);
}

static void add_pair(struct pairing *p, ptrdiff_t a, ptrdiff_t b)
{
	p->pair[p->n++] = (struct pair){ a, b };
}

/* Children that execute the same are counterparts; between them, those in the same place. */
static bool match(struct pairing *p, const struct children *ca, const struct children *cb)
{
	struct align_run *runs, end = { .a = ca->n, .b = cb->n };
	size_t n, i = 0, k = 0;

	if (align(ca->program, ca->n, cb->program, cb->n, &runs, &n) < 0)
		return false;
	for (size_t at = 0; at <= n; at++) {
		const struct align_run *r = at < n ? &runs[at] : &end;

		for (; i < r->a; i++, k++)
			add_pair(p, (ptrdiff_t)ca->at[i], (ptrdiff_t)cb->at[k]);
		for (size_t m = 0; m < r->na || m < r->nb; m++)
			add_pair(p, m < r->na ? (ptrdiff_t)ca->at[i + m] : -1, m < r->nb ? (ptrdiff_t)cb->at[k + m] : -1);
		i += r->na;
		k += r->nb;
	}
	free(runs);
	return true;
}

static bool pair_children(const struct side *a, const struct side *b, struct pair of, struct pairing *p)
{
	struct children ca = { 0 }, cb = { 0 };
	bool root = of.a < 0 && of.b < 0;
	bool good = (root || of.a >= 0 ? find_children(a, of.a, &ca) : true) &&
		    (root || of.b >= 0 ? find_children(b, of.b, &cb) : true) && match(p, &ca, &cb);

	free_children(&ca);
	free_children(&cb);
	return good;
}

static bool label_threads(struct side *s, ptrdiff_t at, int base)
{
	bool good = true;

	for (size_t i = 0; good && at >= 0 && i < s->nthreads; i++)
		if (s->thread[i].number == s->procs.p[at].number)
			good = compare_ids_add(&s->ids, s->thread[i].tid, base + s->thread[i].nth);
	if (good && at >= 0 && s->procs.p[at].number == 1 && s->manifest.known_as)
		good = compare_ids_add(&s->ids, s->manifest.known_as, base + 1);
	return good;
}

static bool label_all(struct side *a, struct side *b, const struct pairing *p)
{
	for (size_t i = 0; i < p->n; i++) {
		int base = (int)(i % (INT32_MAX / THREADS_PER_PROCESS)) * THREADS_PER_PROCESS;

		if (!label_threads(a, p->pair[i].a, base) || !label_threads(b, p->pair[i].b, base))
			return false;
	}
	compare_ids_sort(&a->ids);
	compare_ids_sort(&b->ids);
	return true;
}

/* What a damaged manifest says to descend from itself is nobody's counterpart. */
static bool add_lost(const struct side *s, struct pairing *p, bool of_a)
{
	cleanup_free bool *seen = calloc(s->procs.n + 1, sizeof(*seen));

	for (size_t i = 0; seen && i < p->n; i++) {
		ptrdiff_t at = of_a ? p->pair[i].a : p->pair[i].b;

		if (at >= 0)
			seen[at] = true;
	}
	for (size_t i = 0; seen && i < s->procs.n; i++)
		if (!seen[i])
			add_pair(p, of_a ? (ptrdiff_t)i : -1, of_a ? -1 : (ptrdiff_t)i);
	return seen;
}

bool pairing_find(struct side *a, struct side *b, struct pairing *p)
{
	bool good;

	p->n = 0;
	p->pair = calloc(a->procs.n + b->procs.n + 1, sizeof(*p->pair));
	good = p->pair && pair_children(a, b, (struct pair){ -1, -1 }, p);
	/* The list grows as it is gone through: parents before children. */
	for (size_t i = 0; good && i < p->n; i++)
		good = pair_children(a, b, p->pair[i], p);
	good = good && add_lost(a, p, true) && add_lost(b, p, false) && label_all(a, b, p);
	if (!good)
		message_error("out of memory");
	return good;
}

void pairing_free(struct pairing *p)
{
	free(p->pair);
	*p = (struct pairing){ 0 };
}
