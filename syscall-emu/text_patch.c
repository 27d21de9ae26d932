/* The set of replaced instructions. Contract: text_patch.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "syscall-emu/mm_int.h"
#include "syscall-emu/text_patch.h"
#include "vmm/cleanup.h"
#include "vmm/memo.h"
#include "vmm/text_funcs.h"

#define RFLAGS_RF 0x10000ULL
#define CONTEXT 256          /* bytes before a range that help to understand its beginning */
#define CACHED 16
#define SEARCH_PIECE 32768
#define SCAN_MAX (1ULL << 31)

struct patch {
	uint64_t addr;
	uint8_t len, kind;
	uint8_t was[TEXT_LEN_MAX];
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

		if (!memcmp(b, replacement, t->p[i].len))
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

/* All hits of one page are written at once, as each write takes the page from its file or from its neighbours. */
static size_t write_page(struct mm *mm, struct text_patches *t, const struct text *x, const struct text_hit *h, size_t n)
{
	uint64_t page = page_down(x->start + h[0].off), from = h[0].off, to = from;
	cleanup_free uint8_t *bytes = NULL;
	size_t k;

	for (k = 0; k < n && page_down(x->start + h[k].off) == page; k++)
		to = h[k].off + h[k].len;
	bytes = malloc(to - from);
	if (!bytes)
		return k;
	memcpy(bytes, x->code + from, to - from);
	for (size_t i = 0; i < k; i++) {
		struct patch p = { .addr = x->start + h[i].off, .len = h[i].len, .kind = h[i].kind };

		memcpy(p.was, x->code + h[i].off, p.len);
		if (put_in(t, &p) == 0)
			memcpy(bytes + (h[i].off - from), replacement, p.len);
	}
	if (mm_poke(mm, x->start + from, bytes, to - from) < 0)
		text_patch_forget(mm, x->start + from, x->start + to);
	return k;
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
	for (size_t i = 0; i < f->n;)
		i += write_page(mm, t, &x, f->hit + i, f->n - i);
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

void text_patch_forget(struct mm *mm, uint64_t start, uint64_t end)
{
	struct text_patches *t = mm->patches;

	if (t && t->n)
		take_out(t, patch_at(t, start), patch_at(t, end));
}

/* Does memory hold these bytes at the patch's place? Where nobody can read it, nobody has changed it. */
static bool holds(const struct patch *p, const uint8_t *bytes)
{
	uint8_t now[TEXT_LEN_MAX];

	return guest_read(now, p->addr, p->len) < 0 || !memcmp(now, bytes, p->len);
}

void text_patch_undo(struct mm *mm, uint64_t start, uint64_t end)
{
	struct text_patches *t = mm->patches;

	if (!t || !t->n)
		return;
	for (size_t i = patch_at(t, start); i < t->n && t->p[i].addr < end; i++)
		if (holds(&t->p[i], replacement))
			mm_poke(mm, t->p[i].addr, t->p[i].was, t->p[i].len);
	text_patch_forget(mm, start, end);
}

void text_patch_again(struct mm *mm, uint64_t start, uint64_t end)
{
	struct text_patches *t = mm->patches;

	if (!t || !t->n)
		return;
	for (size_t i = patch_at(t, start); i < t->n && t->p[i].addr < end;) {
		struct patch *p = &t->p[i];

		if (!holds(p, p->was) || mm_poke(mm, p->addr, replacement, p->len) < 0)
			take_out(t, i, i + 1);
		else
			i++;
	}
}

void text_patch_moved(struct mm *mm, uint64_t start, uint64_t end, int64_t shift)
{
	struct text_patches *t = mm->patches;
	cleanup_free struct patch *p = NULL;
	size_t from, n;

	if (!t || !t->n)
		return;
	from = patch_at(t, start);
	n = patch_at(t, end) - from;
	p = n ? malloc(n * sizeof(*p)) : NULL;
	if (p)
		memcpy(p, t->p + from, n * sizeof(*p));
	take_out(t, from, from + n);
	text_patch_forget(mm, start + (uint64_t)shift, end + (uint64_t)shift);
	for (size_t i = 0; p && i < n; i++) {
		p[i].addr += (uint64_t)shift;
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
	if (i == set->n || p->addr != r->rip || p->kind != TEXT_CPUID || !holds(p, replacement))
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
