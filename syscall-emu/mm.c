/* Making, removing and protecting mappings. Contract: mm.h; the order of guest entries and host calls: vmm/vm.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "syscall-emu/forward.h"
#include "syscall-emu/mm_int.h"
#include "syscall-emu/mm_join.h"
#include "syscall-emu/text_patch.h"

#define KEPT_FLAGS (MAP_SHARED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_NORESERVE | MAP_HUGETLB | \
		    MAP_STACK | MAP_LOCKED)
#define SHMEM_DEV 1 /* 00:01 in maps */

int mm_create(struct process *p, struct mm **out)
{
	struct mm *mm = calloc(1, sizeof(*mm));
	int rc;

	if (!mm)
		return -ENOMEM;
	mm->proc = p;
	mm->vm = p->vm;
	mm->mmap_top = mm->gap_top = GUEST_STACK_TOP - GUEST_MMAP_GAP;
	mm->next_ino = 1;
	rc = space_find_holes(mm);
	if (rc < 0) {
		mm_destroy(mm);
		return rc;
	}
	fill_init(mm);
	*out = mm;
	return 0;
}

void mm_destroy(struct mm *mm)
{
	if (!mm)
		return;
	if (mm->n)
		mm_unmap(mm, GUEST_MIN, GUEST_TOP - GUEST_MIN);
	if (mm->reserve.end > mm->reserve.start)
		munmap(host_ptr(mm->reserve.start), mm->reserve.end - mm->reserve.start);
	set_free(mm);
	text_patch_free(mm);
	free(mm->hole);
	free(mm);
}

void mm_drop_reserve(struct mm *mm, uint64_t start, uint64_t end)
{
	struct mm_range *r = &mm->reserve;

	if (r->end <= r->start || end <= r->start || start >= r->end)
		return;
	munmap(host_ptr(r->start), r->end - r->start);
	r->start = r->end = 0;
}

/* ---- mapping ---- */

static uint64_t huge_size(int flags)
{
	unsigned shift = (unsigned)flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

	if (!(flags & MAP_HUGETLB))
		return PAGE_SIZE_4K;
	return shift ? 1ULL << (shift > 40 ? 40 : shift) : PAGE_SIZE_2M;
}

static int64_t choose(struct mm *mm, const struct mm_request *r, uint64_t len)
{
	uint64_t align = huge_size(r->flags), addr = r->addr;
	bool fixed = r->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);

	if (len > GUEST_TOP)
		return -ENOMEM;
	if (fixed) {
		if (addr & (align - 1))
			return -EINVAL;
		if (addr > GUEST_TOP - len)
			return -ENOMEM;
		if (addr < GUEST_MIN)
			return -EPERM;
		if (r->flags & MAP_FIXED_NOREPLACE && (set_overlaps(mm, addr, addr + len) ||
						       space_hole(mm, addr, addr + len)))
			return -EEXIST;
		return space_hole(mm, addr, addr + len) ? -ENOMEM : (int64_t)addr;
	}
	addr = page_down(addr);
	if (addr) {
		addr = (max_u64(addr, GUEST_MIN) + align - 1) & ~(align - 1);
		if (addr <= GUEST_TOP - len && space_free(mm, addr, addr + len) &&
		    (!(r->flags & MAP_32BIT) || addr + len <= 0x80000000ULL))
			return (int64_t)addr;
	}
	return space_find(mm, len, align, r->flags & MAP_32BIT);
}

/* replace: something of the guest's is there. Anything else that is in the way must stop us. */
static int host_map(uint64_t start, uint64_t len, int prot, int flags, const struct map_source *src, bool replace)
{
	void *want = host_ptr(start), *got;

	flags &= ~(MAP_GROWSDOWN | MAP_32BIT | MAP_FIXED | MAP_FIXED_NOREPLACE);
	flags |= replace ? MAP_FIXED : MAP_FIXED_NOREPLACE;
	got = mmap(want, len, host_prot(prot), flags, src ? src->fd : -1, src ? (off_t)src->offset : 0);
	if (got == MAP_FAILED)
		return errno == EEXIST ? -ENOMEM : -errno;
	if (got != want) { /* a kernel without MAP_FIXED_NOREPLACE */
		munmap(got, len);
		return -ENOMEM;
	}
	return 0;
}

static void describe(struct mm *mm, const struct mm_request *r, struct vma *v)
{
	bool shared = (r->flags & MAP_TYPE) != MAP_PRIVATE;

	v->prot = r->prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
	v->flags = (r->flags & KEPT_FLAGS & ~(MAP_SHARED | MAP_PRIVATE)) | (shared ? MAP_SHARED : MAP_PRIVATE);
	v->may = (PROT_READ | PROT_WRITE | PROT_EXEC) & ~(r->src ? (int)r->src->denied : 0);
	v->account = !shared && !(r->flags & MAP_NORESERVE) && (r->prot & PROT_WRITE);
	v->kernel = r->kernel;
	if (r->kernel)
		v->may = v->prot;
	if (r->name)
		v->name = (char *)r->name; /* set_prepare() copies */
	if (r->src) {
		v->flags &= ~MAP_ANONYMOUS;
		v->offset = r->src->offset;
		v->dev = r->src->dev;
		v->ino = r->src->ino;
		v->file_size = r->src->size;
		if (!r->name && r->src->path[0])
			v->name = (char *)r->src->path;
	} else if (shared) {
		v->dev = SHMEM_DEV;
		v->ino = mm->next_ino;
		if (!r->name)
			v->name = (char *)"/dev/zero (deleted)";
	}
}

static int check_request(const struct mm_request *r)
{
	int type = r->flags & MAP_TYPE;

	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (r->flags & MAP_GROWSDOWN && (r->src || type != MAP_PRIVATE))
		return -EINVAL;
	return r->src && r->src->offset & ~PAGE_MASK_4K ? -EINVAL : 0;
}

int64_t mm_map(struct mm *mm, const struct mm_request *r)
{
	uint64_t align = huge_size(r->flags), len = (r->len + align - 1) & ~(align - 1), end;
	struct vma like = { 0 }, *v;
	int64_t addr;
	bool replace;
	int rc;

	if (!r->len)
		return -EINVAL;
	if (len < r->len)
		return -ENOMEM;
	addr = choose(mm, r, len);
	if (addr < 0)
		return addr;
	end = (uint64_t)addr + len;
	rc = check_request(r);
	if (rc < 0) {
		space_released(mm, end);
		return rc;
	}
	describe(mm, r, &like);
	like.start = (uint64_t)addr;
	like.end = end;
	like.joined = mm_join_new(mm, r, len);
	v = set_prepare(mm, &like);
	rc = v ? set_split(mm, like.start, end) : -ENOMEM;
	replace = set_overlaps(mm, like.start, end);
	if (rc == 0)
		mm_drop_reserve(mm, like.start, end);
	if (rc == 0 && replace)
		rc = vm_deny(mm->vm, like.start, len);
	if (rc == 0)
		rc = like.joined ? mm_join_map(mm, like.start, len, like.prot, replace)
				 : host_map(like.start, len, like.prot, r->flags, r->src, replace);
	if (rc < 0) {
		set_drop(v);
		set_merge(mm, like.start, end); /* entries denied above come back with faults */
		space_released(mm, end);
		return rc;
	}
	if (!r->src && like.flags & MAP_SHARED)
		mm->next_ino++;
	if (replace)
		set_remove(mm, like.start, end);
	set_insert(mm, v);
	fill_new(mm, mm_find(mm, like.start), like.start, end);
	text_patch_forget(mm, like.start, end);
	if (r->src) /* else there is nothing in it */
		text_patch_scan(mm, like.start, end, r->src->fd, r->src->offset);
	if (like.joined)
		mm_join_mapped(mm, like.start, len, like.prot);
	return addr;
}

int mm_unmap(struct mm *mm, uint64_t start, uint64_t len)
{
	uint64_t end;
	int rc;

	len = page_up(len);
	if (start & ~PAGE_MASK_4K || !guest_range_ok(start, len) || !len)
		return -EINVAL;
	start = max_u64(start, GUEST_MIN);
	end = max_u64(start, start + len);
	if (end > GUEST_TOP)
		end = GUEST_TOP;
	if (!set_overlaps(mm, start, end))
		return 0;
	rc = set_split(mm, start, end);
	if (rc < 0)
		return rc;
	for (size_t i = set_at(mm, start); i < mm->n && mm->v[i]->start < end;) {
		uint64_t from = mm->v[i]->start, to = mm->v[i]->end;

		if (mm->v[i]->flags & MAP_GROWSDOWN)
			mm_drop_reserve(mm, 0, GUEST_TOP);
		rc = vm_deny(mm->vm, from, to - from);
		if (rc == 0 && munmap(host_ptr(from), to - from) < 0)
			rc = -errno;
		if (rc < 0)
			break;
		set_remove(mm, from, to);
		text_patch_forget(mm, from, to);
	}
	set_merge(mm, start, end);
	if (rc == 0)
		mm_join_unmapped(mm, start, end - start);
	return rc;
}

/* ---- protection ---- */

/* Guest entries lose before the host call what they lose, and get after it what they get. */
static int protect_one(struct mm *mm, const struct vma *v, int prot)
{
	bool narrows = v->prot & ~prot & (PROT_WRITE | PROT_EXEC) || !prot;
	uint64_t len = v->end - v->start;
	int rc = 0;

	if (v->prot == prot)
		return 0;
	if (prot & ~v->may)
		return -EACCES;
	if (narrows)
		rc = fill_change(mm, v->start, v->end, v->prot & prot);
	if (rc == 0 && mprotect(host_ptr(v->start), len, host_prot(prot)) < 0)
		rc = -errno;
	return rc;
}

static void protect_done(struct mm *mm, struct vma *v, int prot)
{
	int old = v->prot;

	v->prot = prot;
	if (!(v->flags & (MAP_SHARED | MAP_NORESERVE)) && prot & PROT_WRITE)
		v->account = true;
	else if (vma_anon(v))
		v->account = false;
	if (old == prot || !prot)
		return;
	if (!old)
		fill_new(mm, v, v->start, v->end);
	else
		fill_change(mm, v->start, v->end, prot);
}

/* The end of what is mapped without a gap from start on, at most end; start itself when nothing is mapped there. */
static uint64_t covered_until(const struct mm *mm, uint64_t start, uint64_t end)
{
	uint64_t at = start;

	for (size_t i = set_at(mm, start); i < mm->n && mm->v[i]->start <= at && at < end; i++)
		at = mm->v[i]->end;
	return min_u64(at, end);
}

/* As Linux: mapping by mapping until a gap or a refusal; what came before it is changed. */
int mm_protect(struct mm *mm, uint64_t start, uint64_t len, int prot)
{
	uint64_t wanted = start + page_up(len), end;
	bool changed = false;
	size_t i;
	int rc;

	prot &= PROT_READ | PROT_WRITE | PROT_EXEC;
	if (start & ~PAGE_MASK_4K)
		return -EINVAL;
	if (wanted < start || wanted > GUEST_TOP)
		return -ENOMEM;
	end = covered_until(mm, start, wanted);
	rc = start < end ? set_split(mm, start, end) : 0;
	if (rc < 0)
		return rc;
	for (i = set_at(mm, start); i < mm->n && mm->v[i]->start < end; i++) {
		bool differs = mm->v[i]->prot != prot;

		rc = protect_one(mm, mm->v[i], prot);
		if (rc < 0) {
			end = mm->v[i]->start;
			break;
		}
		changed |= differs;
		protect_done(mm, mm->v[i], prot);
	}
	if (start < end) {
		if (prot & PROT_WRITE)
			text_patch_undo(mm, start, end);
		set_merge(mm, start, end);
		if (changed)
			text_patch_scan(mm, start, end, -1, 0);
		mm_join_protected(mm, start, end - start, prot);
	}
	return rc < 0 || end == wanted ? rc : -ENOMEM;
}

/* ---- heap and stack ---- */

void mm_set_brk(struct mm *mm, uint64_t start)
{
	mm->brk_start = mm->brk = page_up(start);
}

void mm_heap(const struct mm *mm, uint64_t *start, uint64_t *end)
{
	*start = mm->brk_start;
	*end = mm->brk;
}

#define STACK_ROOM 0x20000ULL /* Linux maps this much below the arguments at once */

int mm_make_stack(struct mm *mm, uint64_t limit, int prot, uint64_t *top)
{
	struct vma like = { .prot = prot, .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN,
			    .may = PROT_READ | PROT_WRITE | PROT_EXEC, .account = true, .name = (char *)"[stack]" };
	uint64_t size = page_up(min_u64(max_u64(limit, GUEST_STACK_MIN), GUEST_STACK_MAX)), gap;
	struct vma *v;
	int rc;

	like.end = GUEST_STACK_TOP;
	like.start = like.end - size;
	if (set_overlaps(mm, like.start, like.end) || space_hole(mm, like.start, like.end))
		return -ENOMEM;
	v = set_prepare(mm, &like);
	if (!v)
		return -ENOMEM;
	rc = host_map(like.start, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, NULL, false);
	if (rc < 0) {
		set_drop(v);
		return rc;
	}
	set_insert(mm, v);
	mm->stack_top = GUEST_STACK_TOP;
	mm->stack_limit = size;
	gap = max_u64(GUEST_MMAP_GAP, size + STACK_GUARD_GAP);
	mm->mmap_top = mm->gap_top = GUEST_STACK_TOP - gap;
	mm->gap_len = 0;
	*top = GUEST_STACK_TOP;
	return 0;
}

int mm_stack_used(struct mm *mm, uint64_t sp)
{
	size_t i = set_at(mm, sp);
	uint64_t start, low;
	struct vma *v;

	if (i >= mm->n || mm->v[i]->start > sp || !(mm->v[i]->flags & MAP_GROWSDOWN))
		return -EFAULT;
	v = mm->v[i];
	low = v->start;
	start = max_u64(low, page_down(sp) - STACK_ROOM);
	mm->reserve = (struct mm_range){ low, start };
	mm->reserve_prot = v->prot;
	v->start = start;
	fill_new(mm, v, start, v->end);
	return 0;
}

/* ---- our own writes ---- */

/* The kernel's copy needs no signal handler for a page that turns out not to be there; some sandboxes forbid it. */
static int copy_in(uint64_t addr, const void *bytes, size_t len)
{
	struct iovec from = { (void *)bytes, len }, to = { host_ptr(addr), len };
	ssize_t n = process_vm_writev(getpid(), &from, 1, &to, 1, 0);

	if (n < 0 && (errno == EPERM || errno == ENOSYS))
		return copy_checked(host_ptr(addr), bytes, len) ? -EFAULT : 0;
	return n == (ssize_t)len ? 0 : -EFAULT;
}

int mm_poke(struct mm *mm, uint64_t addr, const void *bytes, size_t len)
{
	const char *b = bytes;

	while (len) {
		const struct vma *v = mm_find(mm, addr);
		uint64_t from = page_down(addr), to, n;
		bool open, in_reserve = addr >= mm->reserve.start && addr < mm->reserve.end;
		int rc;

		if (!v && !in_reserve)
			return -EFAULT;
		to = min_u64(v ? v->end : mm->reserve.end, page_up(addr + len));
		n = min_u64(len, to - addr);
		open = v && !(v->prot & PROT_WRITE);
		if (open && mprotect(host_ptr(from), to - from, host_prot(v->prot) | PROT_READ | PROT_WRITE) < 0)
			return -EFAULT;
		rc = copy_in(addr, b, n);
		if (open)
			mprotect(host_ptr(from), to - from, host_prot(v->prot));
		if (rc < 0)
			return rc;
		addr += n;
		b += n;
		len -= n;
	}
	return 0;
}
