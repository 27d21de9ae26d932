/* The plan engine: from a row to regions, and from a result to what was written. Contract: plan.h. */
#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "syscall-emu/at_once.h"
#include "syscall-emu/forward.h"
#include "syscall-emu/mm_join.h"
#include "syscall-emu/plan.h"
#include "syscall-emu/plan_len.h"
#include "syscall-emu/plan_scratch.h"
#include "syscall-emu/session.h"
#include "syscall-emu/task.h"
#include "vmm/layout.h"

#define ARENA_SIZE (64u << 20)  /* parents, the annex and what handlers add: address space, filled when used */
#define ARENA_KEEP (1u << 20)   /* more than this is given back before the next call */
#define ARENA_ALIGN 16u
#define SHORT_OBJECT_PAD 256u   /* zeros behind a parent object: one that the guest cut short reads as zero-extended */
#define STRING_MAX 4096u        /* PATH_MAX; names of attributes, queues and file systems are shorter */

static const struct sys_mem string_mem = { .dir = MEM_IN, .cap = CSTR(STRING_MAX) };

int plan_init(struct plan *p)
{
	void *regions, *arena;

	memset(p, 0, sizeof(*p));
	regions = mmap(NULL, PLAN_REGIONS_MAX * sizeof(*p->region), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (regions == MAP_FAILED)
		return -errno;
	arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED) {
		int rc = -errno;

		munmap(regions, PLAN_REGIONS_MAX * sizeof(*p->region));
		return rc;
	}
	p->region = regions;
	p->regions_cap = PLAN_REGIONS_MAX;
	p->arena = arena;
	return 0;
}

void plan_release(struct plan *p)
{
	if (p->region)
		munmap(p->region, PLAN_REGIONS_MAX * sizeof(*p->region));
	if (p->arena)
		munmap(p->arena, ARENA_SIZE);
	if (p->big)
		munmap(p->big, p->big_len);
	free(p->extra);
	memset(p, 0, sizeof(*p));
}

static void *arena_take(struct plan *p, uint64_t len, uint64_t limit)
{
	void *v;

	if (p->arena_used > limit || len > limit - p->arena_used)
		return NULL;
	v = p->arena + p->arena_used;
	p->arena_used += (uint32_t)((len + ARENA_ALIGN - 1) & ~(uint64_t)(ARENA_ALIGN - 1));
	return v;
}

/* What handlers add goes to the arena too: scratch memory leaves it half. One piece may be larger. */
void *plan_scratch_memory(struct plan *p, uint64_t len)
{
	void *v = arena_take(p, len, ARENA_SIZE / 2);

	if (v || p->big)
		return v;
	v = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (v == MAP_FAILED)
		return NULL;
	p->big = v;
	p->big_len = len;
	return v;
}

static struct plan_region *new_region(struct plan *p, const struct sys_mem *m, uint64_t addr, uint64_t cap,
				      uint64_t parent, uint64_t slot)
{
	struct plan_region *r;

	if (p->nregions >= p->regions_cap)
		return NULL;
	r = &p->region[p->nregions++];
	*r = (struct plan_region){ .mem = m, .addr = addr, .cap = cap, .parent = parent, .slot = slot };
	return r;
}

/*
 * The kernel looks at a string up to its end, which is the guest's to place. Where that could be VMM memory it gets our
 * copy; a string that cannot be read is Linux's to refuse.
 */
static int build_string(struct plan *p, struct task *t, const struct sys_mem *m, uint64_t addr, uint64_t parent,
			uint64_t slot)
{
	uint64_t max = m->cap.scale;
	bool window = mm_range_ok(t->proc->mm, addr, max);
	int64_t len;
	struct plan_region *r;

	if (!mm_range_ok(t->proc->mm, addr, 1))
		return -EFAULT;
	len = guest_strnlen(addr, max);
	if (!window && (len < 0 || (uint64_t)len == max))
		return -EFAULT;
	if (len >= 0)
		len = (uint64_t)len < max ? len + 1 : (int64_t)max;
	r = new_region(p, m, addr, len < 0 ? 0 : (uint64_t)len, parent, slot);
	if (!r)
		return -ENOBUFS;
	if (window)
		return 0;
	r->copy = arena_take(p, r->cap, PLAN_COPY_MAX);
	if (!r->copy)
		return -ENOBUFS;
	return guest_read(r->copy, addr, r->cap);
}

/* Arguments whose content is a length for another region of the row. */
static bool length_of_other(const struct plan *p, const struct sys_mem *m)
{
	for (const struct sys_mem *o = p->desc->mem; o->dir; o++)
		if ((o->cap.op == LEN_DEREF && o->cap.arg == m->arg) || (o->got.op == LEN_DEREF && o->got.arg == m->arg))
			return true;
	return false;
}

static int copy_object(struct plan *p, struct plan_region *r)
{
	uint64_t pad = r->mem->flags & MEM_ARRAY ? 0 : SHORT_OBJECT_PAD;
	char *copy;

	if (r->cap > PLAN_COPY_MAX)
		return -ENOBUFS;
	copy = arena_take(p, r->cap + pad, PLAN_COPY_MAX);
	if (!copy)
		return -ENOBUFS;
	r->copy = copy;
	memset(copy + r->cap, 0, pad);
	if (!(r->mem->dir & MEM_IN)) {
		memset(copy, 0, r->cap);
		return 0;
	}
	if (guest_read(copy, r->addr, r->cap) < 0) {
		*r = (struct plan_region){ .mem = r->mem, .addr = r->addr, .parent = r->parent, .slot = r->slot };
		return -EFAULT;
	}
	return 0;
}

static int build_mem(struct plan *p, struct task *t, const struct sys_mem *m, uint64_t addr, uint64_t parent,
		     uint64_t object, uint64_t slot);

/* No pointer this time, as a capacity says. */
static bool absent(struct plan *p, struct task *t, const struct sys_mem *m, uint64_t addr, uint64_t parent,
		   uint64_t object)
{
	return m->cap.op == LEN_FN && len_eval(&m->cap, &(struct len_ctx){ t, p, m, addr, parent, object, 0 }) == LEN_ABSENT;
}

static int build_children(struct plan *p, struct task *t, uint64_t parent)
{
	const struct plan_region *r = &p->region[parent];
	const struct sys_mem *m = r->mem;
	uint64_t n = m->flags & MEM_ARRAY ? r->cap / m->elem : 1;

	for (uint64_t i = 0; i < n; i++) {
		uint64_t object = i * m->elem;

		for (const struct sys_mem *c = m->sub; c->dir; c++) {
			uint64_t slot = object + c->off, addr;
			int rc;

			if (slot >= r->cap || (slot + sizeof(addr) > r->cap && m->flags & MEM_ARRAY))
				continue;
			memcpy(&addr, (char *)r->copy + slot, sizeof(addr)); /* zeros follow what was cut short */
			if (slot + sizeof(addr) > r->cap && addr && !absent(p, t, c, addr, parent, object))
				return -EFAULT; /* half a pointer */
			rc = build_mem(p, t, c, addr, parent, object, slot);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

static int build_mem(struct plan *p, struct task *t, const struct sys_mem *m, uint64_t addr, uint64_t parent,
		     uint64_t object, uint64_t slot)
{
	struct plan_region *r;
	int64_t cap;
	int rc;

	if (!addr)
		return 0;
	if (m->cap.op == LEN_CSTR && m->dir == MEM_IN)
		return build_string(p, t, m, addr, parent, slot);
	cap = len_eval(&m->cap, &(struct len_ctx){ t, p, m, addr, parent, object, 0 });
	if (cap < 0)
		return cap == LEN_ABSENT ? 0 : (int)cap;
	if (!mm_range_ok(t->proc->mm, addr, cap ? (uint64_t)cap : 1))
		return -EFAULT;
	r = new_region(p, m, addr, (uint64_t)cap, parent, slot);
	if (!r)
		return -ENOBUFS;
	if (!cap || (!m->sub && !(m->flags & MEM_COPY) && (parent != NO_PARENT || !length_of_other(p, m))))
		return 0;
	rc = copy_object(p, r);
	if (rc < 0 || !m->sub)
		return rc;
	return build_children(p, t, (uint64_t)(r - p->region));
}

static int build_argument(struct plan *p, struct task *t, const struct sys_mem *m)
{
	uint32_t at = p->nregions;
	int rc = build_mem(p, t, m, p->arg[m->arg], NO_PARENT, 0, 0);

	if (!rc && p->nregions > at && p->region[at].copy)
		p->host_arg[m->arg] = (uint64_t)(uintptr_t)p->region[at].copy;
	return rc;
}

static bool named_by_row(const struct sys_desc *d, unsigned arg)
{
	for (const struct sys_mem *m = d->mem; m && m->dir; m++)
		if (m->arg == arg)
			return true;
	return false;
}

static int build_strings(struct plan *p, struct task *t)
{
	const struct sys_desc *d = p->desc;
	int rc;

	for (unsigned i = 0; i < d->nargs; i++) {
		uint32_t at = p->nregions;

		if ((d->arg[i] != A_PATH && d->arg[i] != A_STR) || !p->arg[i] || named_by_row(d, i))
			continue;
		rc = build_string(p, t, &string_mem, p->arg[i], NO_PARENT, 0);
		if (rc < 0)
			return rc;
		if (p->region[at].copy)
			p->host_arg[i] = (uint64_t)(uintptr_t)p->region[at].copy;
	}
	return 0;
}

static void reset(struct plan *p, const struct sys_desc *d, uint64_t nr, const uint64_t args[6])
{
	if (p->arena_used > ARENA_KEEP)
		madvise(p->arena, ARENA_SIZE, MADV_DONTNEED);
	if (p->big)
		munmap(p->big, p->big_len);
	p->big = NULL;
	p->desc = d;
	p->nr = (uint32_t)nr;
	memcpy(p->arg, args, sizeof(p->arg));
	memcpy(p->host_arg, args, sizeof(p->host_arg));
	p->nregions = p->nextra = p->arena_used = p->annex_len = 0;
	p->annex = NULL;
	p->ev_flags = 0;
	p->recorded = 0;
	p->early = 0;
}

int plan_build(struct plan *p, struct task *t, const struct sys_desc *d, uint64_t nr, const uint64_t args[6])
{
	int rc;

	reset(p, d, nr, args);
	guest_mem_bind(t->proc->mm);
	if (!d || d->refuse)
		return 0;
	rc = build_strings(p, t);
	if (rc < 0 || !d->mem)
		return rc;
	/* Lengths first: what they say is needed for the others. */
	for (int lengths = 1; lengths >= 0; lengths--)
		for (const struct sys_mem *m = d->mem; m->dir; m++) {
			if (length_of_other(p, m) != lengths)
				continue;
			rc = build_argument(p, t, m);
			if (rc < 0)
				return rc;
		}
	return 0;
}

/* Between calls copies hold the guest's pointers; only while Linux looks at them do they hold ours. */
static void set_pointers(struct plan *p, bool ours)
{
	for (uint32_t i = 0; i < p->nregions; i++) {
		struct plan_region *r = &p->region[i];
		uint64_t v = ours ? (uint64_t)(uintptr_t)r->copy : r->addr;

		if (r->copy && r->parent != NO_PARENT)
			memcpy((char *)p->region[r->parent].copy + r->slot, &v, sizeof(v));
	}
}

int64_t plan_forward(struct plan *p, struct task *t)
{
	struct session *s = t->proc->sess;
	bool waits = task_not_alone(t) && (!t->served || s->ops->contended(s, t)) && plan_may_block(p);
	int64_t ret;

	if (waits && t->served)
		return SYS_ERESTARTSYS;
	if (waits)
		plan_scratch(p, t);
	set_pointers(p, true);
	/* Another host address space waits for the same word. */
	if (p->nr == SYS_futex && mm_joined(t->proc->mm))
		p->host_arg[1] &= ~(uint64_t)FUTEX_PRIVATE_FLAG;
	if (waits)
		s->ops->blocks(s, t);
	ret = t->served ? at_once_forward(p, t) : forward_syscall_checked(p->nr, p->host_arg, &t->pending);
	if (waits)
		s->ops->unblocks(s, t);
	set_pointers(p, false);
	if (waits)
		plan_unscratch(p, t, ret);
	return ret;
}

/* The object a region's pointer is in: the array element, or the whole parent. */
static uint64_t object_of(const struct plan *p, const struct plan_region *r)
{
	const struct sys_mem *pm;

	if (r->parent == NO_PARENT)
		return 0;
	pm = p->region[r->parent].mem;
	return pm->flags & MEM_ARRAY ? r->slot / pm->elem * pm->elem : 0;
}

static uint64_t evaluate_got(const struct plan *p, struct task *t, const struct plan_region *r, int64_t ret)
{
	const struct sys_mem *m = r->mem;
	int64_t got = (int64_t)r->cap;

	if (m->got.op != LEN_NONE)
		got = len_eval(&m->got, &(struct len_ctx){ t, p, m, r->addr, r->parent, object_of(p, r), ret });
	return got < 0 ? 0 : (uint64_t)got;
}

/*
 * What a row says was written can be more than there is (wait4's status when no child had ended, select's sets, which
 * the kernel cuts to the descriptor table): what follows is for readers that do not expect a fault.
 */
static uint64_t readable(uint64_t addr, uint64_t len)
{
	char byte;

	for (uint64_t next = addr; next < addr + len; next = (next | (PAGE_SIZE_4K - 1)) + 1)
		if (guest_read(&byte, next, 1) < 0)
			return next - addr;
	return len;
}

/* How much of r the call has used: written for OUT, taken for IN. Parents come before their children. */
static void settle(struct plan *p, struct task *t, struct plan_region *r, int64_t ret)
{
	struct plan_region *parent = r->parent == NO_PARENT ? NULL : &p->region[r->parent];
	uint64_t got;

	r->got = r->left = 0;
	if (is_error(ret) && !(r->mem->flags & MEM_ON_ERROR))
		return;
	/* An element that the call did not reach has had nothing written through it. */
	if (parent && (parent->mem->dir & MEM_OUT) && (parent->mem->flags & MEM_ARRAY) && r->slot >= parent->got)
		return;
	got = evaluate_got(p, t, r, ret);
	if (r->mem->flags & MEM_BUDGET) {
		r->left = got;
		r->got = r->mem->dir & MEM_OUT ? r->cap : 0;
		return;
	}
	r->got = got < r->cap ? got : r->cap;
	if (!r->copy && (r->mem->dir & MEM_OUT))
		r->got = readable(r->addr, r->got);
	if (parent && (parent->mem->flags & MEM_BUDGET)) {
		if (r->got > parent->left)
			r->got = parent->left;
		parent->left -= r->got;
	}
}

void plan_settle(struct plan *p, struct task *t, int64_t ret)
{
	for (uint32_t i = 0; i < p->nregions; i++)
		settle(p, t, &p->region[i], ret);
}

int64_t plan_finish(struct plan *p, struct task *t, int64_t ret)
{
	bool fault = false;

	plan_settle(p, t, ret);
	for (uint32_t i = 0; i < p->nregions; i++) {
		struct plan_region *r = &p->region[i];

		if (!r->copy || !(r->mem->dir & MEM_OUT) || !r->got)
			continue;
		if (guest_write(r->addr, r->copy, r->got) < 0) {
			r->got = 0;
			fault = true;
		}
	}
	return fault && !is_error(ret) ? -EFAULT : ret;
}

int plan_add(struct plan *p, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes)
{
	if (p->nextra == p->extra_cap) {
		uint32_t n = p->extra_cap ? 2 * p->extra_cap : 16;
		void *v = reallocarray(p->extra, n, sizeof(*p->extra));

		if (!v)
			return -ENOMEM;
		p->extra = v;
		p->extra_cap = n;
	}
	if (bytes && len) {
		void *copy = arena_take(p, len, ARENA_SIZE);

		if (!copy)
			return -ENOBUFS;
		bytes = memcpy(copy, bytes, len);
	}
	p->extra[p->nextra].addr = addr;
	p->extra[p->nextra].len = len;
	p->extra[p->nextra].kind = kind;
	p->extra[p->nextra++].bytes = bytes;
	return 0;
}

void plan_set_annex(struct plan *p, const void *bytes, uint32_t len)
{
	void *copy = arena_take(p, len, ARENA_SIZE);

	if (!copy) {
		fprintf(stderr, "sandrec: internal error: an annex of %u bytes does not fit\n", len);
		abort();
	}
	p->annex = memcpy(copy, bytes, len);
	p->annex_len = len;
}

struct merge {
	int (*fn)(void *arg, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes);
	void *arg;
	uint64_t addr, len;
	uint32_t kind;
	const void *bytes;
};

static int merge_flush(struct merge *g)
{
	uint64_t len = g->len;

	g->len = 0;
	return len ? g->fn(g->arg, g->addr, len, g->kind, g->bytes) : 0;
}

static int merge_piece(struct merge *g, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes)
{
	int rc;

	if (!len)
		return 0;
	if (g->len && !g->bytes && !bytes && g->kind == kind && g->addr + g->len == addr) {
		g->len += len;
		return 0;
	}
	rc = merge_flush(g);
	g->addr = addr;
	g->len = len;
	g->kind = kind;
	g->bytes = bytes;
	return rc;
}

int plan_written(const struct plan *p, int (*fn)(void *arg, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes),
		 void *arg)
{
	struct merge g = { .fn = fn, .arg = arg };
	int rc = 0;

	for (uint32_t i = 0; i < p->nregions && !rc; i++)
		if (p->region[i].mem->dir & MEM_OUT)
			rc = merge_piece(&g, p->region[i].addr, p->region[i].got, 0, NULL);
	for (uint32_t i = 0; i < p->nextra && !rc; i++)
		rc = merge_piece(&g, p->extra[i].addr, p->extra[i].len, p->extra[i].kind, p->extra[i].bytes);
	return rc ? rc : merge_flush(&g);
}

int plan_sent(const struct plan *p, int64_t ret, int (*fn)(void *arg, const void *bytes, uint64_t len), void *arg)
{
	uint64_t left = ret > 0 ? (uint64_t)ret : 0;
	int rc = 0;

	for (uint32_t i = 0; i < p->nregions && left && !rc; i++) {
		const struct plan_region *r = &p->region[i];
		bool piece = r->parent != NO_PARENT && (p->region[r->parent].mem->flags & MEM_BUDGET);
		uint64_t len = r->cap < left ? r->cap : left;

		if (r->mem->dir != MEM_IN || !len || r->copy || !(piece || r->mem->got.op != LEN_NONE))
			continue;
		rc = fn(arg, (const void *)(uintptr_t)r->addr, len);
		left -= len;
	}
	return rc;
}
