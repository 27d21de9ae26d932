/* mremap: in place, moved, moved onto something, doubled. Contract: mm_int.h. Source: mremap(2), Linux mm/mremap.c. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "syscall-emu/mm_int.h"
#include "syscall-emu/text_patch.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

struct move {
	uint64_t old, old_len, to, new_len;
	bool keep; /* MREMAP_DONTUNMAP */
};

/* The end of the host's own mapping that contains addr: the host splits where the guest sees one mapping. */
static uint64_t host_piece_end(uint64_t addr)
{
	cleanup_fclose FILE *in = proc_self_fopen("maps");
	cleanup_free char *line = NULL;
	size_t size = 0;

	while (in && getline(&line, &size, in) > 0) {
		uint64_t start, end;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) == 2 && start <= addr && addr < end)
			return end;
	}
	return 0;
}

static int host_mremap(uint64_t old, uint64_t old_len, uint64_t new_len, int flags, uint64_t to)
{
	return mremap(host_ptr(old), old_len, new_len, flags, host_ptr(to)) == MAP_FAILED ? -errno : 0;
}

/* Moves as one, or piece by piece where the host has several mappings. */
static int host_move(const struct move *m)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (m->keep ? MREMAP_DONTUNMAP : 0);
	int rc = host_mremap(m->old, m->old_len, m->new_len, flags, m->to);
	uint64_t done = 0;

	while (rc == -EFAULT && done < m->old_len) {
		uint64_t end = host_piece_end(m->old + done), n, room;
		int e;

		if (!end)
			return rc;
		n = min_u64(end - m->old, m->old_len) - done;
		room = done + n == m->old_len ? m->new_len - done : n;
		e = host_mremap(m->old + done, n, room, flags, m->to + done);
		if (e < 0)
			return e;
		done += n;
		if (done == m->old_len)
			rc = 0;
	}
	return rc;
}

static void move_patches(struct mm *mm, const struct move *m)
{
	uint64_t moved = min_u64(m->old_len, m->new_len);

	text_patch_moved(mm, m->old, m->old + moved, (int64_t)(m->to - m->old));
	if (m->keep) /* a file's text is there once more */
		text_patch_scan(mm, m->old, m->old + m->old_len, -1, 0);
	text_patch_scan(mm, m->to + moved, m->to + m->new_len, -1, 0);
}

/* Everything is checked; what lies at the new place is the guest's own and goes. */
static int64_t move(struct mm *mm, const struct move *m)
{
	const struct vma *from = mm_find(mm, m->old);
	struct vma like = *from, *v;
	struct fill_copy filled = { 0 };
	uint64_t old_end = m->old + m->old_len;
	int rc;

	if (vma_object(from))
		like.offset += m->old - from->start;
	like.start = m->to;
	like.end = m->to + m->new_len;
	v = set_prepare(mm, &like);
	rc = v ? set_split(mm, m->old, old_end) : -ENOMEM;
	if (rc == 0)
		mm_drop_reserve(mm, like.start, like.end);
	if (rc == 0 && m->old_len) {
		if (!m->keep)
			fill_remember(mm, m->old, m->old_len, &filled);
		rc = vm_deny(mm->vm, m->old, m->old_len);
	}
	if (rc == 0)
		rc = host_move(m);
	if (rc < 0) {
		set_drop(v);
		set_merge(mm, m->old, old_end);
		space_released(mm, like.end);
		fill_again(mm, &filled, 0, like.prot);
		return rc;
	}
	if (!m->keep && m->old_len)
		set_remove(mm, m->old, old_end);
	else
		set_merge(mm, m->old, old_end);
	set_insert(mm, v);
	if (filled.n)
		fill_again(mm, &filled, (int64_t)(m->to - m->old), like.prot);
	else
		fill_new(mm, mm_find(mm, like.start), like.start, like.end);
	move_patches(mm, m);
	return (int64_t)m->to;
}

/* The host's mapping may be split where the guest's is not: growing the last page always does. */
static int64_t grow_in_place(struct mm *mm, uint64_t old, uint64_t old_len, uint64_t new_len)
{
	uint64_t end = old + old_len, delta = new_len - old_len;
	size_t i = set_at(mm, old);
	struct vma *v = mm->v[i];
	int rc;

	mm_drop_reserve(mm, end, end + delta);
	rc = host_mremap(end - PAGE_SIZE_4K, PAGE_SIZE_4K, PAGE_SIZE_4K + delta, 0, 0);
	if (rc < 0)
		return rc;
	v->end = end + delta;
	fill_new(mm, v, end, v->end);
	text_patch_scan(mm, end, end + delta, -1, 0);
	set_merge(mm, v->start, v->end);
	return (int64_t)old;
}

/* Linux's checks of the new place of MREMAP_FIXED and MREMAP_DONTUNMAP. */
static int check_target(const struct mm *mm, uint64_t old, uint64_t old_len, uint64_t new_len, uint64_t to)
{
	if (to & ~PAGE_MASK_4K || !guest_range_ok(to, new_len))
		return -EINVAL;
	if (old + old_len > to && to + new_len > old)
		return -EINVAL;
	if (to < GUEST_MIN)
		return -EPERM;
	return space_hole(mm, to, to + new_len) ? -ENOMEM : 0;
}

static int check_source(const struct vma *v, uint64_t old, uint64_t old_len, uint64_t new_len, unsigned flags)
{
	if (!v || (v->kernel && new_len > old_len)) /* memory of the kernel's does not grow */
		return -EFAULT;
	if (!old_len && !(v->flags & MAP_SHARED))
		return -EINVAL;
	if (v->joined) /* its place in the object is its address */
		return -ENOMEM;
	if (flags & MREMAP_DONTUNMAP && old_len != new_len)
		return -EINVAL;
	return old_len > v->end - old ? -EFAULT : 0;
}

static int64_t remap_to(struct mm *mm, struct move *m, unsigned flags)
{
	int rc;

	if (flags & MREMAP_FIXED) {
		/* A failure must leave nothing behind, so what could fail is looked at before anything is unmapped. */
		rc = check_source(mm_find(mm, m->old), m->old, min_u64(m->old_len, m->new_len), m->new_len, flags);
		if (rc == 0)
			rc = mm_unmap(mm, m->to, m->new_len);
		if (rc == 0 && m->old_len > m->new_len) {
			rc = mm_unmap(mm, m->old + m->new_len, m->old_len - m->new_len);
			m->old_len = m->new_len;
		}
		return rc < 0 ? rc : move(mm, m);
	}
	rc = check_source(mm_find(mm, m->old), m->old, m->old_len, m->new_len, flags);
	if (rc < 0)
		return rc;
	m->to = page_down(m->to);
	if (m->to < GUEST_MIN || !guest_range_ok(m->to, m->new_len) || !space_free(mm, m->to, m->to + m->new_len)) {
		int64_t at = space_find(mm, m->new_len, PAGE_SIZE_4K, false);

		if (at < 0)
			return at;
		m->to = (uint64_t)at;
	}
	return move(mm, m);
}

int64_t mm_remap(struct mm *mm, uint64_t old, uint64_t old_len, uint64_t new_len, unsigned flags, uint64_t to)
{
	struct move m;
	const struct vma *v;
	int64_t at;
	int rc;

	if (flags & ~(unsigned)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) ||
	    (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE)) || old & ~PAGE_MASK_4K)
		return -EINVAL;
	old_len = page_up(old_len);
	new_len = page_up(new_len);
	if (!new_len || (flags & MREMAP_DONTUNMAP && old_len != new_len))
		return -EINVAL;
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		rc = check_target(mm, old, old_len, new_len, to);
		if (rc < 0 && (flags & MREMAP_FIXED || rc == -EINVAL))
			return rc;
	}
	v = mm_find(mm, old);
	if (!v)
		return -EFAULT;
	if (new_len > GUEST_TOP)
		return -ENOMEM;
	if (old_len > GUEST_TOP)
		return -EFAULT;
	m = (struct move){ old, old_len, to, new_len, flags & MREMAP_DONTUNMAP };
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		return remap_to(mm, &m, flags);
	if (old_len >= new_len) {
		rc = old_len > new_len ? mm_unmap(mm, old + new_len, old_len - new_len) : 0;
		return rc < 0 ? rc : (int64_t)old;
	}
	rc = check_source(v, old, old_len, new_len, flags);
	if (rc < 0)
		return rc;
	if (old_len && old + old_len == v->end && guest_range_ok(old, new_len) &&
	    !set_overlaps(mm, v->end, old + new_len) && !space_hole(mm, v->end, old + new_len))
		return grow_in_place(mm, old, old_len, new_len);
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	at = space_find(mm, new_len, PAGE_SIZE_4K, false);
	if (at < 0)
		return at;
	m.to = (uint64_t)at;
	return move(mm, &m);
}
