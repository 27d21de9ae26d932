/* Execution points in bytes. Contract: exec_point.h; layout: doc/exec-points.md. */
#include <errno.h>
#include <string.h>

#include "vmm/exec_point.h"
#include "vmm/layout.h"

struct head {
	uint16_t kind, nwords, nranges, zero;
	uint32_t changed, zero2;
	uint64_t xsave;
};

_Static_assert(sizeof(struct head) + sizeof(uint64_t) + TRAMP_WORDS * sizeof(struct tramp_word) + POINT_RANGES * sizeof(struct point_range) ==
	       POINT_ENCODED_MAX, "on disk");

static size_t count_size(uint16_t kind)
{
	return kind == POINT_BRANCHES ? sizeof(uint64_t) : 0;
}

size_t exec_point_encode(const struct exec_point *p, unsigned char *buf)
{
	const struct head h = { .kind = p->kind, .nwords = p->nwords, .nranges = p->nranges, .changed = p->changed,
				.xsave = p->xsave };
	size_t count = count_size(p->kind), words = p->nwords * sizeof(p->word[0]), ranges = p->nranges * sizeof(p->range[0]);

	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), &p->branches, count);
	memcpy(buf + sizeof(h) + count, p->word, words);
	memcpy(buf + sizeof(h) + count + words, p->range, ranges);
	return sizeof(h) + count + words + ranges;
}

static int check(const struct exec_point *p)
{
	for (unsigned i = 0; i < p->nwords; i++)
		if (p->word[i].addr >= TRAMP_LANES && (p->word[i].addr < GUEST_MIN || !guest_range_ok(p->word[i].addr, sizeof(uint64_t))))
			return -EBADMSG;
	for (unsigned i = 0; i < p->nranges; i++)
		if (p->range[i].start < GUEST_MIN || !guest_range_ok(p->range[i].start, p->range[i].len))
			return -EBADMSG;
	return 0;
}

int exec_point_decode(const void *bytes, size_t len, struct exec_point *p)
{
	const unsigned char *b = bytes;
	struct head h;
	size_t count, words, ranges;

	memset(p, 0, sizeof(*p));
	if (len < sizeof(h))
		return -EBADMSG;
	memcpy(&h, b, sizeof(h));
	if ((h.kind != POINT_LANDMARK && h.kind != POINT_BRANCHES) || h.nwords > TRAMP_WORDS || h.nranges > POINT_RANGES || h.zero || h.zero2 ||
	    h.changed >> GUEST_NREGS)
		return -EBADMSG;
	count = count_size(h.kind);
	words = h.nwords * sizeof(p->word[0]);
	ranges = h.nranges * sizeof(p->range[0]);
	if (len != sizeof(h) + count + words + ranges)
		return -EBADMSG;
	p->kind = h.kind;
	p->nwords = h.nwords;
	p->nranges = h.nranges;
	p->changed = h.changed;
	p->xsave = h.xsave;
	memcpy(&p->branches, b + sizeof(h), count);
	memcpy(p->word, b + sizeof(h) + count, words);
	memcpy(p->range, b + sizeof(h) + count + words, ranges);
	return check(p);
}
