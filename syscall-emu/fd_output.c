/*
 * Which descriptors are the program's original stdout and stderr, and what a write does to files the guest has mapped.
 */
#include "syscall-emu/fdtable.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/kcmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "syscall-emu/mm.h"
#include "trace/event.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"
#include "vmm/layout.h"

/* Documentation/admin-guide/devices.txt */
#define TTY_MAJOR 4
#define UNIX98_PTY_FIRST 136
#define UNIX98_PTY_LAST 143

static const uint8_t kind_of[3] = { 0, REC_F_STDOUT, REC_F_STDERR };

/* Opened again (/dev/stdout, /dev/fd/1), a pipe or a terminal still leads to the same reader. */
static bool same_destination(const struct stat *st)
{
	unsigned m = major(st->st_rdev);

	return S_ISFIFO(st->st_mode) ||
	       (S_ISCHR(st->st_mode) && (m == TTY_MAJOR || (m >= UNIX98_PTY_FIRST && m <= UNIX98_PTY_LAST)));
}

/* Do the two numbers share one open file? Without kcmp: the same file opened the same way is taken for it. */
static bool same_open_file(struct fdtable *f, int fd, const struct stat *st, int i)
{
	if (st->st_dev != f->saved[i].st.st_dev || st->st_ino != f->saved[i].st.st_ino)
		return false;
	if (same_destination(st))
		return (fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY;
	if (!f->no_kcmp) {
		pid_t pid = getpid();
		long ret = syscall(SYS_kcmp, pid, pid, KCMP_FILE, fd, f->saved[i].fd);

		if (ret >= 0)
			return ret == 0;
		f->no_kcmp = errno == ENOSYS || errno == EPERM;
	}
	return fcntl(fd, F_GETFL) == f->saved[i].flags;
}

static uint8_t find_kind(struct fdtable *f, int fd, const struct stat *st)
{
	/* One open file for both, a terminal: the usual number decides. */
	int first = f->one_file && fd == 2 ? 2 : 1;

	for (int k = 0; k < 2; k++) {
		int i = k ? 3 - first : first;

		if (f->saved[i].fd >= 0 && same_open_file(f, fd, st, i))
			return kind_of[i];
	}
	return 0;
}

void fd_facts_get(struct fdtable *f, int fd, struct fd_facts *out)
{
	struct stat st;

	*out = (struct fd_facts){ 0 };
	if (fd >= 0 && fd < FD_KNOWN && f->known[fd].valid) {
		*out = f->known[fd];
		return;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	*out = (struct fd_facts){ .valid = true, .regular = S_ISREG(st.st_mode), .mode = st.st_mode, .dev = st.st_dev,
				  .rdev = st.st_rdev, .ino = st.st_ino, .kind = find_kind(f, fd, &st) };
	if (fd < FD_KNOWN && !f->shared)
		f->known[fd] = *out;
}

uint8_t fd_output_kind(struct fdtable *f, int fd)
{
	struct fd_facts facts;

	fd_facts_get(f, fd, &facts);
	return facts.kind;
}

void fd_forget(struct fdtable *f, int fd)
{
	if (fd >= 0 && fd < FD_KNOWN)
		f->known[fd].valid = false;
}

void fd_same(struct fdtable *f, int from, int to)
{
	if (from < 0 || from >= FD_KNOWN || to < 0 || to >= FD_KNOWN || !f->known[from].valid)
		return;
	f->known[to] = f->known[from];
	if (f->one_file && f->known[to].kind && to <= 2 && to >= 1)
		f->known[to].kind = kind_of[to];
}

static bool guest_has(struct fdtable *f, int i)
{
	cleanup_closedir DIR *dir = NULL;
	int fd;

	for (fd = 0; fd < FD_KNOWN; fd++)
		if (f->known[fd].valid && f->known[fd].kind &&
		    (f->known[fd].kind == kind_of[i] || f->one_file))
			return true;
	fd = openat(f->proc_root, "thread-self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return true;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return true;
	}
	for (struct dirent *e; (e = readdir(dir));) {
		int n = e->d_name[0] == '.' ? -1 : atoi(e->d_name);
		struct stat st;

		if (n >= 0 && n != fd && !fd_is_ours(n) && fstat(n, &st) == 0 && same_open_file(f, n, &st, i))
			return true;
	}
	return false;
}

/*
 * Our duplicate keeps the file open: a reader of a pipe would wait for ever for the end of a program that closed its
 * stdout and goes on. So it goes when the guest's last one goes.
 */
void fd_output_released(struct fdtable *f)
{
	for (int i = 1; i <= 2; i++) {
		if (f->saved[i].fd < 0 || f->shared || guest_has(f, i))
			continue;
		fd_hidden_close(f->saved[i].fd);
		f->saved[i].fd = -1;
	}
}

static void save_output(struct fdtable *f, int i)
{
	int copy;

	f->saved[i].fd = -1;
	if (fstat(i, &f->saved[i].st) < 0)
		return;
	f->saved[i].flags = fcntl(i, F_GETFL);
	if ((f->saved[i].flags & O_ACCMODE) == O_RDONLY)
		return;
	copy = fcntl(i, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		return;
	f->saved[i].fd = fd_hide(copy);
	if (f->saved[i].fd < 0)
		close(copy);
}

static int keep_hidden(int fd)
{
	int hidden;

	if (fd < 0)
		return -1;
	hidden = fd_hide(fd);
	if (hidden < 0)
		close(fd);
	return hidden < 0 ? -1 : hidden;
}

int fdtable_create(struct fdtable **out)
{
	struct fdtable *f;
	struct stat st;
	ssize_t n;
	int ret = fd_hide_init();

	if (ret < 0)
		return ret;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->saved[0].fd = f->exe_fd = f->mem_fd = -1;
	save_output(f, 1);
	save_output(f, 2);
	f->one_file = f->saved[1].fd >= 0 && f->saved[2].fd >= 0 && same_open_file(f, 2, &f->saved[2].st, 1);
	f->proc_root = keep_hidden(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
	if (f->proc_root < 0) /* not where the guest is */
		f->proc_root = keep_hidden(fcntl(proc_self_root(), F_DUPFD_CLOEXEC, 0));
	if (f->proc_root >= 0 && fstatat(f->proc_root, "self/exe", &st, 0) == 0) {
		f->self_dev = st.st_dev;
		f->self_ino = st.st_ino;
	}
	n = readlinkat(f->proc_root, "self/exe", f->self_path, sizeof(f->self_path) - 1);
	f->self_path[n < 0 ? 0 : n] = 0;
	*out = f;
	return 0;
}

void fdtable_destroy(struct fdtable *f)
{
	if (!f)
		return;
	for (int i = 1; i <= 2; i++)
		if (f->saved[i].fd >= 0)
			fd_hidden_close(f->saved[i].fd);
	if (f->proc_root >= 0)
		fd_hidden_close(f->proc_root);
	if (f->exe_fd >= 0)
		fd_hidden_close(f->exe_fd);
	if (f->mem_fd >= 0)
		fd_hidden_close(f->mem_fd);
	free(f->buf);
	free(f);
}

int fdtable_share(struct fdtable *f)
{
	int rc = fd_hide_share();

	if (rc < 0)
		return rc;
	f->shared = true;
	memset(f->known, 0, sizeof(f->known));
	return 0;
}

bool fdtable_shared(const struct fdtable *f)
{
	return f->shared;
}

void fdtable_copied(struct fdtable *f, bool parent_waits)
{
	fd_hide_copied(parent_waits);
	f->shared = false;
}

int fdtable_copy(const struct fdtable *f, struct fdtable **out)
{
	struct fdtable *c = malloc(sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = *f;
	c->buf = NULL;
	*out = c;
	return 0;
}

_Static_assert(RLIM_NLIMITS <= 16, "struct fdtable_state");

void fdtable_save(const struct fdtable *f, struct fdtable_state *s)
{
	memset(s, 0, sizeof(*s));
	for (int i = 0; i < 3; i++)
		s->saved[i] = f->saved[i].fd;
	s->one_file = f->one_file;
	for (int i = 0; i < RLIM_NLIMITS; i++)
		s->limit[i] = (struct fdtable_limit){ f->limit[i].set, f->limit[i].guest.rlim_cur, f->limit[i].guest.rlim_max,
						      f->limit[i].headroom };
}

/* What fdtable_create() took for the original outputs are the ones of the new image. */
int fdtable_restore(struct fdtable *f, const struct fdtable_state *s)
{
	for (int i = 1; i <= 2; i++) {
		if (f->saved[i].fd >= 0)
			fd_hidden_close(f->saved[i].fd);
		f->saved[i].fd = s->saved[i] < 0 ? -1 : fd_hide(s->saved[i]);
		if (f->saved[i].fd < 0)
			continue;
		if (fstat(f->saved[i].fd, &f->saved[i].st) < 0)
			return -errno;
		f->saved[i].flags = fcntl(f->saved[i].fd, F_GETFL);
	}
	f->one_file = s->one_file;
	for (int i = 0; i < RLIM_NLIMITS; i++)
		f->limit[i] = (struct shown_limit){ s->limit[i].set, { s->limit[i].cur, s->limit[i].max },
						    s->limit[i].headroom };
	return 0;
}

char *fd_buffer(struct fdtable *f)
{
	if (!f->buf)
		f->buf = malloc(FD_COPY_MAX);
	return f->buf;
}

/* ---- hooks ---- */

bool fd_file_mapped(const struct mm *mm, const struct fd_facts *facts)
{
	if (!facts->valid || !facts->regular || !mm)
		return false;
	for (const struct vma *v = mm_next(mm, NULL); v; v = mm_next(mm, v))
		if (v->ino == facts->ino && v->dev == facts->dev && !(v->flags & MAP_ANONYMOUS))
			return true;
	return false;
}

/* Where a write of ret bytes that has just succeeded went, or -1. */
static int64_t written_at(const struct plan *p, int fd, int64_t ret)
{
	bool positioned = p->nr == SYS_pwrite64 || p->nr == SYS_pwritev || p->nr == SYS_pwritev2;
	int64_t at = (int64_t)p->arg[3];
	struct stat st;

	if (!positioned || (p->nr == SYS_pwritev2 && at == -1))
		return lseek(fd, 0, SEEK_CUR) - ret;
	/* Linux appends whatever offset pwrite names. */
	if (fcntl(fd, F_GETFL) & O_APPEND)
		return fstat(fd, &st) < 0 ? -1 : st.st_size - ret;
	return at;
}

int64_t post_write(struct task *t, struct plan *p, int64_t ret)
{
	struct fdtable *f = t->proc->fds;
	int fd = (int)p->arg[0];
	struct fd_facts facts;
	int64_t at;

	if (ret <= 0)
		return ret;
	fd_facts_get(f, fd, &facts);
	p->ev_flags |= facts.kind;
	if (!fd_file_mapped(t->proc->mm, &facts))
		return ret;
	at = written_at(p, fd, ret);
	if (at >= 0)
		mm_file_written(t, p, fd, (uint64_t)at, (uint64_t)ret);
	return ret;
}

static void truncated(struct task *t, struct plan *p, int fd, uint64_t off, uint64_t len)
{
	struct fd_facts facts = { 0 };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return;
	facts = (struct fd_facts){ .valid = true, .regular = S_ISREG(st.st_mode), .dev = st.st_dev, .ino = st.st_ino };
	if (!fd_file_mapped(t->proc->mm, &facts))
		return;
	/* Everything behind a shift, and the rest of the last page. */
	if (!len || off + len < off)
		len = (uint64_t)st.st_size > off ? (uint64_t)st.st_size - off : 0;
	len = ((off + len + PAGE_SIZE_4K - 1) & ~(PAGE_SIZE_4K - 1)) - off;
	mm_file_written(t, p, fd, off, len); /* even of nothing: the file may have another size */
}

int64_t post_truncate(struct task *t, struct plan *p, int64_t ret)
{
	if (ret < 0)
		return ret;
	if (p->nr == SYS_ftruncate) {
		truncated(t, p, (int)p->arg[0], p->arg[1], 0);
	} else if (p->nr == SYS_truncate) {
		char path[PATH_MAX];
		cleanup_close int fd = -1;

		if (guest_string(path, p->arg[0], sizeof(path)) >= 0)
			fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd >= 0)
			truncated(t, p, fd, p->arg[1], 0);
	} else if (p->nr == SYS_fallocate && (int)p->arg[1] & ~FALLOC_FL_KEEP_SIZE) {
		bool shift = (int)p->arg[1] & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE);

		truncated(t, p, (int)p->arg[0], p->arg[2], shift ? 0 : p->arg[3]);
	}
	return ret;
}
