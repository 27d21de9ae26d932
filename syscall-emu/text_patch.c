/* The set of replaced instructions. Contract: text_patch.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "syscall-emu/mm_int.h"
#include "syscall-emu/text_answer.h"
#include "syscall-emu/text_patch.h"
#include "vmm/cleanup.h"
#include "vmm/memo.h"
#include "vmm/text_funcs.h"

#define RFLAGS_RF 0x10000ULL
#define CONTEXT 256          /* bytes before a range that help to understand its beginning */
#define CACHED 16
#define SEARCH_PIECE 32768
#define SCAN_MAX (1ULL << 31)

#define PATCH_MAX TEXT_ANSWER_MAX

/* Beside the kinds of replaced instructions: */
enum { PATCH_JUMP = TEXT_KINDS, PATCH_STUB };

struct patch {
	uint64_t addr;
	uint64_t stub;        /* of a PATCH_JUMP: where it goes */
	uint8_t len, kind;
	uint8_t was[PATCH_MAX], is[PATCH_MAX];
};

/* What a scan found, in case the same text is mapped again. */
struct scanned {
	XXH128_hash_t key;
	struct text_found found;
};

struct text_patches {
	struct patch *p; /* ascending */
	size_t n, cap;
	struct scanned cache[CACHED];
	unsigned next;
};

static const uint8_t replacement[TEXT_LEN_MAX] = {
	0x0f, 0x0b, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
};

static struct text_patches *patches(struct mm *mm)
{
	if (!mm->patches)
		mm->patches = calloc(1, sizeof(*mm->patches));
	return mm->patches;
}

/* Index of the first patch at or above addr. */
static size_t patch_at(const struct text_patches *t, uint64_t addr)
{
	size_t lo = 0, hi = t->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (t->p[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void take_out(struct text_patches *t, size_t from, size_t to)
{
	memmove(t->p + from, t->p + to, (t->n - to) * sizeof(*t->p));
	t->n -= to - from;
}

static int put_in(struct text_patches *t, const struct patch *p)
{
	size_t at = patch_at(t, p->addr);

	if (at < t->n && t->p[at].addr == p->addr) {
		t->p[at] = *p;
		return 0;
	}
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;
		struct patch *more = reallocarray(t->p, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		t->p = more;
		t->cap = cap;
	}
	memmove(t->p + at + 1, t->p + at, (t->n - at) * sizeof(*t->p));
	t->p[at] = *p;
	t->n++;
	return 0;
}

void text_patch_free(struct mm *mm)
{
	if (!mm->patches)
		return;
	for (unsigned i = 0; i < CACHED; i++)
		free(mm->patches->cache[i].found.hit);
	free(mm->patches->p);
	free(mm->patches);
	mm->patches = NULL;
}

/* ---- scanning ---- */

struct text {
	uint64_t start, len; /* guest range, context included */
	uint8_t *code;
	int fd;
	uint64_t offset;
};

static void functions(void *arg, struct text_place *place, size_t n)
{
	const struct text *x = arg;

	if (x->fd >= 0)
		text_funcs_near(x->fd, x->offset, x->len, place, n);
}

/* The program's own bytes. The file may end before its mapping does: what can be read is the text. */
static void read_text(const struct text_patches *t, struct text *x)
{
	uint64_t done = guest_read(x->code, x->start, x->len) == 0 ? x->len : 0;

	while (done < x->len && guest_read(x->code + done, x->start + done, min_u64(x->len - done, PAGE_SIZE_4K)) == 0)
		done += min_u64(x->len - done, PAGE_SIZE_4K);
	x->len = done;
	for (size_t i = patch_at(t, x->start); i < t->n && t->p[i].addr + t->p[i].len <= x->start + x->len; i++) {
		uint8_t *b = x->code + (t->p[i].addr - x->start);

		if (!memcmp(b, t->p[i].is, t->p[i].len))
			memcpy(b, t->p[i].was, t->p[i].len);
	}
}

/* Most texts hold nothing of interest: that is found out without a copy of the whole. */
static bool suspects(uint64_t start, uint64_t end, unsigned kinds)
{
	uint8_t piece[SEARCH_PIECE];

	while (start < end) {
		uint64_t n = min_u64(end - start, sizeof(piece));

		if (guest_read(piece, start, n) < 0 || text_suspects(piece, n, kinds))
			return true;
		if (n < sizeof(piece))
			return false;
		start += n - (TEXT_PATTERN_MAX - 1); /* one may lie across the border */
	}
	return false;
}

/* Scans of the same text by other processes, found by the same key. */
static struct memo *shared;

void text_patch_share(struct memo *m)
{
	shared = m;
}

struct shared_scan {
	uint64_t n, unproven;
	struct text_hit hit[(MEMO_BYTES - 16) / sizeof(struct text_hit)];
};

static bool scan_shared(XXH128_hash_t key, size_t text_len, struct text_found *out)
{
	union { struct shared_scan scan; unsigned char bytes[MEMO_BYTES]; } u;
	size_t len = shared ? memo_get(shared, (const uint64_t[2]){ key.low64, key.high64 }, &u) : 0;

	if (len < offsetof(struct shared_scan, hit) || u.scan.n > sizeof(u.scan.hit) / sizeof(u.scan.hit[0]) ||
	    len != offsetof(struct shared_scan, hit) + u.scan.n * sizeof(u.scan.hit[0]))
		return false;
	for (size_t i = 0; i < u.scan.n; i++)
		if (u.scan.hit[i].len > TEXT_LEN_MAX || u.scan.hit[i].off + u.scan.hit[i].len > text_len)
			return false;
	out->hit = malloc(u.scan.n * sizeof(u.scan.hit[0]) + 1);
	if (!out->hit)
		return false;
	memcpy(out->hit, u.scan.hit, u.scan.n * sizeof(u.scan.hit[0]));
	out->n = u.scan.n;
	out->unproven = u.scan.unproven;
	return true;
}

static void share_scan(XXH128_hash_t key, const struct text_found *f)
{
	struct shared_scan s = { .n = f->n, .unproven = f->unproven };

	if (!shared || f->n > sizeof(s.hit) / sizeof(s.hit[0]))
		return;
	memcpy(s.hit, f->hit, f->n * sizeof(s.hit[0]));
	memo_put(shared, (const uint64_t[2]){ key.low64, key.high64 }, &s,
		 offsetof(struct shared_scan, hit) + f->n * sizeof(s.hit[0]));
}

static const struct text_found *scan_cached(struct text_patches *t, const struct text *x, uint64_t from, unsigned kinds)
{
	struct text_input in = {
		.code = x->code, .len = x->len, .from = from, .kinds = kinds, .functions = functions, .arg = (void *)x,
	};
	XXH128_hash_t key = XXH3_128bits(x->code, x->len);
	struct scanned *s;

	/* Function starts come from other parts of the file: with and without, or from another place, is another scan. */
	key.low64 ^= XXH3_64bits_withSeed(&x->offset, sizeof(x->offset), from + (x->fd >= 0)) ^ kinds;
	for (s = t->cache; s < t->cache + CACHED; s++)
		if (XXH128_isEqual(s->key, key))
			return &s->found;
	s = &t->cache[t->next++ % CACHED];
	free(s->found.hit);
	memset(s, 0, sizeof(*s));
	if (!scan_shared(key, x->len, &s->found)) {
		if (text_scan(&in, &s->found) < 0)
			return NULL;
		share_scan(key, &s->found);
	}
	s->key = key;
	return &s->found;
}

/* What is to be written, ascending; all of it is in the set. */
struct changes {
	struct patch *p;
	size_t n;
	uint64_t free; /* offset into the text of bytes that belong to nobody */
};

static bool change(struct text_patches *t, struct changes *c, struct patch p, const struct text *x, const uint8_t *is)
{
	memcpy(p.was, x->code + (p.addr - x->start), p.len);
	memcpy(p.is, is, p.len);
	if (put_in(t, &p) < 0)
		return false;
	c->p[c->n++] = p;
	return true;
}

/* Pages come and go by themselves. */
static bool on_one_page(const struct text *x, uint64_t off, unsigned len)
{
	return page_down(x->start + off) == page_down(x->start + off + len - 1);
}

/* Stubs lie behind all text, in the order of what jumps there: they are added when all the rest is. */
static void change_hits(struct mm *mm, struct text_patches *t, const struct text *x, const struct text_found *f, struct changes *c)
{
	cleanup_free struct patch *room = calloc(f->n + 1, sizeof(*room));
	struct changes stubs = { .p = room };
	struct text_answer a;

	for (size_t i = 0; i < f->n; i++) {
		const struct text_hit *h = &f->hit[i];

		if (room && x->len - c->free >= TEXT_ANSWER_MAX && text_answer_make(vm_cpu(mm->vm), x->code, h, c->free, &a) &&
		    on_one_page(x, a.off, sizeof(a.jump)) && on_one_page(x, c->free, a.len)) {
			struct patch stub = { .addr = x->start + c->free, .len = a.len, .kind = PATCH_STUB };
			struct patch jump = { .addr = x->start + a.off, .stub = stub.addr, .len = sizeof(a.jump), .kind = PATCH_JUMP };

			if (change(t, &stubs, stub, x, a.stub) && change(t, c, jump, x, a.jump))
				c->free += a.len;
		}
		change(t, c, (struct patch){ .addr = x->start + h->off, .len = h->len, .kind = h->kind }, x, replacement);
	}
	for (size_t i = 0; i < stubs.n; i++)
		c->p[c->n++] = room[i];
}

/* All changes of one page are written at once, as each write takes the page from its file or from its neighbours. */
static size_t write_page(struct mm *mm, const struct text *x, const struct patch *p, size_t n)
{
	uint64_t page = page_down(p->addr), from = p->addr, to = from;
	cleanup_free uint8_t *bytes = NULL;
	size_t k;

	for (k = 0; k < n && page_down(p[k].addr) == page; k++)
		to = p[k].addr + p[k].len;
	bytes = malloc(to - from);
	if (!bytes) {
		text_patch_forget(mm, from, to);
		return k;
	}
	memcpy(bytes, x->code + (from - x->start), to - from);
	for (size_t i = 0; i < k; i++)
		memcpy(bytes + (p[i].addr - from), p[i].is, p[i].len);
	if (mm_poke(mm, from, bytes, to - from) < 0)
		text_patch_forget(mm, from, to);
	return k;
}

/* Where stubs can be: zeros between the end of the segment and the end of its last page. */
static uint64_t free_bytes(const struct text *x)
{
	uint64_t from = x->fd < 0 ? x->len : text_funcs_end(x->fd, x->offset, x->len);

	for (uint64_t i = from; i < x->len; i++)
		if (x->code[i])
			return x->len;
	return from;
}

static void write_changes(struct mm *mm, struct text_patches *t, const struct text *x, const struct text_found *f)
{
	cleanup_free struct patch *p = calloc(3 * f->n + 1, sizeof(*p));
	struct changes c = { .p = p, .free = free_bytes(x) };

	if (!p)
		return;
	change_hits(mm, t, x, f, &c);
	for (size_t i = 0; i < c.n;)
		i += write_page(mm, x, p + i, c.n - i);
}

static void scan_range(struct mm *mm, const struct vma *v, uint64_t start, uint64_t end, int fd, uint64_t offset)
{
	struct text_patches *t = patches(mm);
	uint64_t before = min_u64(start - v->start, fd >= 0 ? min_u64(offset, CONTEXT) : CONTEXT);
	struct text x = { .start = start - before, .len = end - start + before, .fd = fd, .offset = offset - before };
	unsigned kinds = vm_cpu(mm->vm)->patch;
	cleanup_free uint8_t *code = NULL;
	const struct text_found *f;

	if (!t || x.len > SCAN_MAX || !suspects(start, end, kinds))
		return;
	x.code = code = malloc(x.len);
	if (!code)
		return;
	read_text(t, &x);
	f = x.len > before ? scan_cached(t, &x, before, kinds) : NULL;
	if (!f)
		return;
	if (f->n)
		write_changes(mm, t, &x, f);
	if (mm->proc->verbose && (f->n || f->unproven))
		fprintf(stderr, "sandrec: %s: %zu instructions that cannot be trapped were replaced; %zu places may be some\n",
			v->name ? v->name : "anonymous memory", f->n, f->unproven);
}

void text_patch_scan(struct mm *mm, uint64_t start, uint64_t end, int fd, uint64_t offset)
{
	const uint64_t first = start;

	if (!vm_cpu(mm->vm)->patch)
		return;
	while (start < end) {
		size_t i = set_at(mm, start);
		const struct vma *v = i < mm->n ? mm->v[i] : NULL;
		uint64_t stop;

		if (!v || v->start >= end)
			return;
		start = max_u64(start, v->start);
		stop = min_u64(end, v->end);
		if (v->prot & PROT_EXEC && !(v->prot & PROT_WRITE) && !(v->flags & MAP_SHARED))
			scan_range(mm, v, start, stop, fd, offset + (start - first));
		start = stop;
	}
}

/* ---- keeping the set in step with memory ---- */

/* Does memory hold these bytes at the patch's place? Where nobody can read it, nobody has changed it. */
static bool holds(const struct patch *p, const uint8_t *bytes)
{
	uint8_t now[PATCH_MAX];

	return guest_read(now, p->addr, p->len) < 0 || !memcmp(now, bytes, p->len);
}

static void put_back(struct mm *mm, const struct patch *p)
{
	if (holds(p, p->is))
		mm_poke(mm, p->addr, p->was, p->len);
}

/* Stubs in the range are gone, or go: no jump leads there any more. */
static void lose_stubs(struct mm *mm, struct text_patches *t, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < t->n;) {
		const struct patch *p = &t->p[i];

		if (p->kind == PATCH_JUMP && p->stub >= start && p->stub < end && !(p->addr >= start && p->addr < end)) {
			put_back(mm, p);
			take_out(t, i, i + 1);
		} else {
			i++;
		}
	}
}

void text_patch_forget(struct mm *mm, uint64_t start, uint64_t end)
{
	struct text_patches *t = mm->patches;

	if (!t || !t->n)
		return;
	lose_stubs(mm, t, start, end);
	take_out(t, patch_at(t, start), patch_at(t, end));
}

void text_patch_undo(struct mm *mm, uint64_t start, uint64_t end)
{
	struct text_patches *t = mm->patches;

	if (!t || !t->n)
		return;
	for (size_t i = patch_at(t, start); i < t->n && t->p[i].addr < end; i++)
		put_back(mm, &t->p[i]);
	text_patch_forget(mm, start, end);
}

void text_patch_again(struct mm *mm, uint64_t start, uint64_t end)
{
	struct text_patches *t = mm->patches;

	if (!t || !t->n)
		return;
	for (size_t i = patch_at(t, start); i < t->n && t->p[i].addr < end;) {
		struct patch p = t->p[i];

		if (holds(&p, p.was) && mm_poke(mm, p.addr, p.is, p.len) == 0) {
			i++;
			continue;
		}
		text_patch_forget(mm, p.addr, p.addr + 1);
		i = patch_at(t, p.addr);
	}
}

/* A jump and its stub that moved together still fit. */
static bool moved_whole(const struct patch *p, uint64_t start, uint64_t end)
{
	return p->kind != PATCH_JUMP || (p->stub >= start && p->stub < end);
}

void text_patch_moved(struct mm *mm, uint64_t start, uint64_t end, int64_t shift)
{
	struct text_patches *t = mm->patches;
	cleanup_free struct patch *p = NULL;
	size_t from, n;

	if (!t || !t->n)
		return;
	lose_stubs(mm, t, start, end);
	from = patch_at(t, start);
	n = patch_at(t, end) - from;
	p = n ? malloc(n * sizeof(*p)) : NULL;
	if (p)
		memcpy(p, t->p + from, n * sizeof(*p));
	take_out(t, from, from + n);
	text_patch_forget(mm, start + (uint64_t)shift, end + (uint64_t)shift);
	for (size_t i = 0; p && i < n; i++) {
		bool fits = moved_whole(&p[i], start, end);

		p[i].addr += (uint64_t)shift;
		p[i].stub += p[i].kind == PATCH_JUMP ? (uint64_t)shift : 0;
		if (!fits)
			put_back(mm, &p[i]);
		else
			put_in(t, &p[i]);
	}
}

/* ---- execution ---- */

int text_patch_undefined(struct task *t)
{
	struct text_patches *set = t->proc->mm->patches;
	struct guest_regs *r = t->regs;
	struct kvm_cpuid_entry2 e;
	const struct patch *p;
	size_t i;

	if (!set)
		return 0;
	i = patch_at(set, r->rip);
	p = &set->p[i];
	if (i == set->n || p->addr != r->rip || p->kind != TEXT_CPUID || !holds(p, p->is))
		return 0;
	cpu_table_query(vm_cpu(t->proc->vm), (uint32_t)r->rax, (uint32_t)r->rcx, &e);
	r->rax = e.eax;
	r->rbx = e.ebx;
	r->rcx = e.ecx;
	r->rdx = e.edx;
	r->rip += p->len;
	r->rflags &= ~RFLAGS_RF;
	return 1;
}
