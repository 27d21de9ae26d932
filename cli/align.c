/* Differences of sequences. Contract: align.h. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cli/align.h"
#include "vmm/cleanup.h"

#define ROUNDS_MIN 256
#define NOWHERE (PTRDIFF_MIN / 2) /* no path has reached this diagonal */

struct box {
	ptrdiff_t a, an, b, bn; /* a[a...a+an) against b[b...b+bn) */
};

struct work {
	const uint64_t *a, *b;
	bool *only_a, *only_b;  /* the result: which elements have no counterpart */
	ptrdiff_t *from_start, *from_end; /* by diagonal: how far along a the best path has come; index 0 is in the middle */
	ptrdiff_t rounds;       /* after which a split that is good enough is taken */
};

struct point {
	ptrdiff_t x, y;
};

/* An element of the box, counted from its start, or from its end. */
static bool same(const struct work *w, const struct box *o, bool backwards, ptrdiff_t x, ptrdiff_t y)
{
	if (backwards)
		return w->a[o->a + o->an - 1 - x] == w->b[o->b + o->bn - 1 - y];
	return w->a[o->a + x] == w->b[o->b + y];
}

/* Extends the paths with one edit less to diagonal k = x - y. */
static ptrdiff_t reach(const struct work *w, const struct box *o, bool backwards, const ptrdiff_t *v, ptrdiff_t k)
{
	ptrdiff_t x = NOWHERE;

	if (v[k - 1] != NOWHERE && v[k - 1] < o->an)
		x = v[k - 1] + 1;
	if (v[k + 1] != NOWHERE && v[k + 1] - k <= o->bn && v[k + 1] > x)
		x = v[k + 1];
	while (x != NOWHERE && x < o->an && x - k < o->bn && same(w, o, backwards, x, x - k))
		x++;
	return x;
}

/* The first round, without an edit: only the middle diagonal. */
static void begin(const struct work *w, const struct box *o, bool backwards, ptrdiff_t *v)
{
	ptrdiff_t x = 0;

	while (x < o->an && x < o->bn && same(w, o, backwards, x, x))
		x++;
	v[0] = x;
	v[-1] = v[1] = NOWHERE;
}

/* Round d of one side: true when it met the other side's paths of `theirs` rounds, at *p counted from its own corner. */
static bool advance(const struct work *w, const struct box *o, bool backwards, ptrdiff_t d, ptrdiff_t theirs, struct point *p)
{
	ptrdiff_t *v = backwards ? w->from_end : w->from_start;
	const ptrdiff_t *other = backwards ? w->from_start : w->from_end;
	ptrdiff_t delta = o->an - o->bn;
	bool meets = false;

	v[-d - 1] = v[d + 1] = NOWHERE;
	for (ptrdiff_t k = -d; k <= d; k += 2) {
		ptrdiff_t turned = delta - k;

		if (k < -o->bn || k > o->an) {
			v[k] = NOWHERE;
			continue;
		}
		v[k] = reach(w, o, backwards, v, k);
		if (meets || v[k] == NOWHERE || turned < -theirs || turned > theirs || (turned - theirs) % 2 ||
		    other[turned] == NOWHERE || v[k] + other[turned] < o->an)
			continue;
		*p = (struct point){ v[k], v[k] - k };
		meets = true;
	}
	return meets;
}

/* The path from the start that has come furthest in d rounds. */
static struct point furthest(const struct work *w, ptrdiff_t d)
{
	struct point best = { 0, 0 };

	for (ptrdiff_t k = -d; k <= d; k += 2) {
		ptrdiff_t x = w->from_start[k];

		if (x != NOWHERE && 2 * x - k > best.x + best.y)
			best = (struct point){ x, x - k };
	}
	return best;
}

/* A point that the shortest list goes through, neither corner. The box's first and last elements differ. */
static struct point split(const struct work *w, const struct box *o)
{
	struct point p;

	begin(w, o, false, w->from_start);
	begin(w, o, true, w->from_end);
	for (ptrdiff_t d = 1;; d++) {
		if (advance(w, o, false, d, d - 1, &p))
			return p;
		if (advance(w, o, true, d, d, &p))
			return (struct point){ o->an - p.x, o->bn - p.y };
		if (d >= w->rounds)
			return furthest(w, d);
	}
}

static void compare(const struct work *w, struct box o)
{
	for (;;) {
		struct point p;

		while (o.an && o.bn && same(w, &o, false, 0, 0))
			o = (struct box){ o.a + 1, o.an - 1, o.b + 1, o.bn - 1 };
		while (o.an && o.bn && same(w, &o, true, 0, 0))
			o = (struct box){ o.a, o.an - 1, o.b, o.bn - 1 };
		if (!o.an || !o.bn)
			break;
		p = split(w, &o);
		compare(w, (struct box){ o.a, p.x, o.b, p.y });
		o = (struct box){ o.a + p.x, o.an - p.x, o.b + p.y, o.bn - p.y };
	}
	for (ptrdiff_t i = 0; i < o.an; i++)
		w->only_a[o.a + i] = true;
	for (ptrdiff_t i = 0; i < o.bn; i++)
		w->only_b[o.b + i] = true;
}

/* What is marked, as runs: NULL: count them. */
static size_t collect(const struct work *w, size_t na, size_t nb, struct align_run *runs)
{
	size_t n = 0, i = 0, k = 0;

	while (i < na || k < nb) {
		struct align_run r = { .a = i, .b = k };

		while (i < na && w->only_a[i])
			i++;
		while (k < nb && w->only_b[k])
			k++;
		r.na = i - r.a;
		r.nb = k - r.b;
		if (r.na || r.nb) {
			if (runs)
				runs[n] = r;
			n++;
		}
		i += i < na;
		k += k < nb;
	}
	return n;
}

static ptrdiff_t root(size_t n)
{
	ptrdiff_t r = ROUNDS_MIN;

	while ((size_t)r * (size_t)r < n)
		r += r / 8;
	return r;
}

int align(const uint64_t *a, size_t na, const uint64_t *b, size_t nb, struct align_run **runs, size_t *nruns)
{
	size_t diagonals = na + nb + 4; /* a round of n edits uses n + 1 of them on either side */
	cleanup_free bool *only_a = calloc(na + 1, sizeof(bool)), *only_b = calloc(nb + 1, sizeof(bool));
	cleanup_free ptrdiff_t *v = reallocarray(NULL, 2 * diagonals, 2 * sizeof(ptrdiff_t));
	struct work w = { .a = a, .b = b, .only_a = only_a, .only_b = only_b, .rounds = root(na + nb) };

	*runs = NULL;
	*nruns = 0;
	if (!only_a || !only_b || !v)
		return -ENOMEM;
	w.from_start = v + diagonals;
	w.from_end = v + 3 * diagonals;
	compare(&w, (struct box){ 0, (ptrdiff_t)na, 0, (ptrdiff_t)nb });
	*nruns = collect(&w, na, nb, NULL);
	*runs = calloc(*nruns + 1, sizeof(**runs));
	if (!*runs)
		return -ENOMEM;
	collect(&w, na, nb, *runs);
	return 0;
}
