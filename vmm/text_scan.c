/* Searching and proving. Contract: text_scan.h. */
#include <emmintrin.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cleanup.h"
#include "vmm/text_flow.h"
#include "vmm/text_scan.h"

#define PREFIXES_MAX 4
#define REGION_MAX (256u << 10)     /* of a function, for following it */
#define SHORT_FUNCTION 2048
#define BEFORE 72                   /* bytes before a place that are decoded from everywhere */
#define SETTLED 24                  /* decoding that started this far before has found the true boundaries */
#define FEW_STARTS 8
#define NEAR_INSNS 16
/* Instructions decoded at most: some for any text, and as many more as no sensible text of its length needs. */
#define BUDGET_BASE 100000u
#define BUDGET_PER_BYTE 8

const char *const text_kind_name[TEXT_KINDS] = { "cpuid", "rdrand", "rdseed", "rdpid", "xbegin" };

struct scan {
	const struct text_input *in;
	struct text_place *place;
	size_t n, cap;
	struct text_found *out;
	size_t hit_cap;
	size_t budget;

	/* The function that was followed last: a mark at each instruction. */
	uint8_t *mark;
	uint64_t mark_start, mark_end;
	uint64_t *todo;
	size_t ntodo, todo_cap;
};

/* ---- search ---- */

static int add_place(struct scan *s, uint64_t off)
{
	if (off < s->in->from)
		return 0;
	if (s->n == s->cap) {
		size_t cap = s->cap ? 2 * s->cap : 64;
		struct text_place *p = reallocarray(s->place, cap, sizeof(*p));

		if (!p)
			return -ENOMEM;
		s->place = p;
		s->cap = cap;
	}
	s->place[s->n++] = (struct text_place){ off, TEXT_UNKNOWN, s->in->len };
	return 0;
}

/* May the opcode at off be one of those wanted, by its bytes alone? */
static bool pattern(const struct text_input *in, uint64_t off)
{
	const uint8_t *b = in->code + off;
	size_t left = in->len - off;

	if (left < 2)
		return false;
	if (b[0] == 0x0f && b[1] == 0xa2)
		return in->kinds & TEXT_BIT(TEXT_CPUID);
	if (b[0] == 0x0f && b[1] == 0xc7 && left >= 3 && b[2] >= 0xf0)
		return in->kinds & (b[2] < 0xf8 ? TEXT_BIT(TEXT_RDRAND) : TEXT_BIT(TEXT_RDSEED) | TEXT_BIT(TEXT_RDPID));
	if (b[0] == 0xc7 && b[1] == 0xf8 && left >= 6)
		return in->kinds & TEXT_BIT(TEXT_XBEGIN);
	return false;
}

/* 16 bytes at a time: which of them and their successors are 0f a2, 0f c7 or c7 f8? */
static unsigned suspects16(const uint8_t *b)
{
	__m128i one = _mm_loadu_si128((const __m128i *)b), two = _mm_loadu_si128((const __m128i *)(b + 1));
	__m128i a2 = _mm_cmpeq_epi8(two, _mm_set1_epi8((char)0xa2)), c7 = _mm_cmpeq_epi8(two, _mm_set1_epi8((char)0xc7));
	__m128i of = _mm_and_si128(_mm_cmpeq_epi8(one, _mm_set1_epi8(0x0f)), _mm_or_si128(a2, c7));
	__m128i xb = _mm_and_si128(_mm_cmpeq_epi8(one, _mm_set1_epi8((char)0xc7)),
				   _mm_cmpeq_epi8(two, _mm_set1_epi8((char)0xf8)));

	return (unsigned)_mm_movemask_epi8(_mm_or_si128(of, xb));
}

bool text_suspects(const uint8_t *code, size_t len, unsigned kinds)
{
	const struct text_input in = { .code = code, .len = len, .kinds = kinds };
	size_t at = 0;

	for (; len - at >= 17; at += 16)
		for (unsigned m = suspects16(code + at); m; m &= m - 1)
			if (pattern(&in, at + (unsigned)__builtin_ctz(m)))
				return true;
	for (; at < len; at++)
		if (pattern(&in, at))
			return true;
	return false;
}

static int search(struct scan *s)
{
	const struct text_input *in = s->in;
	uint64_t at = 0;
	int rc = 0;

	for (; rc == 0 && in->len - at >= 17; at += 16)
		for (unsigned m = suspects16(in->code + at); rc == 0 && m; m &= m - 1)
			if (pattern(in, at + (unsigned)__builtin_ctz(m)))
				rc = add_place(s, at + (unsigned)__builtin_ctz(m));
	for (; rc == 0 && at < in->len; at++)
		if (pattern(in, at))
			rc = add_place(s, at);
	return rc;
}

/* ---- decoding with a limit ---- */

static bool insn_at(struct scan *s, uint64_t at, struct text_insn *i)
{
	if (!s->budget)
		return false;
	s->budget--;
	return text_insn(s->in->code, s->in->len, at, i);
}

/* Prefixes before an opcode belong to it wherever decoding starts among them. */
static uint64_t first_prefix(const struct scan *s, uint64_t off)
{
	uint64_t at = off;

	while (at && off - at < PREFIXES_MAX && text_prefix(s->in->code[at - 1]) && s->in->code[at - 1] != 0xf0)
		at--;
	return at;
}

/* ---- following a function ---- */

static void push(struct scan *s, uint64_t target)
{
	if (target < s->mark_start || target >= s->mark_end || s->mark[target - s->mark_start])
		return;
	if (s->ntodo == s->todo_cap) {
		size_t cap = s->todo_cap ? 2 * s->todo_cap : 256;
		uint64_t *p = reallocarray(s->todo, cap, sizeof(*p));

		if (!p)
			return; /* fewer proofs, no wrong ones */
		s->todo = p;
		s->todo_cap = cap;
	}
	s->todo[s->ntodo++] = target;
}

static void follow(struct scan *s, uint64_t at)
{
	struct text_insn i;

	while (at < s->mark_end && at >= s->mark_start && !s->mark[at - s->mark_start] && insn_at(s, at, &i)) {
		s->mark[at - s->mark_start] = 1;
		if (i.next == NEXT_BRANCH || i.next == NEXT_JUMPS)
			push(s, i.target);
		if (i.next == NEXT_JUMPS || i.next == NEXT_ENDS)
			return;
		at += i.len;
	}
}

static void follow_function(struct scan *s, uint64_t start, uint64_t end)
{
	if (s->mark && s->mark_start == start)
		return;
	free(s->mark);
	s->mark_start = start;
	s->mark_end = end - start > REGION_MAX ? start + REGION_MAX : end;
	s->mark = calloc(1, s->mark_end - start + 1);
	if (!s->mark) {
		s->mark_end = start;
		return;
	}
	push(s, start);
	while (s->ntodo)
		follow(s, s->todo[--s->ntodo]);
}

/* ---- decoding from everywhere before a place ---- */

enum fate { FATE_BAD, FATE_LANDS, FATE_MISSES };

struct around {
	uint64_t lo;           /* offset of fate[0] */
	unsigned lands, misses; /* of starts SETTLED or more before */
	unsigned clean;         /* of those that land: with nothing odd on the way */
	uint8_t fate[BEFORE], len[BEFORE];
	bool odd[BEFORE];       /* here or on the way */
};

/* off: of the opcode; first: of the first prefix. */
static void look_around(struct scan *s, uint64_t first, uint64_t off, struct around *a)
{
	unsigned n = first > BEFORE ? BEFORE : (unsigned)first;
	struct text_insn i;

	memset(a, 0, sizeof(*a));
	a->lo = first - n;
	for (unsigned k = n; k-- > 0;) {
		uint64_t to;

		if (!insn_at(s, a->lo + k, &i))
			continue;
		a->len[k] = i.len;
		to = a->lo + k + i.len;
		a->odd[k] = text_odd(s->in->code + a->lo + k, i.len) || (to < first && a->odd[to - a->lo]);
		a->fate[k] = to < first ? a->fate[to - a->lo] : to <= off ? FATE_LANDS : FATE_MISSES;
		if (first - (a->lo + k) < SETTLED)
			continue;
		a->lands += a->fate[k] == FATE_LANDS;
		a->misses += a->fate[k] == FATE_MISSES;
		a->clean += a->fate[k] == FATE_LANDS && !a->odd[k];
	}
}

/* ---- what an instruction must have around it ---- */

/* The first instructions behind at, in straight line; f returns 1 (proof), -1 (refuted) or 0 (go on). */
static bool behind(struct scan *s, uint64_t at, int (*f)(const uint8_t *insn, unsigned len, void *state), void *state)
{
	struct text_insn i;

	for (unsigned k = 0; k < NEAR_INSNS && insn_at(s, at, &i); k++) {
		const uint8_t *b = s->in->code + at;
		int verdict = text_odd(b, i.len) ? -1 : f(b, i.len, state);

		if (verdict)
			return verdict > 0;
		at = i.next == NEXT_JUMPS ? i.target : at + i.len;
		if (i.next == NEXT_ENDS)
			return false;
	}
	return false;
}

/* A result of cpuid is used before it is overwritten. */
static int uses_result(const uint8_t *insn, unsigned len, void *state)
{
	struct text_access a;
	unsigned *fresh = state;

	if (!text_access(insn, len, &a))
		return -1;
	if (a.reads & *fresh)
		return 1;
	*fresh &= ~a.writes;
	return *fresh ? 0 : -1;
}

/* The carry flag says whether rdrand delivered. */
static int uses_carry(const uint8_t *b, unsigned len, void *state)
{
	unsigned *n = state;

	for (; len > 1 && text_prefix(*b); b++)
		len--;
	if ((b[0] & 0xfe) == 0x72 || (b[0] >= 0x10 && b[0] <= 0x1d)) /* jc, jnc; adc, sbb */
		return 1;
	if (b[0] == 0x0f && len > 1 && ((b[1] & 0xfe) == 0x42 || (b[1] & 0xfe) == 0x82 || (b[1] & 0xfe) == 0x92))
		return 1;
	return ++*n > 4 ? -1 : 0;
}

/* xbegin's status in eax is compared with -1. */
static int uses_status(const uint8_t *b, unsigned len, void *state)
{
	unsigned *n = state;

	if ((len == 3 && !memcmp(b, "\x83\xf8\xff", 3)) || (len == 5 && !memcmp(b, "\x3d\xff\xff\xff\xff", 5)))
		return 1;
	return ++*n > 4 ? -1 : 0;
}

/* On the longest clean way to a cpuid something sets eax. */
static bool sets_leaf(struct scan *s, const struct around *a, uint64_t first)
{
	unsigned n = (unsigned)(first - a->lo), k = 0;
	struct text_access acc;

	while (k < n && (a->fate[k] != FATE_LANDS || a->odd[k]))
		k++;
	for (; k < n && s->budget; k += a->len[k], s->budget--)
		if (text_access(s->in->code + a->lo + k, a->len[k], &acc) && acc.writes & TEXT_EAX)
			return true;
	return false;
}

static bool makes_sense(struct scan *s, const struct around *a, uint64_t first, const struct text_hit *h)
{
	unsigned fresh = TEXT_EAX | TEXT_EBX | TEXT_ECX | TEXT_EDX, count = 0;
	uint64_t end = h->off + h->len;

	/* Where the code begins closely before, there is little to agree. */
	if (a->lands < 2 * FEW_STARTS || a->clean < FEW_STARTS || a->misses * 10 > a->lands)
		return false;
	if (h->kind == TEXT_CPUID && !sets_leaf(s, a, first))
		return false;
	switch (h->kind) {
	case TEXT_CPUID:
		return behind(s, end, uses_result, &fresh);
	case TEXT_RDRAND:
	case TEXT_RDSEED:
		return behind(s, end, uses_carry, &count);
	case TEXT_XBEGIN:
		return behind(s, end, uses_status, &count);
	default:
		return false;
	}
}

/* ---- verdict ---- */

/* The instruction that starts at `start` and has its opcode at off. False: none of those wanted. */
static bool identify(const struct text_input *in, uint64_t start, uint64_t off, struct text_hit *h)
{
	const uint8_t *b = in->code + off;
	size_t prefixes = off - start;
	bool f2 = memchr(b - prefixes, 0xf2, prefixes), f3 = memchr(b - prefixes, 0xf3, prefixes);

	h->off = start;
	if (b[0] == 0xc7) {
		h->kind = TEXT_XBEGIN;
		h->len = (uint8_t)(prefixes + 6);
		return !prefixes && in->kinds & TEXT_BIT(TEXT_XBEGIN);
	}
	h->kind = b[1] == 0xa2 ? TEXT_CPUID : b[2] < 0xf8 ? TEXT_RDRAND : f3 ? TEXT_RDPID : TEXT_RDSEED;
	h->len = (uint8_t)(prefixes + (h->kind == TEXT_CPUID ? 2 : 3));
	if (f2 || (f3 && h->kind == TEXT_RDRAND))
		return false; /* something else, or undefined */
	return in->kinds & TEXT_BIT(h->kind);
}

static bool marked(const struct scan *s, uint64_t at)
{
	return at >= s->mark_start && at < s->mark_end && s->mark[at - s->mark_start];
}

/* The instructions before the one at `first`, as far as they have been followed. */
static uint16_t starts_before(const struct scan *s, uint64_t first)
{
	unsigned bits = 0;

	for (unsigned k = 1; k < TEXT_LEN_MAX && k <= first; k++)
		bits |= (unsigned)marked(s, first - k) << k;
	return (uint16_t)bits;
}

enum verdict { UNKNOWN, PROVEN, REFUTED };

static enum verdict by_function(struct scan *s, const struct text_place *p, uint64_t first, struct text_hit *h)
{
	struct text_insn i;

	if (p->start == TEXT_UNKNOWN || p->start > p->off || p->next <= p->off || p->next > s->in->len)
		return UNKNOWN;
	follow_function(s, p->start, p->next);
	for (uint64_t at = first; at <= p->off; at++) {
		if (!marked(s, at))
			continue;
		h->starts = starts_before(s, at);
		return identify(s->in, at, p->off, h) ? PROVEN : REFUTED;
	}
	for (uint64_t k = 1; k < TEXT_LEN_MAX && k <= first; k++)
		if (marked(s, first - k) && insn_at(s, first - k, &i) && i.len > k)
			return REFUTED;
	return UNKNOWN;
}

static bool by_agreement(struct scan *s, const struct text_place *p, uint64_t first, const struct around *a,
			 struct text_hit *h)
{
	/* Nearly all arrive among the prefixes; the instruction begins with the first of them. */
	return identify(s->in, first, p->off, h) && makes_sense(s, a, first, h);
}

static int add_hit(struct scan *s, const struct text_hit *h)
{
	struct text_found *o = s->out;

	if (o->n == s->hit_cap) {
		size_t cap = s->hit_cap ? 2 * s->hit_cap : 32;
		struct text_hit *p = reallocarray(o->hit, cap, sizeof(*p));

		if (!p)
			return -ENOMEM;
		o->hit = p;
		s->hit_cap = cap;
	}
	o->hit[o->n++] = *h;
	return 0;
}

/* Following a function is dear when it is long, and serves all places in it. */
static bool cheap_to_follow(const struct scan *s, const struct text_place *p)
{
	return (s->mark && s->mark_start == p->start) || p->next - p->start <= SHORT_FUNCTION;
}

static enum verdict decide(struct scan *s, const struct text_place *p, uint64_t first, struct text_hit *h)
{
	enum verdict v = cheap_to_follow(s, p) ? by_function(s, p, first, h) : UNKNOWN;
	struct around a;

	if (v != UNKNOWN)
		return v;
	/* Settles nearly all that are no instructions: inside another one, decoding finds that one. */
	look_around(s, first, p->off, &a);
	if (!a.lands && a.misses >= FEW_STARTS)
		return REFUTED;
	v = by_function(s, p, first, h);
	return v == UNKNOWN && by_agreement(s, p, first, &a, h) ? PROVEN : v;
}

static int judge(struct scan *s, const struct text_place *p)
{
	uint64_t first = first_prefix(s, p->off);
	struct text_hit h = { 0 };
	enum verdict v;

	if (!identify(s->in, p->off, p->off, &h) && !identify(s->in, first, p->off, &h))
		return 0;
	if (!s->budget) {
		s->out->unproven++;
		return 0;
	}
	v = decide(s, p, first, &h);
	s->out->unproven += v == UNKNOWN;
	return v == PROVEN ? add_hit(s, &h) : 0;
}

static int run(struct scan *s)
{
	int rc = search(s);

	if (rc == 0 && s->n && s->in->functions)
		s->in->functions(s->in->arg, s->place, s->n);
	for (size_t i = 0; rc == 0 && i < s->n; i++)
		rc = judge(s, &s->place[i]);
	return rc;
}

int text_scan(const struct text_input *in, struct text_found *out)
{
	struct scan s = { .in = in, .out = out, .budget = BUDGET_BASE + in->len / BUDGET_PER_BYTE };
	int rc;

	*out = (struct text_found){ .len = in->len };
	rc = run(&s);
	free(s.place);
	free(s.mark);
	free(s.todo);
	if (rc < 0) {
		free(out->hit);
		*out = (struct text_found){ 0 };
	}
	return rc;
}

uint16_t text_starts(const uint8_t *code, size_t len, uint64_t off)
{
	const struct text_input in = { .code = code, .len = len };
	struct scan s = { .in = &in, .budget = BUDGET_BASE };
	uint16_t starts = 0;

	follow_function(&s, 0, len);
	if (marked(&s, off))
		starts = starts_before(&s, off);
	free(s.mark);
	free(s.todo);
	return starts;
}
