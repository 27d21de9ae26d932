/* The set of the guest's mappings: sorted by address, split and merged as Linux shows them. Contract: mm_int.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/mm_int.h"

static char heap_name[] = "[heap]"; /* not owned by the mapping: it comes and goes with brk */

size_t set_at(const struct mm *mm, uint64_t addr)
{
	size_t lo = 0, hi = mm->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (mm->v[mid]->end > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

const struct vma *mm_find(const struct mm *mm, uint64_t addr)
{
	size_t i = set_at(mm, addr);

	return i < mm->n && mm->v[i]->start <= addr ? mm->v[i] : NULL;
}

const struct vma *mm_next(const struct mm *mm, const struct vma *v)
{
	size_t i = v ? set_at(mm, v->start) + 1 : 0;

	return i < mm->n ? mm->v[i] : NULL;
}

bool set_overlaps(const struct mm *mm, uint64_t start, uint64_t end)
{
	size_t i = set_at(mm, start);

	return i < mm->n && mm->v[i]->start < end;
}

bool set_covers(const struct mm *mm, uint64_t start, uint64_t end)
{
	for (size_t i = set_at(mm, start); start < end; i++) {
		if (i >= mm->n || mm->v[i]->start > start)
			return false;
		start = mm->v[i]->end;
	}
	return true;
}

void set_drop(struct vma *v)
{
	if (v && v->name != heap_name)
		free(v->name);
	free(v);
}

static int set_room(struct mm *mm, size_t more)
{
	size_t cap = mm->cap ? mm->cap : 64;
	struct vma **v;

	while (cap < mm->n + more)
		cap *= 2;
	if (cap == mm->cap)
		return 0;
	v = reallocarray(mm->v, cap, sizeof(*v));
	if (!v)
		return -ENOMEM;
	mm->v = v;
	mm->cap = cap;
	return 0;
}

struct vma *set_prepare(struct mm *mm, const struct vma *like)
{
	struct vma *v;

	if (set_room(mm, 4) < 0) /* two splits and what is being made */
		return NULL;
	v = malloc(sizeof(*v));
	if (!v)
		return NULL;
	*v = *like;
	if (v->name == heap_name)
		v->name = NULL;
	if (v->name) {
		v->name = strdup(v->name);
		if (!v->name) {
			free(v);
			return NULL;
		}
	}
	return v;
}

static void place(struct mm *mm, size_t i, struct vma *v)
{
	memmove(mm->v + i + 1, mm->v + i, (mm->n - i) * sizeof(*mm->v));
	mm->v[i] = v;
	mm->n++;
}

static void take_out(struct mm *mm, size_t i, size_t count)
{
	memmove(mm->v + i, mm->v + i + count, (mm->n - i - count) * sizeof(*mm->v));
	mm->n -= count;
}

static void tag_heap(const struct mm *mm, struct vma *v)
{
	bool heap = vma_anon(v) && !(v->flags & MAP_SHARED) && v->start < mm->brk && v->end > mm->brk_start;

	if (heap && !v->name)
		v->name = heap_name;
	else if (!heap && v->name == heap_name)
		v->name = NULL;
}

static int split_at(struct mm *mm, uint64_t addr)
{
	size_t i = set_at(mm, addr);
	struct vma *low, *high;

	if (i >= mm->n || mm->v[i]->start >= addr)
		return 0;
	high = set_prepare(mm, mm->v[i]);
	if (!high)
		return -ENOMEM;
	low = mm->v[i];
	if (vma_object(low))
		high->offset += addr - low->start;
	high->start = low->end = addr;
	place(mm, i + 1, high);
	tag_heap(mm, low);
	tag_heap(mm, high);
	return 0;
}

int set_split(struct mm *mm, uint64_t start, uint64_t end)
{
	int rc = split_at(mm, start);

	return rc < 0 ? rc : split_at(mm, end);
}

static const char *own_name(const struct vma *v)
{
	return v->name && v->name != heap_name ? v->name : "";
}

static bool mergeable(const struct vma *a, const struct vma *b)
{
	if (a->end != b->start || a->prot != b->prot || a->flags != b->flags || a->dev != b->dev || a->ino != b->ino ||
	    a->may != b->may || a->segment != b->segment || a->account != b->account || a->joined != b->joined ||
	    a->dontfork != b->dontfork || a->wipe != b->wipe)
		return false;
	if (a->segment || a->kernel || b->kernel)
		return false;
	if (vma_object(a) && a->offset + (a->end - a->start) != b->offset)
		return false;
	return !strcmp(own_name(a), own_name(b));
}

void set_merge(struct mm *mm, uint64_t start, uint64_t end)
{
	size_t i = set_at(mm, start ? start - 1 : 0);

	for (; i < mm->n && mm->v[i]->start <= end; i++) {
		while (i + 1 < mm->n && mm->v[i + 1]->start <= end && mergeable(mm->v[i], mm->v[i + 1])) {
			struct vma *gone = mm->v[i + 1];

			mm->v[i]->end = gone->end;
			mm->v[i]->changed |= gone->changed;
			take_out(mm, i + 1, 1);
			set_drop(gone);
		}
		tag_heap(mm, mm->v[i]);
	}
}

void set_remove(struct mm *mm, uint64_t start, uint64_t end)
{
	size_t i = set_at(mm, start), count = 0;

	while (i + count < mm->n && mm->v[i + count]->start < end)
		set_drop(mm->v[i + count++]);
	if (!count)
		return;
	take_out(mm, i, count);
	space_released(mm, end);
}

void set_insert(struct mm *mm, struct vma *v)
{
	uint64_t start = v->start, end = v->end;

	place(mm, set_at(mm, start), v);
	set_merge(mm, start, end);
}

void set_free(struct mm *mm)
{
	for (size_t i = 0; i < mm->n; i++)
		set_drop(mm->v[i]);
	free(mm->v);
	mm->v = NULL;
	mm->n = mm->cap = 0;
}
