/*
 * System V shared memory: attached where our allocator says. What replay needs is the annex of shmat's event; there the
 * segment is a memfd, and the content at the time of the attachment comes from the event. Source: shmop(2).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>

#include "syscall-emu/mm_int.h"
#include "syscall-emu/session.h"
#include "trace/event.h"

#define SHM_FLAGS_ADDR (SHM_RDONLY | SHM_RND | SHM_REMAP | SHM_EXEC)

struct shm_annex {
	uint64_t size;
	int32_t id;
	uint32_t key;
};

static int memfd_for(struct task *t, const struct shm_annex *a)
{
	struct session *s = t->proc->sess;
	int fd = s->ops->segment(s, a->id);

	return fd >= 0 && ftruncate(fd, (off_t)a->size) < 0 ? -errno : fd;
}

/* Where the segment goes: page-aligned, free unless SHM_REMAP. */
static int64_t place(struct mm *mm, uint64_t addr, uint64_t len, int flags)
{
	if (!addr)
		return flags & SHM_REMAP ? -EINVAL : space_find(mm, len, PAGE_SIZE_4K, false);
	if (addr & ~PAGE_MASK_4K) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		addr = page_down(addr);
		if (!addr)
			return flags & SHM_REMAP ? -EINVAL : space_find(mm, len, PAGE_SIZE_4K, false);
	}
	if (addr < GUEST_MIN || !guest_range_ok(addr, len) || space_hole(mm, addr, addr + len))
		return -EINVAL;
	if (!(flags & SHM_REMAP) && !space_free(mm, addr, addr + len))
		return -EINVAL;
	return (int64_t)addr;
}

static int attach_host(struct task *t, const struct shm_annex *a, uint64_t addr, int flags, int prot, bool recorded)
{
	uint64_t len = page_up(a->size);
	void *want = host_ptr(addr), *got;
	int fd;

	if (!recorded) {
		/* The place is free but for what SHM_REMAP replaces, and set_remove follows. */
		got = shmat(a->id, want, (flags & ~SHM_RND) | SHM_REMAP);
		return got == (void *)-1 ? -errno : 0;
	}
	fd = memfd_for(t, a);
	if (fd < 0)
		return fd;
	got = mmap(want, len, host_prot(prot), MAP_SHARED | MAP_FIXED, fd, 0);
	return got == MAP_FAILED ? -errno : 0;
}

static int64_t attach(struct task *t, const struct shm_annex *a, uint64_t where, int flags, bool recorded)
{
	struct mm *mm = t->proc->mm;
	uint64_t len = page_up(a->size);
	int prot = PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) | (flags & SHM_EXEC ? PROT_EXEC : 0);
	char name[40];
	struct vma like = { .prot = prot, .flags = MAP_SHARED, .dev = 1, .ino = (uint64_t)(uint32_t)a->id, .name = name,
			    .may = prot | PROT_READ | PROT_EXEC, .segment = a->id + 1 };
	int64_t addr = place(mm, where, len, flags);
	struct vma *v;
	int rc;

	if (addr < 0)
		return addr;
	snprintf(name, sizeof(name), "/SYSV%08x (deleted)", a->key);
	like.start = (uint64_t)addr;
	like.end = like.start + len;
	v = set_prepare(mm, &like);
	rc = v ? set_split(mm, like.start, like.end) : -ENOMEM;
	if (rc == 0) {
		mm_drop_reserve(mm, like.start, like.end);
		rc = vm_deny(mm->vm, like.start, len);
	}
	if (rc == 0)
		rc = attach_host(t, a, like.start, flags, prot, recorded);
	if (rc < 0) {
		set_drop(v);
		set_merge(mm, like.start, like.end);
		space_released(mm, like.end);
		return rc;
	}
	set_remove(mm, like.start, like.end);
	set_insert(mm, v);
	fill_new(mm, mm_find(mm, like.start), like.start, like.end);
	return addr;
}

int64_t do_shmat(struct task *t, struct plan *p)
{
	struct session *s = t->proc->sess;
	bool recorded = p->annex_len == sizeof(struct shm_annex);
	int flags = (int)p->arg[2];
	struct shm_annex a = { 0 };
	struct shmid_ds ds;
	int64_t addr;

	if (recorded) {
		memcpy(&a, p->annex, sizeof(a));
		if (!a.size || a.size > GUEST_TOP || a.id < 0 || a.id == INT32_MAX)
			return -EBADMSG;
		return attach(t, &a, p->arg[1], flags, true);
	}
	if ((int)p->arg[0] < 0 || (int)p->arg[0] == INT32_MAX)
		return -EINVAL;
	if (shmctl((int)p->arg[0], IPC_STAT, &ds) < 0)
		return -errno;
	a = (struct shm_annex){ ds.shm_segsz, (int)p->arg[0], (uint32_t)ds.shm_perm.__key };
	s->ops->shares(s, t);
	addr = attach(t, &a, p->arg[1], flags & SHM_FLAGS_ADDR, false);
	if (addr < 0)
		return addr;
	plan_set_annex(p, &a, sizeof(a));
	plan_add(p, (uint64_t)addr, a.size, DATA_MEMORY, NULL);
	return addr;
}

int64_t do_shmdt(struct task *t, struct plan *p)
{
	struct mm *mm = t->proc->mm;
	uint64_t addr = p->arg[0], end;
	const struct vma *v;
	int segment;

	if (addr & ~PAGE_MASK_4K)
		return -EINVAL;
	/* Linux takes the mapping of a segment that would have been attached at this address, and its siblings. */
	v = mm_find(mm, addr);
	if (!v || !v->segment || v->start - v->offset != addr)
		return -EINVAL;
	segment = v->segment;
	for (end = v->end; (v = mm_find(mm, end)) && v->segment == segment && v->start - v->offset == addr;)
		end = v->end;
	return mm_unmap(mm, addr, end - addr);
}
