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

void mm_file_written(struct task *t, struct plan *p, int fd, uint64_t off, uint64_t len)
{
	struct mm *mm = t->proc->mm;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	if (off + len < off)
		len = UINT64_MAX - off;
	for (size_t i = 0; i < mm->n; i++) {
		struct vma *v = mm->v[i];

		if (!vma_anon(v) && !v->segment && v->dev == st.st_dev && v->ino == st.st_ino)
			log_mapping(p, v, off, len, (uint64_t)st.st_size);
	}
}
