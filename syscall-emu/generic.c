/*
 * A call that no row describes. It is forwarded with its arguments checked as if each were a pointer, and the guest's
 * writable memory is fingerprinted before and after: the changed pages are what the call wrote. Slow, never wrong.
 * Contract: session.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xxhash.h>

#include "syscall-emu/mm.h"
#include "trace/event.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"
#include "vmm/layout.h"

#define VMM_TOP (1ULL << 47)         /* the end of user addresses with four page-table levels */
#define X32_BIT 0x40000000u          /* a kernel with the x32 ABI would take these for other calls than their rows */
#define PAGEMAP_BATCH 512u
#define PM_PRESENT_OR_SWAPPED (3ULL << 62)

struct page_print { uint64_t addr, hash; };

struct prints {
	struct page_print *v;
	size_t n, cap;
};

static bool names_vmm(const struct task *t, uint64_t v)
{
	if (v >= GUEST_TOP)
		return v < VMM_TOP;
	return v >= GUEST_MIN && !mm_range_ok(t->proc->mm, v, 1);
}

static int prints_add(struct prints *ps, uint64_t addr, uint64_t hash)
{
	if (ps->n == ps->cap) {
		size_t n = ps->cap ? 2 * ps->cap : 4096;
		void *v = reallocarray(ps->v, n, sizeof(*ps->v));

		if (!v)
			return -ENOMEM;
		ps->v = v;
		ps->cap = n;
	}
	ps->v[ps->n++] = (struct page_print){ addr, hash };
	return 0;
}

typedef int page_fn(void *arg, uint64_t addr, const void *page);

/* A page never touched has no content to change; without /proc every page is looked at. */
static int walk_batch(int pagemap, uint64_t addr, size_t pages, page_fn *fn, void *arg)
{
	static _Thread_local char page[PAGE_SIZE_4K];
	uint64_t entry[PAGEMAP_BATCH];
	ssize_t got = pagemap < 0 ? -1 : pread(pagemap, entry, pages * 8, (off_t)(addr / PAGE_SIZE_4K * 8));

	for (size_t i = 0; i < pages; i++) {
		uint64_t at = addr + i * PAGE_SIZE_4K;
		int rc;

		if (got >= (ssize_t)((i + 1) * 8) && !(entry[i] & PM_PRESENT_OR_SWAPPED))
			continue;
		if (guest_read(page, at, sizeof(page)) < 0)
			continue;
		rc = fn(arg, at, page);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int walk_pages(const struct mm *mm, page_fn *fn, void *arg)
{
	cleanup_close int pagemap = proc_self_open("pagemap", O_RDONLY);
	const struct vma *v = NULL;

	while ((v = mm_next(mm, v))) {
		if (!(v->prot & PROT_WRITE))
			continue;
		for (uint64_t a = v->start; a < v->end;) {
			size_t pages = (v->end - a) / PAGE_SIZE_4K;
			int rc;

			if (pages > PAGEMAP_BATCH)
				pages = PAGEMAP_BATCH;
			rc = walk_batch(pagemap, a, pages, fn, arg);
			if (rc < 0)
				return rc;
			a += pages * PAGE_SIZE_4K;
		}
	}
	return 0;
}

static int take_print(void *arg, uint64_t addr, const void *page)
{
	return prints_add(arg, addr, XXH3_64bits(page, PAGE_SIZE_4K));
}

struct comparison {
	const struct prints *before;
	size_t at; /* both walks go in address order */
	uint64_t zero;
	const struct mm *mm;
	struct plan *plan;
};

static int compare_print(void *arg, uint64_t addr, const void *page)
{
	struct comparison *c = arg;
	uint64_t was = c->zero, now = XXH3_64bits(page, PAGE_SIZE_4K);

	while (c->at < c->before->n && c->before->v[c->at].addr < addr)
		c->at++;
	if (c->at < c->before->n && c->before->v[c->at].addr == addr)
		was = c->before->v[c->at].hash;
	else if (!(mm_find(c->mm, addr)->flags & MAP_ANONYMOUS))
		was = ~now; /* a page of a file, not looked at before: what it was is not known */
	return was == now ? 0 : plan_add(c->plan, addr, PAGE_SIZE_4K, DATA_MEMORY, NULL);
}

int64_t syscall_generic(struct task *t, struct plan *p)
{
	static const char zeros[PAGE_SIZE_4K];
	struct prints before = { 0 };
	struct comparison c = { .before = &before, .zero = XXH3_64bits(zeros, sizeof(zeros)),
				.mm = t->proc->mm, .plan = p };
	int64_t ret;
	int rc;

	if (p->nr & X32_BIT)
		return -ENOSYS;
	for (unsigned i = 0; i < 6; i++)
		if (names_vmm(t, p->arg[i]))
			return -EFAULT;
	rc = walk_pages(t->proc->mm, take_print, &before);
	if (rc < 0) {
		free(before.v);
		return rc;
	}
	ret = plan_forward(p, t);
	/* Even a failed call may have written; a restarted one has too, and does so again. */
	rc = walk_pages(t->proc->mm, compare_print, &c);
	free(before.v);
	if (rc < 0) {
		fprintf(stderr, "sandrec: system call %llu: not enough memory to log what it wrote\n",
			(unsigned long long)p->nr);
		abort();
	}
	return ret;
}
