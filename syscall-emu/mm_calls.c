/* System calls on the address space: checks and errors of Linux, then mm. Contract: mm.h. */
#include <errno.h>
#include <linux/mman.h>
#include <string.h>
#include <sys/resource.h>

#include "syscall-emu/kernel_shared.h"
#include "syscall-emu/mm_int.h"
#include "syscall-emu/mm_join.h"

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

static struct mm *mm_of(const struct task *t)
{
	return t->proc->mm;
}

/* ---- mmap ---- */

/* Private memory of the guest's that follows the kernel's, or on replay what was recorded of it. */
static int64_t map_shadow(struct task *t, struct plan *p, struct mm_request *r, const struct map_source *src)
{
	struct mm *mm = mm_of(t);
	int64_t ret;

	r->flags = (r->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_32BIT)) | MAP_PRIVATE | MAP_ANONYMOUS;
	r->kernel = src->window ? kernel_shared_id(src->window) : 1;
	r->name = src->path;
	ret = mm_map(mm, r);
	if (ret < 0)
		kernel_shared_drop(src->window);
	else if (src->window)
		kernel_shared_attach(t, p, src->window, (uint64_t)ret);
	return ret;
}

static int64_t map_file(struct task *t, struct plan *p, struct mm_request *r)
{
	struct session *s = t->proc->sess;
	struct map_source src = { .fd = -1 };
	int64_t ret;
	int rc = s->ops->map_file(s, t, p, (int)p->arg[4], r->prot, r->flags, p->arg[5], r->len, &src);

	if (rc < 0)
		return rc;
	if (src.kernel)
		ret = map_shadow(t, p, r, &src);
	else {
		r->src = &src;
		ret = mm_map(mm_of(t), r);
	}
	s->ops->map_done(s, &src);
	return ret;
}

int64_t do_mmap(struct task *t, struct plan *p)
{
	struct mm *mm = mm_of(t);
	struct mm_request r = { .addr = p->arg[0], .len = p->arg[1],
				.prot = (int)p->arg[2] & (PROT_READ | PROT_WRITE | PROT_EXEC),
				.flags = (int)p->arg[3] };
	uint64_t offset = p->arg[5];

	if (offset & ~PAGE_MASK_4K)
		return -EINVAL;
	if (mm->lock_future)
		r.flags |= MAP_LOCKED;
	if (r.flags & MAP_ANONYMOUS)
		return mm_map(mm, &r);
	if (r.len && !page_up(r.len))
		return -ENOMEM;
	if (offset + page_up(r.len) < offset)
		return -EOVERFLOW;
	return map_file(t, p, &r);
}

int64_t do_munmap(struct task *t, struct plan *p)
{
	return mm_unmap(mm_of(t), p->arg[0], p->arg[1]);
}

/*
 * Linux's order of checks. PROT_GROWSDOWN: from where the stack mapping that contains the address starts; PROT_GROWSUP
 * needs a mapping that grows upwards, which this architecture has not.
 */
int64_t do_mprotect(struct task *t, struct plan *p)
{
	struct mm *mm = mm_of(t);
	uint64_t start = p->arg[0], end = start + page_up(p->arg[1]), prot = p->arg[2] & 0xffffffffu;
	bool down = prot & PROT_GROWSDOWN, up = prot & PROT_GROWSUP;
	const struct vma *v;
	size_t i;

	if ((down && up) || start & ~PAGE_MASK_4K)
		return -EINVAL;
	if (!p->arg[1])
		return 0;
	if (end <= start)
		return -ENOMEM;
	prot &= ~(uint64_t)(PROT_GROWSDOWN | PROT_GROWSUP);
	if (prot & ~(uint64_t)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return -EINVAL;
	i = set_at(mm, start);
	v = i < mm->n ? mm->v[i] : NULL;
	if (!v || v->start >= end || (!down && v->start > start))
		return -ENOMEM;
	if (up || (down && !(v->flags & MAP_GROWSDOWN)))
		return -EINVAL;
	if (down)
		start = v->start;
	return mm_protect(mm, start, end - start, (int)prot);
}

int64_t do_pkey_mprotect(struct task *t, struct plan *p)
{
	if ((int)p->arg[3] != -1)
		return -EINVAL; /* no key was ever given out: the guest's CPU has none */
	return do_mprotect(t, p);
}

int64_t do_mremap(struct task *t, struct plan *p)
{
	return mm_remap(mm_of(t), p->arg[0], p->arg[1], p->arg[2], (unsigned)p->arg[3], p->arg[4]);
}

/* ---- brk ---- */

static bool heap_limited(const struct task *t, uint64_t want)
{
	const struct process *proc = t->proc;
	struct rlimit lim;

	if (getrlimit(RLIMIT_DATA, &lim) < 0 || lim.rlim_cur == RLIM_INFINITY)
		return false;
	return want - proc->mm->brk_start + (proc->end_data - proc->start_data) > lim.rlim_cur;
}

int64_t do_brk(struct task *t, struct plan *p)
{
	struct mm *mm = mm_of(t);
	uint64_t want = p->arg[0], old = page_up(mm->brk), now = page_up(want), was = mm->brk;
	struct mm_request r = { .addr = old, .len = now - old, .prot = PROT_READ | PROT_WRITE,
				.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE };

	/* What limits said no to in the recording must be refused again; nothing else depends on the outside. */
	if (want < mm->brk_start || want >= GUEST_TOP || (p->recorded && (uint64_t)p->recorded != want))
		return (int64_t)mm->brk;
	if (!p->recorded && want > mm->brk && heap_limited(t, want))
		return (int64_t)mm->brk;
	if (now < old && mm_unmap(mm, now, old - now) < 0)
		return (int64_t)mm->brk;
	mm->brk = want; /* before the mapping is made, so that it gets its name */
	mm_join_brk(mm);
	if (now > old && (!space_free(mm, old, now) || mm_map(mm, &r) < 0)) {
		mm->brk = was;
		mm_join_brk(mm);
	}
	return (int64_t)mm->brk;
}

/* ---- advice, residency, locks ---- */

int64_t do_madvise(struct task *t, struct plan *p)
{
	return mm_advise(t, p, p->arg[0], p->arg[1], (int)p->arg[2]);
}

/*
 * Anonymous memory was filled ahead of use: resident for the guest is what it wrote to. Any other page is the kernel's
 * to judge.
 */
static unsigned char resident(const struct vma *v, uint64_t addr, unsigned char host)
{
	static const char zero[PAGE_SIZE_4K];
	char page[PAGE_SIZE_4K];

	if (!(host & 1) || !vma_anon(v) || v->flags & (MAP_SHARED | MAP_LOCKED))
		return host & 1;
	if (guest_read(page, addr, sizeof(page)) < 0)
		return 1;
	return memcmp(page, zero, sizeof(page)) != 0;
}

int64_t do_mincore(struct task *t, struct plan *p)
{
	struct mm *mm = mm_of(t);
	uint64_t start = p->arg[0], end = start + page_up(p->arg[1]), vec = p->arg[2];
	unsigned char buf[256];

	if (start & ~PAGE_MASK_4K)
		return -EINVAL;
	if (!guest_range_ok(start, p->arg[1]) || end > GUEST_TOP || end < start)
		return -ENOMEM;
	if (!mm_range_ok(mm, vec, (end - start) / PAGE_SIZE_4K + 1))
		return -EFAULT;
	while (start < end) {
		uint64_t n = min_u64((end - start) / PAGE_SIZE_4K, sizeof(buf));

		if (!set_covers(mm, start, start + n * PAGE_SIZE_4K))
			return -ENOMEM;
		if (mincore(host_ptr(start), n * PAGE_SIZE_4K, buf) < 0)
			return -errno;
		for (uint64_t i = 0; i < n; i++)
			buf[i] = resident(mm_find(mm, start + i * PAGE_SIZE_4K), start + i * PAGE_SIZE_4K, buf[i]);
		if (guest_write(vec, buf, n) < 0)
			return -EFAULT;
		start += n * PAGE_SIZE_4K;
		vec += n;
	}
	return 0;
}

/* The address range of a call that Linux may carry out on the mappings as they are: theirs are the guest's, no hole. */
static int check_range(const struct mm *mm, uint64_t start, uint64_t len, int unmapped)
{
	uint64_t end = page_up(start + len);

	start = page_down(start);
	if (end < start)
		return -EINVAL;
	return end > GUEST_TOP || !set_covers(mm, start, end) ? unmapped : 0;
}

int64_t do_msync(struct task *t, struct plan *p)
{
	int flags = (int)p->arg[2], rc;

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || p->arg[0] & ~PAGE_MASK_4K ||
	    (flags & MS_ASYNC && flags & MS_SYNC))
		return -EINVAL;
	if (p->arg[1] && !page_up(p->arg[1]))
		return -ENOMEM;
	rc = check_range(mm_of(t), p->arg[0], p->arg[1], -ENOMEM);
	return rc < 0 ? -ENOMEM : plan_forward(p, t);
}

static int64_t forward_on_range(struct task *t, struct plan *p)
{
	int rc = check_range(mm_of(t), p->arg[0], p->arg[1], -ENOMEM);

	return rc < 0 ? rc : plan_forward(p, t);
}

int64_t do_mlock(struct task *t, struct plan *p)
{
	return forward_on_range(t, p);
}

int64_t do_munlock(struct task *t, struct plan *p)
{
	return forward_on_range(t, p);
}

int64_t do_mlock2(struct task *t, struct plan *p)
{
	if (p->arg[2] & ~(uint64_t)MLOCK_ONFAULT)
		return -EINVAL;
	return forward_on_range(t, p);
}

/* Only the guest's mappings: ours are large and mostly address space. */
int64_t do_mlockall(struct task *t, struct plan *p)
{
	unsigned flags = (unsigned)p->arg[0], on_fault = flags & MCL_ONFAULT ? MLOCK_ONFAULT : 0;
	struct mm *mm = mm_of(t);

	if (!flags || flags & ~(unsigned)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
		return -EINVAL;
	for (size_t i = 0; flags & MCL_CURRENT && i < mm->n; i++) {
		const struct vma *v = mm->v[i];

		if (v->prot && mlock2(host_ptr(v->start), v->end - v->start, on_fault) < 0 && errno != ENOMEM)
			return -errno;
	}
	mm->lock_future = flags & MCL_FUTURE;
	return 0;
}

int64_t do_munlockall(struct task *t, struct plan *p)
{
	struct mm *mm = mm_of(t);

	(void)p;
	for (size_t i = 0; i < mm->n; i++)
		munlock(host_ptr(mm->v[i]->start), mm->v[i]->end - mm->v[i]->start);
	mm->lock_future = false;
	return 0;
}

int64_t do_mbind(struct task *t, struct plan *p)
{
	uint64_t len = page_up(p->arg[1]);

	if (p->arg[0] & ~PAGE_MASK_4K || p->arg[0] + len < p->arg[0] || (p->arg[1] && !len))
		return -EINVAL;
	if (!len)
		return 0;
	return check_range(mm_of(t), p->arg[0], p->arg[1], -EFAULT) < 0 ? -EFAULT : plan_forward(p, t);
}

/* Linux emulates this call itself: the host does, and the mapping's offset follows. */
int64_t do_remap_file_pages(struct task *t, struct plan *p)
{
	struct mm *mm = mm_of(t);
	uint64_t start = page_down(p->arg[0]), end = start + page_down(p->arg[1]);
	const struct vma *v = mm_find(mm, start);
	int rc;

	if (p->arg[2] || end <= start || !guest_range_ok(start, end - start) ||
	    p->arg[3] + ((end - start) >> 12) < p->arg[3] || p->arg[3] >> 52)
		return -EINVAL;
	if (!v || !(v->flags & MAP_SHARED) || end > v->end)
		return -EINVAL;
	rc = set_split(mm, start, end);
	if (rc < 0)
		return rc;
	rc = vm_deny(mm->vm, start, end - start);
	if (rc == 0 && remap_file_pages(host_ptr(start), end - start, 0, p->arg[3], (int)p->arg[4]) < 0)
		rc = -errno;
	if (rc == 0) {
		mm->v[set_at(mm, start)]->offset = p->arg[3] << 12;
		fill_new(mm, mm_find(mm, start), start, end);
	}
	set_merge(mm, start, end);
	return rc;
}
