/*
 * madvise. Advice that changes content is carried out the same way on record and replay; what only tunes the kernel is
 * passed on with its failure ignored, so that it has one answer everywhere. Source: madvise(2), Linux mm/madvise.c.
 */
#include <errno.h>

#include "syscall-emu/mm_int.h"
#include "syscall-emu/mm_join.h"
#include "syscall-emu/text_patch.h"
#include "trace/event.h"

#ifndef MADV_COLD
#define MADV_COLD 20
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

#define DENY_MIN 0x10000ULL /* a zapped range of this size comes back sooner in chunks than page by page */

enum kind { ADVICE_BAD, ADVICE_TUNE, ADVICE_FORK, ADVICE_ZAP, ADVICE_FREE, ADVICE_PUNCH, ADVICE_POPULATE,
	    ADVICE_PERM };

static enum kind kind_of(int advice)
{
	switch (advice) {
	case MADV_NORMAL: case MADV_RANDOM: case MADV_SEQUENTIAL: case MADV_WILLNEED: case MADV_COLD: case MADV_PAGEOUT:
	case MADV_MERGEABLE: case MADV_UNMERGEABLE: case MADV_HUGEPAGE: case MADV_NOHUGEPAGE: case MADV_DONTDUMP:
	case MADV_DODUMP: case MADV_COLLAPSE:
		return ADVICE_TUNE;
	case MADV_DONTFORK: case MADV_DOFORK: case MADV_WIPEONFORK: case MADV_KEEPONFORK:
		return ADVICE_FORK;
	case MADV_DONTNEED: case MADV_DONTNEED_LOCKED:
		return ADVICE_ZAP;
	case MADV_FREE:
		return ADVICE_FREE;
	case MADV_REMOVE:
		return ADVICE_PUNCH;
	case MADV_POPULATE_READ: case MADV_POPULATE_WRITE:
		return ADVICE_POPULATE;
	case MADV_HWPOISON: case MADV_SOFT_OFFLINE:
		return ADVICE_PERM;
	default:
		return ADVICE_BAD;
	}
}

static int host_advise(uint64_t start, uint64_t end, int advice)
{
	return madvise(host_ptr(start), end - start, advice) < 0 ? -errno : 0;
}

/* Content goes. Entries of large ranges go too: they are filled again in chunks. */
static int zap(struct mm *mm, const struct vma *v, uint64_t start, uint64_t end, int advice)
{
	int rc;

	if (vma_anon(v) && !(v->flags & MAP_SHARED) && end - start >= DENY_MIN) {
		rc = vm_deny(mm->vm, start, end - start);
		if (rc < 0)
			return rc;
	}
	if (v->joined)
		return mm_join_zap(start, end);
	return host_advise(start, end, advice);
}

/* The host is not told: forks of its own, and those of replay under a debugger, copy everything. */
static int advise_fork(struct mm *mm, uint64_t start, uint64_t end, int advice)
{
	int rc = set_split(mm, start, end);
	struct vma *v;

	if (rc < 0)
		return rc;
	v = mm->v[set_at(mm, start)];
	if (advice == MADV_DONTFORK || advice == MADV_DOFORK)
		v->dontfork = advice == MADV_DONTFORK;
	else
		v->wipe = advice == MADV_WIPEONFORK;
	set_merge(mm, start, end);
	return 0;
}

int mm_leave_behind(struct mm *mm)
{
	int rc = 0;

	for (size_t i = mm->n; rc == 0 && i-- > 0;) {
		const struct vma *v = mm->v[i];

		if (v->dontfork)
			rc = mm_unmap(mm, v->start, v->end - v->start);
		else if (v->wipe)
			rc = zap(mm, v, v->start, v->end, MADV_DONTNEED);
	}
	return rc;
}

static int advise_one(struct mm *mm, const struct vma *v, uint64_t start, uint64_t end, int advice)
{
	bool private_anon = vma_anon(v) && !(v->flags & MAP_SHARED) && !v->kernel;

	/* The shadow of memory whose content the kernel keeps. */
	if (v->kernel && (kind_of(advice) == ADVICE_ZAP || kind_of(advice) == ADVICE_PUNCH))
		return kind_of(advice) == ADVICE_ZAP ? 0 : -EINVAL;
	switch (kind_of(advice)) {
	case ADVICE_TUNE:
		host_advise(start, end, advice);
		return 0;
	case ADVICE_FORK:
		return advice == MADV_WIPEONFORK && !private_anon ? -EINVAL : advise_fork(mm, start, end, advice);
	case ADVICE_ZAP:
		return zap(mm, v, start, end, advice);
	case ADVICE_FREE:
		/* Linux may keep the old content until it needs the memory; taking it at once is one of its answers. */
		return private_anon ? zap(mm, v, start, end, MADV_DONTNEED) : -EINVAL;
	case ADVICE_PUNCH:
		if (private_anon || v->kernel)
			return -EINVAL;
		if (!(v->flags & MAP_SHARED) || !(v->may & PROT_WRITE))
			return -EACCES;
		return host_advise(start, end, advice);
	case ADVICE_POPULATE:
		if (advice == MADV_POPULATE_WRITE ? !(v->prot & PROT_WRITE) : !(v->prot & PROT_READ))
			return -EINVAL;
		return host_advise(start, end, advice);
	case ADVICE_PERM:
	case ADVICE_BAD:
		break;
	}
	return -EINVAL;
}

/*
 * What replay would not find out by repeating the call: content of a file that was written since it was mapped, and all
 * of it when the call fails half-way, as failed calls are not repeated.
 */
static void log_content(struct plan *p, const struct vma *v, uint64_t start, uint64_t end, bool failed)
{
	if ((v->changed || failed) && v->prot && p)
		plan_add(p, start, end - start, DATA_MEMORY, NULL);
}

int64_t mm_advise(struct task *t, struct plan *p, uint64_t start, uint64_t len, int advice)
{
	struct mm *mm = t->proc->mm;
	uint64_t end = start + page_up(len), at;
	enum kind kind = kind_of(advice);
	bool content = kind == ADVICE_ZAP || kind == ADVICE_FREE || kind == ADVICE_PUNCH;
	bool hole = false, failed;
	int rc = 0;

	if (kind == ADVICE_BAD || start & ~PAGE_MASK_4K || (len && !page_up(len)) || end < start)
		return -EINVAL;
	if (kind == ADVICE_PERM)
		return -EPERM;
	if (start == end)
		return 0;
	hole = end > GUEST_TOP || !set_covers(mm, start, end);
	for (at = start; rc == 0 && at < end;) {
		size_t i = set_at(mm, at);
		uint64_t stop;

		if (i >= mm->n || mm->v[i]->start >= end)
			break;
		at = max_u64(at, mm->v[i]->start);
		stop = min_u64(end, mm->v[i]->end);
		rc = advise_one(mm, mm->v[i], at, stop, advice);
		if (rc == 0 && content)
			text_patch_again(mm, at, stop);
		if (rc == 0)
			at = stop;
	}
	failed = rc < 0 || hole;
	for (uint64_t done = start; content && done < at;) {
		const struct vma *v = mm->v[set_at(mm, done)];

		done = max_u64(done, v->start);
		if (done < at)
			log_content(p, v, done, min_u64(at, v->end), failed);
		done = v->end;
	}
	return rc < 0 ? rc : hole ? -ENOMEM : 0;
}
