/* Replacing what a scan finds. Contract: text_patch.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "syscall-emu/text_patch_int.h"
#include "vmm/cleanup.h"
#include "vmm/text_funcs.h"

#define CONTEXT 256          /* bytes before a range that help to understand its beginning */
#define SEARCH_PIECE 32768
#define SCAN_MAX (1ULL << 31)

static const uint8_t replacement[TEXT_LEN_MAX] = {
	0x0f, 0x0b, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
};

struct text {
	uint64_t start, len; /* guest range, context included */
	uint8_t *code;
	int fd;
	uint64_t offset;
};

/* Room for a text: pages that nobody writes to cost nothing. */
struct room {
	uint8_t *p;
	size_t len;
};
#define cleanup_room __attribute__((cleanup(room_free)))

static void room_free(struct room *r)
{
	if (r->p)
		munmap(r->p, r->len);
}

static bool room_make(struct room *r, size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return false;
	*r = (struct room){ p, len };
	return true;
}

/* What we have put there is not the program's. */
static void take_back(const struct text_patches *t, struct text *x)
{
	for (size_t i = patch_at(t, x->start); i < t->n && t->p[i].addr + t->p[i].len <= x->start + x->len; i++) {
		uint8_t *b = x->code + (t->p[i].addr - x->start);

		if (!memcmp(b, t->p[i].is, t->p[i].len))
			memcpy(b, t->p[i].was, t->p[i].len);
	}
}

/* The program's own bytes. The file may end before its mapping does: what can be read is the text. */
static void read_text(const struct text_patches *t, struct text *x)
{
	uint64_t done;

	/* All of it is going to be written: page by page, these faults would take longer than everything else. */
	madvise(x->code, x->len, MADV_HUGEPAGE);
	madvise(x->code, x->len, MADV_POPULATE_WRITE);
	done = guest_read(x->code, x->start, x->len) == 0 ? x->len : 0;
	while (done < x->len && guest_read(x->code + done, x->start + done, min_u64(x->len - done, PAGE_SIZE_4K)) == 0)
		done += min_u64(x->len - done, PAGE_SIZE_4K);
	x->len = done;
	take_back(t, x);
}

/* Most texts hold nothing of interest: that is found out without a copy of the whole. */
static bool search(uint64_t start, uint64_t end, unsigned kinds)
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
	if (patch_put(t, &p) < 0)
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
/* Bytes of x, own ones: other patches among them stay. */
static void keep_calls(const struct text_patches *t, uint64_t from, uint64_t to, uint8_t *bytes)
{
	for (size_t i = patch_at(t, from); i < t->n && t->p[i].addr + t->p[i].len <= to; i++) {
		const struct patch *p = &t->p[i];

		if ((p->kind == PATCH_CALL || p->kind == PATCH_PAD) && !memcmp(bytes + (p->addr - from), p->was, p->len))
			memcpy(bytes + (p->addr - from), p->is, p->len);
	}
}

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
	keep_calls(mm->patches, from, to, bytes);
	for (size_t i = 0; i < k; i++)
		memcpy(bytes + (p[i].addr - from), p[i].is, p[i].len);
	if (mm_poke(mm, from, bytes, to - from) < 0)
		text_patch_forget(mm, from, to);
	return k;
}

static uint64_t text_end(const struct text *x)
{
	return x->fd < 0 ? x->len : text_funcs_end(x->fd, x->offset, x->len);
}

/* Where stubs can be: zeros between the end of the segment and the end of its last page. */
static uint64_t free_bytes(const struct text *x)
{
	uint64_t from = text_end(x);

	for (uint64_t i = from; i < x->len; i++)
		if (x->code[i])
			return x->len;
	return from;
}

static uint64_t last_pad(const struct text_patches *t, const struct text *x, uint64_t from)
{
	for (size_t i = patch_at(t, x->start + from); i < t->n && t->p[i].addr < x->start + x->len; i++)
		if (t->p[i].kind == PATCH_PAD)
			from = t->p[i].addr + t->p[i].len - x->start;
	return min_u64(from, x->len);
}

static void write_changes(struct mm *mm, struct text_patches *t, const struct text *x, const struct text_found *f)
{
	cleanup_free struct patch *p = calloc(3 * f->n + 1, sizeof(*p));
	/* What has been put there at run time stays: those who jump to it are not in this list. */
	struct changes c = { .p = p, .free = last_pad(t, x, free_bytes(x)) };

	if (!p)
		return;
	change_hits(mm, t, x, f, &c);
	for (size_t i = 0; i < c.n;)
		i += write_page(mm, x, p + i, c.n - i);
}

static int read_part(struct text *x, uint64_t from, uint64_t to)
{
	from = max_u64(from, x->start);
	to = min_u64(to, x->start + x->len);
	return from < to ? guest_read(x->code + (from - x->start), from, to - from) : 0;
}

/* Of a text that is known: what write_changes() looks at, which is around the places and behind the end. */
static int read_parts(const struct text_patches *t, struct text *x, const struct text_found *f)
{
	int rc;

	x->len = f->len;
	rc = read_part(x, x->start + text_end(x), x->start + x->len);
	for (size_t i = 0; i < f->n && rc == 0; i++) {
		uint64_t page = page_down(x->start + f->hit[i].off);

		rc = read_part(x, page - PAGE_SIZE_4K, page + 2 * PAGE_SIZE_4K);
	}
	take_back(t, x);
	return rc;
}

static void say(const struct mm *mm, const struct vma *v, const struct text_found *f)
{
	if (mm->proc->verbose && (f->n || f->unproven))
		fprintf(stderr, "sandrec: %s: %zu instructions that cannot be trapped were replaced; %zu places may be some\n",
			v->name ? v->name : "anonymous memory", f->n, f->unproven);
}

/* What the scan finds, with the bytes it is about; NULL: nothing, or no memory. */
static const struct text_found *find(struct text_patches *t, struct text *x, struct text_source *source, struct room *room)
{
	const struct text_found *f = text_cache_known(&t->cache, source);

	if (f && !f->n)
		return f;
	if (!f && !search(x->start + source->from, x->start + x->len, source->kinds)) {
		source->len = x->len;
		text_cache_clean(&t->cache, source);
		return NULL;
	}
	if (!room_make(room, x->len))
		return NULL;
	x->code = room->p;
	if (f && read_parts(t, x, f) == 0)
		return f;
	x->len = source->mapped;
	read_text(t, x);
	source->code = x->code;
	source->len = x->len;
	return x->len > source->from ? text_cache_scan(&t->cache, source) : NULL;
}

static void scan_range(struct mm *mm, const struct vma *v, uint64_t start, uint64_t end, int fd, uint64_t offset)
{
	struct text_patches *t = text_patches_of(mm);
	uint64_t before = min_u64(start - v->start, fd >= 0 ? min_u64(offset, CONTEXT) : CONTEXT);
	struct text x = { .start = start - before, .len = end - start + before, .fd = fd, .offset = offset - before };
	struct text_source source = {
		.from = before, .mapped = x.len, .kinds = vm_cpu(mm->vm)->patch, .fd = fd, .offset = x.offset,
	};
	cleanup_room struct room room = { 0 };
	const struct text_found *f;

	if (!t || x.len > SCAN_MAX)
		return;
	f = find(t, &x, &source, &room);
	if (!f)
		return;
	if (f->n)
		write_changes(mm, t, &x, f);
	say(mm, v, f);
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
