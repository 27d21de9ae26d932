/* Mappings of a file that the guest writes with other calls: what they show from now on is logged. Contract: mm.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "syscall-emu/mm_int.h"
#include "trace/event.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"

#define PIECE 65536

/* Through /proc/self/mem, which reads what the guest may not and stops at pages that are not there. */
static void log_unreadable(struct plan *p, uint64_t start, uint64_t end)
{
	cleanup_close int fd = proc_self_open("mem", O_RDONLY);
	cleanup_free char *buf = malloc(PIECE);

	while (fd >= 0 && buf && start < end) {
		ssize_t n = pread(fd, buf, min_u64(end - start, PIECE), (off_t)start);

		if (n <= 0)
			return;
		if (plan_add(p, start, (uint64_t)n, DATA_MEMORY, buf) < 0)
			return;
		start += (uint64_t)n;
	}
}

static void log_mapping(struct plan *p, struct vma *v, uint64_t off, uint64_t len, uint64_t size)
{
	uint64_t from = max_u64(off, v->offset), to = min_u64(off + len, v->offset + (v->end - v->start));

	/* Behind the last page of the file there is nothing to read. */
	to = min_u64(to, page_up(size));
	if (from >= to)
		return;
	from += v->start - v->offset;
	to += v->start - v->offset;
	if (!(v->flags & MAP_SHARED))
		v->changed = true;
	if (v->prot)
		plan_add(p, from, to - from, DATA_MEMORY, NULL);
	else
		log_unreadable(p, from, to);
}

static bool maps_file(const struct vma *v, uint64_t dev, uint64_t ino)
{
	return !vma_anon(v) && !v->segment && v->dev == dev && v->ino == ino;
}

/* Only where pages come or go: the rest of the last page is content. */
static bool note_size(struct vma *v, uint64_t size)
{
	bool other = page_up(v->file_size) != page_up(size);

	v->file_size = size;
	return other;
}

static void log_size(struct mm *mm, struct plan *p, const struct stat *st)
{
	struct file_size now = { st->st_dev, st->st_ino, (uint64_t)st->st_size };
	bool other = false;

	for (size_t i = 0; i < mm->n; i++)
		if (maps_file(mm->v[i], now.dev, now.ino))
			other |= note_size(mm->v[i], now.size);
	if (other)
		plan_add(p, 0, sizeof(now), DATA_FILE_SIZE, &now);
}

void mm_file_written(struct task *t, struct plan *p, int fd, uint64_t off, uint64_t len)
{
	struct mm *mm = t->proc->mm;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	if (off + len < off)
		len = UINT64_MAX - off;
	log_size(mm, p, &st);
	for (size_t i = 0; i < mm->n; i++) {
		struct vma *v = mm->v[i];

		if (maps_file(v, st.st_dev, st.st_ino))
			log_mapping(p, v, off, len, (uint64_t)st.st_size);
	}
}

/* A file of zeros takes the place of [from, end) of the mapping. */
static int map_tail(const struct vma *v, uint64_t from, uint64_t size)
{
	uint64_t at = max_u64(v->start, v->start + from - v->offset);
	cleanup_close int fd = memfd_create("sandrec-file", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return -errno;
	if (mmap(host_ptr(at), v->end - at, host_prot(v->prot), MAP_PRIVATE | MAP_FIXED, fd, (off_t)(v->offset + at - v->start)) ==
	    MAP_FAILED)
		return -errno;
	return 0;
}

int mm_file_sized(struct mm *mm, uint64_t dev, uint64_t ino, uint64_t size)
{
	for (size_t i = 0; i < mm->n; i++) {
		struct vma *v = mm->v[i];
		uint64_t from = page_up(min_u64(size, v->file_size));
		int rc;

		if (!maps_file(v, dev, ino) || !note_size(v, size) || v->flags & MAP_SHARED || from >= v->offset + (v->end - v->start))
			continue;
		rc = map_tail(v, max_u64(from, v->offset), size);
		if (rc < 0)
			return rc;
	}
	return 0;
}
