/* Shadows of memory the kernel writes. Contract: kernel_shared.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "syscall-emu/bpf_abi.h"
#include "syscall-emu/bpf_object.h"
#include "syscall-emu/fdtable.h"
#include "syscall-emu/kernel_window.h"
#include "syscall-emu/mm_int.h"
#include "trace/event.h"

#define WINDOW_MAX (1ULL << 30)
#define BPF_MAP_NAME "anon_inode:bpf-map"
#define PERF_NAME "anon_inode:[perf_event]"
#define RING_OVERWRITE (1u << 19) /* BPF_F_RB_OVERWRITE: another protocol */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

/* ---- words ---- */

/* The smallest aligned piece of a word that holds all bytes in which a and b differ: offset and size. */
static unsigned changed_part(uint64_t a, uint64_t b, unsigned *size)
{
	uint64_t diff = a ^ b;
	unsigned lo = (unsigned)__builtin_ctzll(diff) / 8, hi = 7 - (unsigned)__builtin_clzll(diff) / 8;

	for (*size = 1; lo / *size != hi / *size; *size *= 2)
		;
	return lo & ~(*size - 1);
}

static void store_part(char *to, uint64_t word, unsigned at, unsigned size)
{
	uint64_t v = word >> 8 * at;

	switch (size) {
	case 1:
		__atomic_store_n((uint8_t *)to + at, (uint8_t)v, __ATOMIC_RELEASE);
		return;
	case 2:
		__atomic_store_n((uint16_t *)(to + at), (uint16_t)v, __ATOMIC_RELEASE);
		return;
	case 4:
		__atomic_store_n((uint32_t *)(to + at), (uint32_t)v, __ATOMIC_RELEASE);
		return;
	default:
		__atomic_store_n((uint64_t *)to, word, __ATOMIC_RELEASE);
	}
}

/* ---- one piece of a mapping ---- */

void window_give(const struct window_piece *v, uint64_t at, const void *bytes, uint64_t len)
{
	uint64_t addr = v->addr + (at - v->at);

	if (mm_poke(v->task->proc->mm, addr, bytes, len) == 0)
		v->fn(v->arg, addr, len);
}

static uint64_t plain_end(const struct window_piece *v)
{
	uint64_t end = v->w->kind->plain(v->w);

	return min_u64(end, v->at + v->len);
}

/* From the end: who publishes a position stored it after what it is about, and before it in memory. */
static void push_piece(const struct window_piece *v)
{
	struct kernel_window *w = v->w;
	uint64_t end = plain_end(v);

	if (!v->writable || end <= v->at)
		return;
	for (uint64_t page = end & ~(PAGE_SIZE_4K - 1);; page -= PAGE_SIZE_4K) {
		uint64_t n = page < end ? min_u64(end - page, PAGE_SIZE_4K) : 0;
		const char *shadow = host_ptr(v->addr + (page - v->at));

		for (uint64_t i = n && memcmp(shadow, w->base + page, n) ? n : 0; i >= 8; i -= 8) {
			uint64_t now = window_load(shadow + i - 8), was, size_at;
			unsigned part, size;

			memcpy(&was, w->base + page + i - 8, sizeof(was));
			if (now == was)
				continue;
			size_at = page + i - 8;
			part = changed_part(now, was, &size);
			store_part(w->real + size_at, now, part, size);
			memcpy(w->base + size_at, &now, sizeof(now));
		}
		if (page <= v->at)
			return;
	}
}

#define PULL_RUN 512 /* bytes given at once */

struct run {
	uint64_t at, len;
	char bytes[PULL_RUN];
};

static void flush_run(const struct window_piece *v, struct run *r)
{
	if (r->len)
		window_give(v, r->at, r->bytes, r->len);
	r->len = 0;
}

static void add_to_run(const struct window_piece *v, struct run *r, uint64_t at, const char *bytes, unsigned n)
{
	if (r->at + r->len != at || r->len + n > sizeof(r->bytes))
		flush_run(v, r);
	if (!r->len)
		r->at = at;
	memcpy(r->bytes + r->len, bytes, n);
	r->len += n;
}

static uint64_t kernel_word(const struct kernel_window *w, uint64_t at)
{
	uint64_t now = window_load(w->real + at);

	return w->kind->shown ? w->kind->shown(w, w->offset + at, now) : now;
}

/* The kernel's word: all of it is given, but for what somebody has just written to the shadow beside what has changed. */
static void pull_word(const struct window_piece *v, struct run *r, uint64_t at)
{
	struct kernel_window *w = v->w;
	uint64_t now = kernel_word(w, at), was, seen = window_load(host_ptr(v->addr + (at - v->at)));
	unsigned part = 0, size = sizeof(now);

	memcpy(&was, w->base + at, sizeof(was));
	if (now == was)
		return;
	if (seen != was)
		part = changed_part(now, was, &size);
	memcpy(w->base + at, &now, sizeof(now));
	add_to_run(v, r, at + part, (const char *)&now + part, size);
}

static void pull_plain(const struct window_piece *v)
{
	struct kernel_window *w = v->w;
	uint64_t end = plain_end(v);
	struct run r = { 0 };

	for (uint64_t page = v->at; page < end; page += PAGE_SIZE_4K) {
		uint64_t n = min_u64(end - page, PAGE_SIZE_4K);

		if (!w->kind->shown && !memcmp(w->real + page, w->base + page, n))
			continue;
		for (uint64_t i = 0; i < n; i += 8)
			pull_word(v, &r, page + i);
	}
	flush_run(v, &r);
}

static void pull_piece(const struct window_piece *v)
{
	if (v->w->kind->pull)
		v->w->kind->pull(v);
	pull_plain(v);
}

/* ---- all mappings ---- */

static struct kernel_window *find(const struct kernel_shared *s, int id)
{
	struct kernel_window *w = s->first;

	while (w && w->id != id)
		w = w->next;
	return w;
}

static void each_piece(struct task *t, void (*fn)(const struct window_piece *v), kernel_shared_fn *told, void *arg)
{
	const struct mm *mm = t->proc->mm;

	for (size_t i = 0; i < mm->n; i++) {
		const struct vma *v = mm->v[i];
		struct kernel_window *w = v->kernel ? find(t->proc->shared, v->kernel) : NULL;

		if (!w)
			continue;
		w->used = true;
		if (v->prot) /* else nobody looks at it until it can be seen again */
			fn(&(struct window_piece){ t, w, v->offset, v->end - v->start, v->start,
						   w->writable && v->prot & PROT_WRITE, told, arg });
	}
}

void kernel_shared_push(struct task *t)
{
	if (t->proc->shared && t->proc->shared->first)
		each_piece(t, push_piece, NULL, NULL);
}

static void drop_unused(struct kernel_shared *s)
{
	for (struct kernel_window **p = &s->first; *p;) {
		struct kernel_window *w = *p;

		if (w->used) {
			p = &w->next;
			continue;
		}
		*p = w->next;
		kernel_shared_drop(w);
	}
}

static void pull(struct task *t, kernel_shared_fn *fn, void *arg)
{
	struct kernel_shared *s = t->proc->shared;

	for (struct kernel_window *w = s->first; w; w = w->next)
		w->used = false;
	each_piece(t, pull_piece, fn, arg);
	drop_unused(s);
	for (struct kernel_window *w = s->first; w; w = w->next)
		if (w->kind->pulled)
			w->kind->pulled(w);
	s->pulled_ns = now_ns();
}

static void add_piece(void *arg, uint64_t addr, uint64_t len)
{
	if (plan_add(arg, addr, len, DATA_MEMORY, NULL) < 0) {
		fprintf(stderr, "sandrec: not enough memory to log what the kernel wrote\n");
		abort();
	}
}

void kernel_shared_pull(struct task *t, struct plan *p)
{
	if (t->proc->shared && t->proc->shared->first)
		pull(t, add_piece, p);
}

struct told {
	kernel_shared_fn *fn;
	void *arg;
	unsigned n;
};

static void count_and_tell(void *arg, uint64_t addr, uint64_t len)
{
	struct told *c = arg;

	c->n++;
	c->fn(c->arg, addr, len);
}

unsigned kernel_shared_refresh(struct task *t, kernel_shared_fn *fn, void *arg)
{
	struct told c = { fn, arg, 0 };

	if (!t->proc->shared || !t->proc->shared->first)
		return 0;
	each_piece(t, push_piece, NULL, NULL);
	pull(t, count_and_tell, &c);
	return c.n;
}

static bool window_news(const struct kernel_window *w)
{
	uint64_t end = min_u64(w->kind->plain(w), w->len), was;

	if (w->kind->news && w->kind->news(w))
		return true;
	if (!w->kind->shown)
		return memcmp(w->real, w->base, end) != 0;
	for (uint64_t at = 0; at < end; at += sizeof(was)) {
		memcpy(&was, w->base + at, sizeof(was));
		if (kernel_word(w, at) != was)
			return true;
	}
	return false;
}

bool kernel_shared_news(const struct process *p)
{
	for (const struct kernel_window *w = p->shared ? p->shared->first : NULL; w; w = w->next)
		if (window_news(w))
			return true;
	return false;
}

uint64_t kernel_shared_age(const struct process *p)
{
	return p->shared && p->shared->first ? now_ns() - p->shared->pulled_ns + 1 : 0;
}

/* ---- making and ending ---- */

bool kernel_shared_is_kind(const struct fdtable *f, int fd, char *path, size_t size)
{
	char name[40];
	ssize_t n;

	if (!f || f->proc_root < 0)
		return false;
	snprintf(name, sizeof(name), "thread-self/fd/%d", fd);
	n = readlinkat(f->proc_root, name, path, size - 1);
	path[n < 0 ? 0 : n] = '\0';
	return !strcmp(path, BPF_MAP_NAME) || !strcmp(path, PERF_NAME);
}

bool kernel_shared_not_inherited(const struct vma *v)
{
	return v->kernel && v->name && !strcmp(v->name, PERF_NAME);
}

static int identify(struct task *t, struct kernel_window *w, int fd)
{
	struct bpf_object o;
	char path[64];

	w->kind = &window_plain;
	if (!kernel_shared_is_kind(t->proc->fds, fd, path, sizeof(path)))
		return -ENODEV;
	if (!strcmp(path, PERF_NAME))
		return window_perf_ring_open(w);
	if (bpf_object_ask(t->proc->sess, t, fd, &o) < 0)
		return -ENODEV;
	return o.type == BPFMAP_RINGBUF && !(o.map_flags & RING_OVERWRITE) ? window_bpf_ring_open(w, fd, o.max_entries) : 0;
}

/* Programs and the guest follow the same pointers in it: a shadow at another address cannot stand for it. */
static bool is_arena(struct task *t, int fd)
{
	struct bpf_object o;
	char path[64];

	return kernel_shared_is_kind(t->proc->fds, fd, path, sizeof(path)) && !strcmp(path, BPF_MAP_NAME) &&
	       bpf_object_ask(t->proc->sess, t, fd, &o) == 0 && o.type == BPFMAP_ARENA;
}

int kernel_shared_open(struct task *t, int fd, int prot, int flags, uint64_t offset, uint64_t len, struct kernel_window **out)
{
	struct kernel_window *w;
	int rc;

	if (!len)
		return -EINVAL;
	if (len > WINDOW_MAX)
		return -ENOMEM;
	if (is_arena(t, fd))
		return -EOPNOTSUPP;
	if (!t->proc->shared)
		t->proc->shared = calloc(1, sizeof(*t->proc->shared));
	w = t->proc->shared ? calloc(1, sizeof(*w)) : NULL;
	if (!w)
		return -ENOMEM;
	*w = (struct kernel_window){ .id = ++t->proc->shared->last_id, .len = page_up(len), .offset = offset,
				      .writable = prot & PROT_WRITE };
	w->real = mmap(NULL, w->len, prot | PROT_READ, flags & MAP_TYPE, fd, (off_t)offset);
	if (w->real == MAP_FAILED) {
		rc = -errno;
		free(w);
		return rc;
	}
	rc = identify(t, w, fd);
	if (rc == 0) {
		w->base = mmap(NULL, w->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (w->base == MAP_FAILED) {
			w->base = NULL;
			rc = -ENOMEM;
		}
	}
	if (rc < 0) {
		kernel_shared_drop(w);
		return rc;
	}
	*out = w;
	return 0;
}

void kernel_shared_drop(struct kernel_window *w)
{
	if (!w)
		return;
	munmap(w->real, w->len);
	if (w->base)
		munmap(w->base, w->len);
	if (w->head_len)
		munmap((void *)(uintptr_t)w->head, w->head_len);
	free(w);
}

int kernel_shared_id(const struct kernel_window *w)
{
	return w->id;
}

void kernel_shared_attach(struct task *t, struct plan *p, struct kernel_window *w, uint64_t addr)
{
	struct kernel_shared *s = t->proc->shared;
	struct window_piece whole = { t, w, 0, w->len, addr, false, add_piece, p };
	static const char zeros[PAGE_SIZE_4K];

	w->next = s->first;
	s->first = w;
	s->pulled_ns = now_ns();
	/* Content from before: behind the plain part nothing tells what is old, so all of it comes. */
	for (uint64_t at = w->kind->plain(w); at < w->len; at += sizeof(zeros))
		if (memcmp(w->real + at, zeros, sizeof(zeros)))
			window_give(&whole, at, w->real + at, sizeof(zeros));
	pull_piece(&whole);
	if (w->kind->pulled)
		w->kind->pulled(w);
}

void kernel_shared_forget(struct process *p, int id)
{
	for (struct kernel_window **at = p->shared ? &p->shared->first : NULL; at && *at; at = &(*at)->next) {
		struct kernel_window *w = *at;

		if (w->id != id)
			continue;
		*at = w->next;
		munmap(w->base, w->len);
		free(w);
		return;
	}
}

/* ---- memory without a protocol ---- */

static uint64_t all_of_it(const struct kernel_window *w)
{
	return w->len;
}

const struct window_kind window_plain = { .name = "memory", .plain = all_of_it };
