/* Hashing and copying guest memory. Contract: fingerprint.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xxhash.h>

#include "syscall-emu/fingerprint.h"
#include "syscall-emu/landmark.h"
#include "syscall-emu/mm.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"
#include "vmm/layout.h"

#define RED_ZONE 128
#define STACK_FIRST (256u << 10)
#define STACK_DEAD (32u << 10) /* of a stack whose extent is not known */
#define NEAR_POINTER 4096u
#define PAGEMAP_BATCH 512u
#define PM_PRESENT_OR_SWAPPED (3ULL << 62)
#define PAGE_MASK (~(PAGE_SIZE_4K - 1))
#define SPAN_FACTOR 64 /* looking whether a page is there costs a small part of reading it */

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t most(uint64_t a, uint64_t b) { return a > b ? a : b; }

static bool counts(const struct vma *v)
{
	if (!(v->prot & PROT_WRITE))
		return false;
	return !(v->flags & MAP_SHARED) || v->flags & MAP_ANONYMOUS;
}

/* ---- walking what is there ---- */

typedef void page_fn(void *arg, uint64_t addr, const uint8_t *bytes, size_t len);

struct walk {
	const struct task *t;
	int pagemap;
	page_fn *fn;
	void *arg;
};

static void walk_page(struct walk *w, uint64_t from, uint64_t to)
{
	uint8_t copy[PAGE_SIZE_4K];

	if (guest_read(copy, from, to - from) < 0)
		return;
	landmark_hide(w->t, from, copy, to - from);
	w->fn(w->arg, from, copy, to - from);
}

static void walk_vma(struct walk *w, const struct vma *v, uint64_t start, uint64_t end)
{
	/* A page of a file has content before it is touched. */
	bool holes = v->flags & MAP_ANONYMOUS;
	uint64_t entry[PAGEMAP_BATCH], at = start, to;

	while (at < end) {
		uint64_t first = at & PAGE_MASK, n = least((end - first + PAGE_SIZE_4K - 1) / PAGE_SIZE_4K, PAGEMAP_BATCH);
		ssize_t got = holes && w->pagemap >= 0 ?
			pread(w->pagemap, entry, n * 8, (off_t)(first / PAGE_SIZE_4K * 8)) : -1;

		for (uint64_t i = 0; i < n; i++, at = to) {
			to = least((at & PAGE_MASK) + PAGE_SIZE_4K, end);
			if (got < (ssize_t)((i + 1) * 8) || entry[i] & PM_PRESENT_OR_SWAPPED)
				walk_page(w, at, to);
		}
	}
}

static void walk_range(struct walk *w, uint64_t start, uint64_t len)
{
	const struct mm *mm = w->t->proc->mm;
	const struct vma *v = NULL;
	uint64_t end = start + len;

	while ((v = mm_next(mm, v)) && v->start < end)
		if (v->end > start && counts(v))
			walk_vma(w, v, most(start, v->start), least(end, v->end));
}

static int open_pagemap(void)
{
	return proc_self_open("pagemap", O_RDONLY);
}

static bool all_zero(const uint8_t *p, size_t n)
{
	return p[0] == 0 && !memcmp(p, p + 1, n - 1);
}

static void add_hash(void *arg, uint64_t addr, const uint8_t *bytes, size_t len)
{
	uint64_t *sum = arg;

	if (!all_zero(bytes, len))
		*sum += XXH3_64bits_withSeed(bytes, len, addr);
}

uint64_t fingerprint_range(const struct task *t, uint64_t start, uint64_t len)
{
	cleanup_close int pagemap = open_pagemap();
	uint64_t sum = 0;
	struct walk w = { .t = t, .pagemap = pagemap, .fn = add_hash, .arg = &sum };

	walk_range(&w, start, len);
	return sum;
}

/* ---- choosing ---- */

/* [start, live) is stack that nobody reads again. */
struct dead_stack {
	uint64_t start, live;
};

struct choice {
	const struct task *t;
	int pagemap;
	uint64_t bytes, span; /* what may still be taken */
	struct dead_stack *dead; /* of every thread; NULL when there was no memory for it: then only this thread's */
	struct dead_stack own;
	unsigned ndead;
	struct point_range *range;
	unsigned n, max;
};

/* How far from start the budget for present pages reaches. */
static uint64_t affordable(struct choice *c, const struct vma *v, uint64_t start, uint64_t end)
{
	uint64_t entry[PAGEMAP_BATCH], at = start;
	bool holes = v->flags & MAP_ANONYMOUS;

	end = least(end, start + (c->span & PAGE_MASK));
	while (at < end) {
		uint64_t n = least((end - (at & PAGE_MASK) + PAGE_SIZE_4K - 1) / PAGE_SIZE_4K, PAGEMAP_BATCH);
		ssize_t got = holes && c->pagemap >= 0 ?
			pread(c->pagemap, entry, n * 8, (off_t)(at / PAGE_SIZE_4K * 8)) : -1;

		for (uint64_t i = 0; i < n; i++, at = least((at & PAGE_MASK) + PAGE_SIZE_4K, end)) {
			if (got >= (ssize_t)((i + 1) * 8) && !(entry[i] & PM_PRESENT_OR_SWAPPED))
				continue;
			if (c->bytes < PAGE_SIZE_4K)
				return at;
			c->bytes -= PAGE_SIZE_4K;
		}
	}
	return end;
}

static void choose_live(struct choice *c, const struct vma *v, uint64_t start, uint64_t end)
{
	if (start >= end || c->n == c->max || !counts(v))
		return;
	/* What an earlier choice holds already. */
	for (unsigned i = 0; i < c->n; i++) {
		const struct point_range *r = &c->range[i];

		if (start >= r->start && start < r->start + r->len)
			start = least(r->start + r->len, end);
		if (end > r->start && end <= r->start + r->len)
			end = most((r->start + PAGE_SIZE_4K - 1) & PAGE_MASK, start);
	}
	if (start >= end)
		return;
	end = affordable(c, v, start, end);
	if (end <= start)
		return;
	c->span -= end - start;
	c->range[c->n++] = (struct point_range){ .start = start, .len = end - start };
}

/* Without what the stacks from number i on have that is dead. Above first: what is live there is next in use. */
static void choose_beside(struct choice *c, const struct vma *v, uint64_t start, uint64_t end, unsigned i)
{
	const struct dead_stack *d = c->dead + i;

	while (i < c->ndead && (end <= d->start || start >= d->live)) {
		i++;
		d++;
	}
	if (i == c->ndead) {
		choose_live(c, v, start, end);
		return;
	}
	choose_beside(c, v, most(start, d->live), end, i + 1);
	choose_beside(c, v, start, least(end, d->start), i + 1);
}

static void choose(struct choice *c, const struct vma *v, uint64_t start, uint64_t end)
{
	start = most(start, v->start);
	end = least(end, v->end);
	if (start < end)
		choose_beside(c, v, start, end, 0);
}

static struct dead_stack dead_stack_of(const struct task *t)
{
	const struct vma *v = mm_find(t->proc->mm, t->regs->rsp);
	uint64_t live = (t->regs->rsp - RED_ZONE) & ~7ULL;

	if (!v)
		return (struct dead_stack){ live, live };
	/* In any other memory that serves as a stack something live may be further below. */
	if (v->flags & MAP_GROWSDOWN)
		return (struct dead_stack){ v->start, live };
	return (struct dead_stack){ most(v->start, live - least(live, STACK_DEAD)) & PAGE_MASK, live };
}

static void find_dead_stacks(struct choice *c)
{
	const struct process *p = c->t->proc;

	c->own = dead_stack_of(c->t);
	c->dead = p->nthreads > 1 ? calloc(p->nthreads, sizeof(*c->dead)) : NULL;
	if (!c->dead) {
		c->dead = &c->own;
		c->ndead = 1;
		return;
	}
	for (const struct task *t = p->tasks; t; t = t->next)
		c->dead[c->ndead++] = dead_stack_of(t);
}

static void choose_pointed(struct choice *c)
{
	const struct guest_regs *r = c->t->regs;

	for (unsigned i = 0; i < 16; i++) {
		const struct vma *v = i == GREG_RSP ? NULL : mm_find(c->t->proc->mm, r->r[i]);
		uint64_t page = r->r[i] & PAGE_MASK;

		if (v && c->n < c->max / 2)
			choose(c, v, page - least(page, NEAR_POINTER), page + 2 * NEAR_POINTER);
	}
}

/* Mappings by size: a loop's variables are in small ones. Below the stack pointer a stack is dead. */
static void choose_rest(struct choice *c, const struct vma *stack)
{
	const struct mm *mm = c->t->proc->mm;

	for (unsigned shift = 16; shift <= 48; shift += 8) {
		const struct vma *v = NULL;

		while ((v = mm_next(mm, v)) && c->n < c->max) {
			uint64_t size = v->end - v->start;

			if (v != stack && size <= 1ULL << shift && (shift == 16 || size > 1ULL << (shift - 8)))
				choose(c, v, v->start, v->end);
		}
	}
}

unsigned fingerprint_choose(const struct task *t, uint64_t bytes, struct point_range *range, unsigned max)
{
	cleanup_close int pagemap = open_pagemap();
	struct choice c = { .t = t, .pagemap = pagemap, .bytes = bytes, .span = bytes * SPAN_FACTOR, .range = range, .max = max };
	const struct vma *stack = mm_find(t->proc->mm, t->regs->rsp);
	bool main_stack = stack && stack->flags & MAP_GROWSDOWN;
	uint64_t live = (t->regs->rsp - RED_ZONE) & ~7ULL;

	find_dead_stacks(&c);
	if (stack)
		choose(&c, stack, live, (live + STACK_FIRST) & PAGE_MASK);
	choose_pointed(&c);
	if (main_stack)
		choose(&c, stack, (live + STACK_FIRST) & PAGE_MASK, stack->end);
	choose_rest(&c, main_stack ? stack : NULL);
	if (c.dead != &c.own)
		free(c.dead);
	return c.n;
}

/* ---- copies ---- */

static void keep_page(void *arg, uint64_t addr, const uint8_t *bytes, size_t len)
{
	struct snapshot *s = arg;

	/* Ranges start at multiples of 8 and end with a page, so words are whole and the length is known. */
	if (s->n == s->cap || addr % 8)
		return;
	memcpy(s->bytes + s->n * PAGE_SIZE_4K, bytes, len);
	memset(s->bytes + s->n * PAGE_SIZE_4K + len, 0, PAGE_SIZE_4K - len);
	s->page[s->n++] = addr;
}

int snapshot_take(struct task *t, uint64_t bytes, struct snapshot *s)
{
	struct point_range range[POINT_RANGES];
	cleanup_close int pagemap = open_pagemap();
	struct walk w = { .t = t, .pagemap = pagemap, .fn = keep_page, .arg = s };
	size_t cap = bytes / PAGE_SIZE_4K + POINT_RANGES;
	unsigned n;

	if (cap > s->cap) {
		snapshot_free(s);
		s->bytes = malloc(cap * PAGE_SIZE_4K);
		s->page = calloc(cap, sizeof(*s->page));
		if (!s->bytes || !s->page) {
			snapshot_free(s);
			return -ENOMEM;
		}
		s->cap = cap;
	}
	s->n = 0;
	n = fingerprint_choose(t, bytes, range, POINT_RANGES);
	for (unsigned i = 0; i < n; i++)
		walk_range(&w, range[i].start, range[i].len);
	return landmark_lanes(t, s->lane);
}

void snapshot_free(struct snapshot *s)
{
	free(s->bytes);
	free(s->page);
	*s = (struct snapshot){ 0 };
}

/* The smaller, the more it looks like a counter: of 64 bits, or of 32 in either half. */
static uint64_t distance(uint64_t a, uint64_t b)
{
	int64_t d = (int64_t)(b - a);
	int64_t low = (int32_t)((uint32_t)b - (uint32_t)a), high = (int32_t)((uint32_t)(b >> 32) - (uint32_t)(a >> 32));

	d = d < 0 ? -d : d;
	if (a >> 32 == b >> 32)
		d = low < 0 ? -low : low;
	else if ((uint32_t)a == (uint32_t)b)
		d = high < 0 ? -high : high;
	return (uint64_t)d;
}

static bool known(const struct tramp_word *have, unsigned n, uint64_t addr)
{
	for (unsigned i = 0; i < n; i++)
		if (have[i].addr == addr)
			return true;
	return false;
}

struct best {
	struct tramp_word *word;
	uint64_t score[TRAMP_WORDS];
	unsigned n, max;
};

static void consider(struct best *b, uint64_t addr, uint64_t now, uint64_t score)
{
	unsigned i = b->n;

	/* Pages may be in the copy twice. */
	if (known(b->word, b->n, addr))
		return;
	if (b->n == b->max && (!b->max || score >= b->score[b->n - 1]))
		return;
	if (b->n < b->max)
		b->n++;
	else
		i--;
	for (; i && b->score[i - 1] > score; i--) {
		b->score[i] = b->score[i - 1];
		b->word[i] = b->word[i - 1];
	}
	b->score[i] = score;
	b->word[i] = (struct tramp_word){ addr, now };
}

static void compare_lanes(struct task *t, const struct snapshot *s, const struct tramp_word *have, unsigned nhave,
			  struct best *b)
{
	uint64_t lane[TRAMP_LANES];

	if (landmark_lanes(t, lane) < 0)
		return;
	for (unsigned i = 0; i < TRAMP_LANES; i++) {
		if (lane[i] != s->lane[i] && !known(have, nhave, i))
			consider(b, i, lane[i], distance(s->lane[i], lane[i]));
	}
}

unsigned snapshot_differences(struct task *t, const struct snapshot *s, const struct tramp_word *have, unsigned nhave,
			      uint64_t limit, struct tramp_word *word, unsigned max)
{
	struct best b = { .word = word, .max = max < TRAMP_WORDS ? max : TRAMP_WORDS };
	uint64_t now[PAGE_SIZE_4K / 8], was;

	compare_lanes(t, s, have, nhave, &b);
	for (size_t i = 0; i < s->n; i++) {
		uint64_t len = PAGE_SIZE_4K - s->page[i] % PAGE_SIZE_4K;
		const uint8_t *old = s->bytes + i * PAGE_SIZE_4K;

		if (s->page[i] >= limit || guest_read(now, s->page[i], len) < 0)
			continue;
		landmark_hide(t, s->page[i], (uint8_t *)now, len);
		if (!memcmp(now, old, len))
			continue;
		for (uint64_t k = 0; k + 8 <= len; k += 8) {
			memcpy(&was, old + k, 8);
			if (was != now[k / 8] && !known(have, nhave, s->page[i] + k))
				consider(&b, s->page[i] + k, now[k / 8], distance(was, now[k / 8]));
		}
	}
	return b.n;
}
