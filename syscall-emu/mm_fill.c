/*
 * Filling guest page tables and host pages ahead of use. What is filled is known from the guest page tables alone.
 *
 * Why: a page that KVM must find by itself costs 25 us on a software host, one that is resident when KVM first looks 4,
 * a large page next to nothing; a fault that leaves the VM costs 100. So small mappings are filled at once, large ones
 * in chunks that grow while faults go on side by side, and reservations cost nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "syscall-emu/mm_int.h"
#include "syscall-emu/mm_join.h"
#include "vmm/cleanup.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#define AT_ONCE (256u << 10)        /* written mappings up to this are filled when made */
#define READ_AHEAD (4u << 20)       /* of a file */
#define ENTRIES_MAX (64u << 20)     /* longer file mappings get their entries with faults */
#define CHUNK_MIN (64u << 10)
#define CHUNK_MAX (8u << 20)
#define AGAIN_MAX 8

#define PF_PRESENT 1u
#define PF_WRITE 2u
#define PF_FETCH 16u

void fill_init(struct mm *mm)
{
	cleanup_close int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
	char buf[64] = "";
	ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);

	mm->thp = n > 0 && !strstr(buf, "[never]");
}

/* A page that cannot be populated (past the end of a file, no memory) is left to its access. */
void fill_populate(struct mm *mm, uint64_t start, uint64_t end, bool write)
{
	if (mm->no_populate || end <= start)
		return;
	if (madvise(host_ptr(start), end - start, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) < 0 &&
	    errno == EINVAL) {
		/* Linux before 5.14. Others that say so have done so for good reason: a special mapping. */
		if (madvise(host_ptr(start), 0, MADV_POPULATE_READ) < 0)
			mm->no_populate = true;
	}
}

bool fill_entries(struct mm *mm, const struct vma *v, uint64_t start, uint64_t end)
{
	if (!v->prot || v->flags & MAP_HUGETLB || end - start > (vma_anon(v) ? AT_ONCE : ENTRIES_MAX))
		return false;
	vm_allow(mm->vm, start, end - start, v->prot, false);
	return true;
}

void fill_new(struct mm *mm, const struct vma *v, uint64_t start, uint64_t end)
{
	uint64_t len = end - start;
	bool write = v->prot & PROT_WRITE, file = !vma_anon(v), shared = v->flags & MAP_SHARED;

	if (!v->prot)
		return;
	if (v->flags & MAP_HUGETLB) {
		vm_allow(mm->vm, start, len, v->prot, false);
		return;
	}
	if (!file || (write && !shared)) {
		if (len > AT_ONCE)
			return;
		if (write)
			fill_populate(mm, start, end, true);
		vm_allow(mm->vm, start, len, v->prot, false);
		return;
	}
	if (len > ENTRIES_MAX)
		return;
	fill_populate(mm, start, min_u64(end, start + READ_AHEAD), false);
	vm_allow(mm->vm, start, len, v->prot, false);
}

/* The next run of filled pages in [*at, end): true and [*at, *stop). */
static bool next_run(struct mm *mm, uint64_t *at, uint64_t *stop, uint64_t end)
{
	while (*at < end && vm_query(mm->vm, *at) < 0)
		*at += PAGE_SIZE_4K;
	for (*stop = *at; *stop < end && vm_query(mm->vm, *stop) >= 0;)
		*stop += PAGE_SIZE_4K;
	return *at < end;
}

int fill_change(struct mm *mm, uint64_t start, uint64_t end, int prot)
{
	uint64_t stop;

	/* Looking at every page of a large range would cost more than the faults that fill it again. */
	if (!prot || end - start > ENTRIES_MAX)
		return vm_deny(mm->vm, start, end - start);
	for (; next_run(mm, &start, &stop, end); start = stop) {
		int rc = vm_allow(mm->vm, start, stop - start, prot, false);

		if (rc < 0)
			return rc;
	}
	return 0;
}

void fill_remember(struct mm *mm, uint64_t from, uint64_t len, struct fill_copy *c)
{
	uint64_t stop, end = from + len;
	struct mm_range *r;

	*c = (struct fill_copy){ 0 };
	for (; len <= ENTRIES_MAX && next_run(mm, &from, &stop, end); from = stop) {
		r = reallocarray(c->run, c->n + 1, sizeof(*r));
		if (!r)
			return;
		c->run = r;
		c->run[c->n++] = (struct mm_range){ from, stop };
	}
}

void fill_again(struct mm *mm, struct fill_copy *c, int64_t shift, int prot)
{
	bool huge = !(shift & (int64_t)(PAGE_SIZE_2M - 1));

	for (size_t i = 0; prot && i < c->n; i++)
		vm_allow(mm->vm, c->run[i].start + (uint64_t)shift, c->run[i].end - c->run[i].start, prot, huge);
	free(c->run);
	*c = (struct fill_copy){ 0 };
}

/* ---- faults ---- */

static bool near_below(uint64_t addr, uint64_t edge)
{
	return addr < edge && edge - addr <= CHUNK_MIN;
}

/* The chunk to fill for a fault at addr: beside a run it doubles the run's last chunk, elsewhere it starts small. */
static struct mm_range chunk_at(struct mm *mm, uint64_t addr)
{
	struct mm_stream *s = NULL;
	struct mm_range r;

	for (unsigned i = 0; i < MM_STREAMS; i++) {
		struct mm_stream *c = &mm->stream[i];

		if (c->size && ((addr >= c->end && near_below(c->end, addr + PAGE_SIZE_4K)) ||
				near_below(addr, c->start))) {
			s = c;
			break;
		}
	}
	if (!s) {
		s = &mm->stream[mm->next_stream++ % MM_STREAMS];
		r.start = addr & ~(uint64_t)(CHUNK_MIN - 1);
		r.end = r.start + CHUNK_MIN;
		*s = (struct mm_stream){ r.start, r.end, CHUNK_MIN };
		return r;
	}
	s->size = min_u64(2 * s->size, CHUNK_MAX);
	if (addr >= s->end) {
		r = (struct mm_range){ s->end, s->end + s->size };
		if (s->size >= PAGE_SIZE_2M)
			r.end = max_u64(r.end & ~(PAGE_SIZE_2M - 1), (addr | (PAGE_SIZE_4K - 1)) + 1);
		s->end = r.end;
	} else {
		r = (struct mm_range){ s->start > s->size ? s->start - s->size : 0, s->start };
		if (s->size >= PAGE_SIZE_2M)
			r.start = min_u64((r.start + PAGE_SIZE_2M - 1) & ~(PAGE_SIZE_2M - 1), page_down(addr));
		s->start = r.start;
	}
	return r;
}

static int fill_chunk(struct mm *mm, const struct vma *v, uint64_t addr, bool writing)
{
	struct mm_range r = chunk_at(mm, page_down(addr));
	bool write = v->prot & PROT_WRITE, anon = vma_anon(v);
	uint64_t block, block_end;
	bool huge = false;

	r.start = max_u64(r.start, v->start);
	r.end = min_u64(r.end, v->end);
	block = (r.start + PAGE_SIZE_2M - 1) & ~(PAGE_SIZE_2M - 1);
	block_end = r.end & ~(PAGE_SIZE_2M - 1);
	if (mm->thp && anon && write && !(v->flags & MAP_SHARED) && block < block_end)
		huge = madvise(host_ptr(block), block_end - block, MADV_HUGEPAGE) == 0;
	if (v->flags & MAP_HUGETLB)
		return vm_allow(mm->vm, r.start, r.end - r.start, v->prot, false);
	if (anon ? write : writing && !(v->flags & MAP_SHARED))
		fill_populate(mm, r.start, r.end, true);
	else if (!anon)
		fill_populate(mm, r.start, r.end, false);
	return vm_allow(mm->vm, r.start, r.end - r.start, v->prot, huge);
}

/*
 * The entry already allows what faulted: another thread has just filled it, or KVM still has an old translation. If it
 * does not go away, the host protection is changed and changed back, which makes KVM forget.
 */
static int fault_again(struct mm *mm, const struct vma *v, uint64_t addr)
{
	uint64_t page = page_down(addr);

	mm->again = mm->again_addr == page ? mm->again + 1 : 0;
	mm->again_addr = page;
	if (mm->again < AGAIN_MAX)
		return vm_allow(mm->vm, page, PAGE_SIZE_4K, v->prot, false);
	mm->again = 0;
	mprotect(host_ptr(page), PAGE_SIZE_4K, PROT_NONE);
	mprotect(host_ptr(page), PAGE_SIZE_4K, host_prot(v->prot));
	return 0;
}

/*
 * Stacks grow to the page of the fault, the main one by some more as each growth is an exit. Rules of Linux: the limit,
 * and a gap to the mapping below unless that one cannot be used or grows too.
 */
static const struct vma *grow_stack(struct mm *mm, uint64_t addr)
{
	size_t i = set_at(mm, addr);
	struct vma *v = i < mm->n ? mm->v[i] : NULL, *below = i ? mm->v[i - 1] : NULL;
	uint64_t start = page_down(addr), limit = mm->stack_limit ? mm->stack_limit : GUEST_STACK_MIN, lowest;
	bool in_reserve;

	if (!v || !(v->flags & MAP_GROWSDOWN) || start < GUEST_MIN)
		return NULL;
	lowest = v->end > limit ? v->end - limit : 0;
	if (below) {
		bool apart = below->prot && !(below->flags & MAP_GROWSDOWN);

		lowest = max_u64(lowest, below->end + (apart ? STACK_GUARD_GAP : 0));
	}
	if (start < lowest || space_hole(mm, start, v->start))
		return NULL;
	in_reserve = mm->reserve.end == v->start && start >= mm->reserve.start && mm->reserve.end;
	if (in_reserve) {
		start = max_u64(min_u64(start, v->start - CHUNK_MIN), max_u64(lowest, mm->reserve.start));
		if (mm->reserve_prot != v->prot && mprotect(host_ptr(start), v->start - start, host_prot(v->prot)) < 0)
			return NULL;
		mm->reserve.end = start;
	} else {
		int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

		mm_drop_reserve(mm, start, v->start);
		if (mmap(host_ptr(start), v->start - start, host_prot(v->prot), flags, -1, 0) == MAP_FAILED)
			return NULL;
	}
	limit = v->start;
	v->start = start;
	fill_new(mm, v, start, limit);
	set_merge(mm, start, start);
	return mm_find(mm, addr);
}

static int violation(int *sig, int *code, int which, int why)
{
	*sig = which;
	*code = why;
	return 0;
}

int mm_fault(struct mm *mm, uint64_t addr, uint32_t error, int *sig, int *code)
{
	int need = error & PF_FETCH ? PROT_EXEC : error & PF_WRITE ? PROT_WRITE : PROT_READ, have;
	const struct vma *v;
	int rc;

	if (addr >= GUEST_TOP)
		return violation(sig, code, SIGSEGV, SEGV_MAPERR);
	mm_join_follow(mm); /* without a recording there are no turns at which that is done */
	v = mm_find(mm, addr);
	if (!v)
		v = grow_stack(mm, addr);
	if (!v)
		return violation(sig, code, SIGSEGV, SEGV_MAPERR);
	if (!(host_prot(v->prot) & need))
		return violation(sig, code, SIGSEGV, SEGV_ACCERR);
	have = vm_query(mm->vm, addr);
	if (have >= 0 && (have & need))
		rc = fault_again(mm, v, addr);
	else
		rc = fill_chunk(mm, v, addr, need == PROT_WRITE);
	return rc < 0 ? violation(sig, code, SIGBUS, BUS_ADRERR) : 1;
}
