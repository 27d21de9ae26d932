/*
 * /proc/self/mem. The guest never holds a real one: it gets a descriptor of one sealed, empty memfd, which has an open
 * mode and a file position of its own and is harmless wherever it goes (dup, fork, SCM_RIGHTS). Reads and writes are
 * recognised by the memfd's inode and carried out on guest addresses only.
 */
#include "syscall-emu/procfs.h"
#include "syscall-emu/text_patch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "syscall-emu/mm.h"
#include "trace/event.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"
#include "vmm/layout.h"

int procfs_mem_open(struct fdtable *f, int flags)
{
	struct stat st;

	if (f->mem_fd < 0) {
		int fd = memfd_create(PROC_MEMFD "/proc/self/mem", MFD_CLOEXEC | MFD_ALLOW_SEALING);

		if (fd < 0)
			return -errno;
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
		if (fstat(fd, &st) < 0 || (f->mem_fd = fd_hide(fd)) < 0) {
			close(fd);
			f->mem_fd = -1;
			return -EMFILE;
		}
		f->mem_dev = st.st_dev;
		f->mem_ino = st.st_ino;
	}
	return fd_reopen(f, f->mem_fd, (flags & (O_ACCMODE | O_NONBLOCK)) | O_CLOEXEC);
}

static bool is_mem(const struct fdtable *f, int fd)
{
	struct stat st;

	return f->mem_fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == f->mem_dev && st.st_ino == f->mem_ino;
}

/* One page's worth at most: bytes moved, 0 where memory is not the guest's or not there. */
static size_t move_page(struct task *t, struct plan *p, int mem, bool writing, uint64_t buf, uint64_t at, size_t len)
{
	char page[PAGE_SIZE_4K];
	ssize_t n;

	if (!guest_range_ok(at, len) || !mm_range_ok(t->proc->mm, at, len))
		return 0;
	if (writing) {
		if (guest_read(page, buf, len) < 0)
			return 0;
		text_patch_written(t->proc->mm, at, len);
		n = pwrite(mem, page, len, (off_t)at);
		if (n > 0)
			plan_add(p, at, (uint64_t)n, DATA_MEMORY, page);
	} else {
		n = pread(mem, page, len, (off_t)at);
		if (n > 0 && guest_write(buf, page, (size_t)n) < 0)
			return 0;
	}
	return n < 0 ? 0 : (size_t)n;
}

static uint64_t move(struct task *t, struct plan *p, int mem, bool writing, uint64_t buf, uint64_t at, uint64_t len)
{
	uint64_t done = 0;

	while (done < len) {
		uint64_t piece = PAGE_SIZE_4K - ((at + done) & (PAGE_SIZE_4K - 1));
		size_t n;

		if (piece > len - done)
			piece = len - done;
		n = move_page(t, p, mem, writing, buf + done, at + done, (size_t)piece);
		done += n;
		if (n < piece)
			break;
	}
	return done;
}

/* The pieces of guest memory the row names: one buffer, or those of an iovec array in order. */
static int64_t move_all(struct task *t, struct plan *p, int mem, bool writing, uint64_t at)
{
	uint64_t done = 0, wanted = 0;

	for (uint32_t i = 0; i < p->nregions; i++) {
		const struct plan_region *r = &p->region[i];
		uint64_t n;

		if (r->mem->sub)
			continue;
		wanted += r->cap;
		n = move(t, p, mem, writing, r->addr, at + done, r->cap);
		done += n;
		if (n < r->cap)
			break;
	}
	return done || !wanted ? (int64_t)done : -EIO;
}

static int64_t mem_io(struct task *t, struct plan *p, bool writing, bool positioned)
{
	int fd = (int)p->arg[0], mode = fcntl(fd, F_GETFL) & O_ACCMODE;
	cleanup_close int mem = -1;
	int64_t at, ret;

	if (mode == (writing ? O_RDONLY : O_WRONLY))
		return -EBADF;
	at = positioned ? (int64_t)p->arg[3] : lseek(fd, 0, SEEK_CUR);
	if (at < 0)
		return -EINVAL;
	mem = proc_self_open("mem", O_RDWR);
	if (mem < 0)
		return -EIO;
	ret = move_all(t, p, mem, writing, (uint64_t)at);
	if (ret > 0 && !positioned)
		lseek(fd, at + ret, SEEK_SET);
	return ret;
}

int64_t do_io(struct task *t, struct plan *p)
{
	int64_t at = (int64_t)p->arg[3];

	if (t->proc->fds->mem_fd < 0 || !is_mem(t->proc->fds, (int)p->arg[0]))
		return other_mem_io(t, p);
	switch (p->nr) {
	case SYS_read:
	case SYS_readv: return mem_io(t, p, false, false);
	case SYS_write:
	case SYS_writev: return mem_io(t, p, true, false);
	case SYS_pread64:
	case SYS_preadv: return mem_io(t, p, false, true);
	case SYS_pwrite64:
	case SYS_pwritev: return mem_io(t, p, true, true);
	case SYS_preadv2: return mem_io(t, p, false, at != -1);
	case SYS_pwritev2: return mem_io(t, p, true, at != -1);
	default: return plan_forward(p, t);
	}
}
