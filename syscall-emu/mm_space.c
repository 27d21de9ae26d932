/* Where new mappings go: top-down first fit like Linux without randomisation. Contract: mm_int.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/mm_int.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"

#define LOW_START 0x40000000ULL /* MAP_32BIT */
#define LOW_END 0x80000000ULL
#define BOTTOM_UP_START page_up(GUEST_TOP / 3)

uint64_t mm_guard_start(const struct vma *v)
{
	if (!(v->flags & MAP_GROWSDOWN))
		return v->start;
	return v->start > STACK_GUARD_GAP ? v->start - STACK_GUARD_GAP : 0;
}

static int add_hole(struct mm *mm, uint64_t start, uint64_t end)
{
	struct mm_range *h;

	if (mm->nholes && mm->hole[mm->nholes - 1].end == start) {
		mm->hole[mm->nholes - 1].end = end;
		return 0;
	}
	h = reallocarray(mm->hole, mm->nholes + 1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	mm->hole = h;
	mm->hole[mm->nholes++] = (struct mm_range){ start, end };
	return 0;
}

/* The program break would grow into the guest's memory: with a page in its way malloc takes mmap instead. */
static uint64_t fence_heap(uint64_t end)
{
	void *p = mmap(host_ptr(end), PAGE_SIZE_4K, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		       0);

	return p == host_ptr(end) ? end + PAGE_SIZE_4K : end;
}

int space_find_holes(struct mm *mm)
{
	cleanup_fclose FILE *in = proc_self_fopen("maps");
	cleanup_free char *line = NULL;
	size_t size = 0;
	int rc = 0;

	if (!in)
		return -errno;
	while (rc == 0 && getline(&line, &size, in) > 0) {
		uint64_t start, end;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2 || start >= GUEST_TOP)
			continue;
		if (strstr(line, "[heap]"))
			end = fence_heap(end);
		rc = add_hole(mm, start, end);
	}
	return rc;
}

/* The highest hole that overlaps the range, or NULL. */
static const struct mm_range *hole_in(const struct mm *mm, uint64_t start, uint64_t end)
{
	for (size_t i = mm->nholes; i-- > 0;)
		if (mm->hole[i].start < end && mm->hole[i].end > start)
			return &mm->hole[i];
	return NULL;
}

bool space_hole(const struct mm *mm, uint64_t start, uint64_t end)
{
	return hole_in(mm, start, end);
}

int mm_range_ok(const struct mm *mm, uint64_t addr, uint64_t len)
{
	return guest_range_ok(addr, len) && !hole_in(mm, addr, addr + len);
}

bool space_free(const struct mm *mm, uint64_t start, uint64_t end)
{
	size_t i = set_at(mm, start);

	return (i >= mm->n || mm_guard_start(mm->v[i]) >= end) && !hole_in(mm, start, end);
}

static uint64_t fit_top(const struct mm *mm, uint64_t lo, uint64_t hi, uint64_t len, uint64_t align)
{
	while (hi > lo && hi - lo >= len) {
		uint64_t at = (hi - len) & ~(align - 1);
		const struct mm_range *h;

		if (at < lo)
			return 0;
		h = hole_in(mm, at, at + len);
		if (!h)
			return at;
		hi = h->start;
	}
	return 0;
}

/* Gaps from `top` downwards; *skipped becomes the longest that was too short. */
static uint64_t search_down(const struct mm *mm, uint64_t top, uint64_t len, uint64_t align, uint64_t *skipped)
{
	size_t i = set_at(mm, top - 1);

	/* The mapping at or above top may keep a guard gap below itself. */
	if (i < mm->n)
		top = min_u64(top, mm_guard_start(mm->v[i]));
	for (;; i--) {
		uint64_t lo = i ? max_u64(mm->v[i - 1]->end, GUEST_MIN) : GUEST_MIN;
		uint64_t at = fit_top(mm, lo, top, len, align);

		if (at)
			return at;
		if (top > lo)
			*skipped = max_u64(*skipped, top - lo);
		if (!i)
			return 0;
		top = min_u64(top, mm_guard_start(mm->v[i - 1]));
	}
}

static uint64_t search_up(const struct mm *mm, uint64_t lo, uint64_t hi, uint64_t len, uint64_t align)
{
	size_t i = set_at(mm, lo);

	for (;;) {
		uint64_t at = (lo + align - 1) & ~(align - 1);
		uint64_t limit = i < mm->n ? min_u64(hi, mm_guard_start(mm->v[i])) : hi;

		while (at < limit && len <= limit - at) {
			const struct mm_range *h = hole_in(mm, at, at + len);

			if (!h)
				return at;
			at = (page_up(h->end) + align - 1) & ~(align - 1);
		}
		if (i >= mm->n || mm->v[i]->end >= hi)
			return 0;
		lo = mm->v[i++]->end;
	}
}

int64_t space_find(struct mm *mm, uint64_t len, uint64_t align, bool low)
{
	bool cached = align <= PAGE_SIZE_4K && len >= mm->gap_len;
	uint64_t at, skipped = cached && mm->gap_len ? mm->gap_len - 1 : 0;

	if (low) {
		at = search_up(mm, LOW_START, LOW_END, len, align);
		return at ? (int64_t)at : -ENOMEM;
	}
	at = search_down(mm, cached ? mm->gap_top : mm->mmap_top, len, align, &skipped);
	if (at && align <= PAGE_SIZE_4K) {
		mm->gap_top = at;
		mm->gap_len = skipped + 1;
	}
	if (!at)
		at = search_up(mm, BOTTOM_UP_START, GUEST_TOP, len, align);
	return at ? (int64_t)at : -ENOMEM;
}

void space_released(struct mm *mm, uint64_t end)
{
	size_t i = set_at(mm, end);
	uint64_t next = i < mm->n ? mm->v[i]->start : mm->mmap_top;

	if (next > mm->gap_top)
		mm->gap_top = min_u64(next, mm->mmap_top);
	/* The freed range may have given its upper neighbour's guard gap back. */
	if (i < mm->n && mm->v[i]->flags & MAP_GROWSDOWN) {
		mm->gap_top = mm->mmap_top;
		mm->gap_len = 0;
	}
}
