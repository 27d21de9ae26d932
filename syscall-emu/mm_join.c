/* Memory that two processes go on using (CLONE_VM alone). Contract: mm_join.h. */
#include "syscall-emu/mm_join.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "syscall-emu/fd.h"
#include "syscall-emu/mm_int.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"

#define PIECE 65536
#define ENTRIES 4096                  /* of /proc/self/pagemap at a time */
#define PAGEMAP_THERE (3ULL << 62)    /* present or swapped; Documentation/admin-guide/mm/pagemap.rst */
#define LONGEST (1ULL << 36)          /* a reservation that no program looks through page by page */

/*
 * What they do to their mappings, in the order of their turns: each follows the others before it runs on. When there is no
 * more room each goes on with its own.
 */
#define CHANGES_MAX 65536

enum { JOIN_MAP, JOIN_UNMAP, JOIN_PROTECT, JOIN_BRK };

struct join_changes {
	uint32_t n;
	struct { uint32_t what; int32_t prot; uint64_t start, len; } change[CHANGES_MAX];
};

/* The object that all have mapped: a byte's offset is its address. */
static int memory_fd(struct mm *mm)
{
	int fd;

	if (mm->joined)
		return mm->joined_fd;
	fd = memfd_create("sandrec-memory", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, (off_t)GUEST_TOP) < 0) {
		if (fd >= 0)
			close(fd);
		return -ENOMEM;
	}
	mm->changes = mmap(NULL, sizeof(*mm->changes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	mm->joined_fd = mm->changes == MAP_FAILED ? -ENOMEM : fd_hide(fd);
	if (mm->joined_fd < 0) {
		close(fd);
		return -ENOMEM;
	}
	mm->changes_seen = 0;
	mm->joined = true;
	return mm->joined_fd;
}

/* ---- into the object ---- */

/* Read as a file is: without regard to permissions, up to a page that is not there. */
static int save(int mem, int to, uint64_t start, uint64_t end)
{
	cleanup_free char *buf = malloc(PIECE);

	while (buf && start < end) {
		ssize_t n = pread(mem, buf, min_u64(end - start, PIECE), (off_t)start);

		if (n <= 0)
			return 0;
		if (pwrite(to, buf, (size_t)n, (off_t)start) != n)
			return -ENOMEM;
		start += (uint64_t)n;
	}
	return buf ? 0 : -ENOMEM;
}

static int save_present(int mem, int map, int to, uint64_t start, uint64_t end)
{
	cleanup_free uint64_t *entry = malloc(ENTRIES * sizeof(*entry));
	int rc = entry ? 0 : -ENOMEM;

	while (rc == 0 && start < end) {
		uint64_t want = min_u64(ENTRIES, (end - start) / PAGE_SIZE_4K);
		ssize_t n = pread(map, entry, want * sizeof(*entry), (off_t)(start / PAGE_SIZE_4K * sizeof(*entry)));

		if (n < (ssize_t)sizeof(*entry))
			return -ENOMEM;
		n /= (ssize_t)sizeof(*entry);
		for (ssize_t i = 0; rc == 0 && i < n; i++)
			if (entry[i] & PAGEMAP_THERE)
				rc = save(mem, to, start + (uint64_t)i * PAGE_SIZE_4K, start + (uint64_t)(i + 1) * PAGE_SIZE_4K);
		start += (uint64_t)n * PAGE_SIZE_4K;
	}
	return rc;
}

static int put_in(int fd, uint64_t start, uint64_t end, int prot, bool anonymous)
{
	cleanup_close int mem = proc_self_open("mem", O_RDONLY), map = proc_self_open("pagemap", O_RDONLY);
	int rc;

	if (mem < 0 || map < 0)
		return -ENOMEM;
	/* What was there before, in memory that is gone. */
	fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start, (off_t)(end - start));
	rc = anonymous ? save_present(mem, map, fd, start, end) : save(mem, fd, start, end);
	if (rc == 0 && mmap(host_ptr(start), end - start, host_prot(prot), MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd,
			    (off_t)start) == MAP_FAILED)
		rc = -ENOMEM;
	return rc;
}

/* Memory of a file that cannot be written is the same for both anyway. */
static bool can_join(const struct vma *v)
{
	if (v->joined || v->kernel || v->flags & (MAP_SHARED | MAP_HUGETLB) || v->end - v->start > LONGEST)
		return false;
	return vma_anon(v) || v->prot & PROT_WRITE;
}

int mm_join(struct mm *mm)
{
	int fd = memory_fd(mm), rc = fd < 0 ? fd : 0;

	if (rc == 0 && mm->reserve.end > mm->reserve.start && !mm->reserve_joined) {
		rc = put_in(fd, mm->reserve.start, mm->reserve.end, mm->reserve_prot, true);
		mm->reserve_joined = rc == 0;
	}
	for (size_t i = 0; rc == 0 && i < mm->n; i++) {
		struct vma *v = mm->v[i];

		if (!can_join(v))
			continue;
		rc = put_in(fd, v->start, v->end, v->prot, vma_anon(v));
		v->joined = rc == 0;
	}
	return rc;
}

bool mm_joined(const struct mm *mm)
{
	return mm->joined;
}

/* ---- out of it ---- */

static int take_out(int fd, uint64_t start, uint64_t end, int prot)
{
	off_t at = (off_t)start, hole;

	if (mmap(host_ptr(start), end - start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
		 -1, 0) == MAP_FAILED)
		return -ENOMEM;
	while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && (uint64_t)at < end) {
		hole = lseek(fd, at, SEEK_HOLE);
		if (hole < 0 || (uint64_t)hole > end)
			hole = (off_t)end;
		while (at < hole) {
			ssize_t n = pread(fd, host_ptr((uint64_t)at), (size_t)(hole - at), at);

			if (n <= 0)
				return -ENOMEM;
			at += n;
		}
	}
	return mprotect(host_ptr(start), end - start, host_prot(prot)) < 0 ? -ENOMEM : 0;
}

int mm_part(struct mm *mm)
{
	int rc = 0;

	if (mm->reserve_joined && mm->reserve.end > mm->reserve.start)
		rc = take_out(mm->joined_fd, mm->reserve.start, mm->reserve.end, mm->reserve_prot);
	mm->reserve_joined = false;
	for (size_t i = 0; rc == 0 && i < mm->n; i++) {
		struct vma *v = mm->v[i];

		if (!v->joined)
			continue;
		rc = take_out(mm->joined_fd, v->start, v->end, v->prot);
		v->joined = false;
	}
	if (!fdtable_shared(mm->proc->fds)) /* else it is the parent's, too */
		fd_hidden_close(mm->joined_fd);
	munmap(mm->changes, sizeof(*mm->changes));
	mm->joined = false;
	return rc;
}

int mm_join_zap(uint64_t start, uint64_t end)
{
	return madvise(host_ptr(start), end - start, MADV_REMOVE) < 0 ? -errno : 0;
}

/* ---- changes of mappings ---- */

bool mm_join_new(const struct mm *mm, const struct mm_request *r, uint64_t len)
{
	return mm->joined && !r->src && !r->kernel && (r->flags & MAP_TYPE) == MAP_PRIVATE && len <= LONGEST &&
	       !(r->flags & (MAP_HUGETLB | MAP_GROWSDOWN));
}

int mm_join_map(struct mm *mm, uint64_t start, uint64_t len, int prot, bool replace)
{
	void *want = host_ptr(start), *got;

	if (!mm->following)
		fallocate(mm->joined_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start, (off_t)len);
	got = mmap(want, len, host_prot(prot), MAP_SHARED | MAP_NORESERVE | (replace ? MAP_FIXED : MAP_FIXED_NOREPLACE),
		   mm->joined_fd, (off_t)start);
	if (got != MAP_FAILED && got != want)
		munmap(got, len);
	return got == want ? 0 : -ENOMEM;
}

static void note(struct mm *mm, uint32_t what, uint64_t start, uint64_t len, int prot)
{
	struct join_changes *c = mm->changes;

	if (!mm->joined || mm->following || c->n == CHANGES_MAX || mm->changes_seen != c->n)
		return;
	c->change[c->n].what = what;
	c->change[c->n].prot = prot;
	c->change[c->n].start = start;
	c->change[c->n].len = len;
	mm->changes_seen = ++c->n;
}

void mm_join_mapped(struct mm *mm, uint64_t start, uint64_t len, int prot)
{
	note(mm, JOIN_MAP, start, len, prot);
}

void mm_join_unmapped(struct mm *mm, uint64_t start, uint64_t len)
{
	note(mm, JOIN_UNMAP, start, len, 0);
}

void mm_join_protected(struct mm *mm, uint64_t start, uint64_t len, int prot)
{
	note(mm, JOIN_PROTECT, start, len, prot);
}

void mm_join_brk(struct mm *mm)
{
	note(mm, JOIN_BRK, mm->brk, 0, 0);
}

void mm_join_follow(struct mm *mm)
{
	if (!mm->joined)
		return;
	mm->following = true;
	for (; mm->changes_seen < mm->changes->n; mm->changes_seen++) {
		uint64_t start = mm->changes->change[mm->changes_seen].start, len = mm->changes->change[mm->changes_seen].len;
		int prot = mm->changes->change[mm->changes_seen].prot;
		const struct mm_request r = { .addr = start, .len = len, .prot = prot,
					      .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED };

		switch (mm->changes->change[mm->changes_seen].what) {
		case JOIN_MAP:
			mm_map(mm, &r);
			break;
		case JOIN_UNMAP:
			mm_unmap(mm, start, len);
			break;
		case JOIN_PROTECT:
			mm_protect(mm, start, len, prot);
			break;
		case JOIN_BRK:
			mm->brk = start;
			break;
		}
	}
	mm->following = false;
}
