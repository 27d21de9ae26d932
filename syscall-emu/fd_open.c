/*
 * Calls that take a path and may end at something of ours: /proc/self/exe is sandrec's binary, /proc/self/fd/N may be one
 * of our descriptors, other files of /proc/self describe the VMM.
 */
#include "syscall-emu/mm.h"
#include "syscall-emu/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "vmm/cleanup.h"

#define LINKS_MAX 40 /* as Linux: then it is ELOOP */

int fd_reopen(const struct fdtable *f, int fd, int flags)
{
	char name[48];
	int ret;

	snprintf(name, sizeof(name), "thread-self/fd/%d", fd);
	ret = openat(f->proc_root, name, flags);
	return ret < 0 ? -errno : ret;
}

bool fd_on_procfs(int fd, const struct stat *st)
{
	struct statfs fs;

	/* Every procfs has a device number of its own, with major 0 like all file systems without a device. */
	return major(st->st_dev) == 0 && fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

int fd_open_exe(struct process *p, int flags)
{
	int ret;

	flags &= ~(O_CREAT | O_EXCL | O_NOFOLLOW | O_TRUNC);
	if (p->fds->exe_fd >= 0)
		return fd_reopen(p->fds, p->fds->exe_fd, flags);
	ret = open(p->exe, flags);
	return ret < 0 ? -errno : ret;
}

static bool is_self(const struct fdtable *f, dev_t dev, ino_t ino)
{
	return f->self_ino && dev == f->self_dev && ino == f->self_ino;
}

/* The directory a path's last component is looked up in, as a new O_PATH descriptor; *base: that component. */
static int open_parent(int dirfd, const char *path, const char **base)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *dir = NULL;
	int ret;

	*base = slash ? slash + 1 : path;
	dir = !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
	if (!dir)
		return -ENOMEM;
	ret = openat(dirfd, dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return ret < 0 ? -errno : ret;
}

/* Does following the last component of path go through a link of procfs? Asked only for paths that end at our binary. */
static bool through_procfs(int dirfd, const char *path)
{
	char name[PATH_MAX];
	cleanup_close int dir = -1;

	snprintf(name, sizeof(name), "%s", path);
	for (int i = 0; i < LINKS_MAX; i++) {
		const char *base;
		int parent = open_parent(dir < 0 ? dirfd : dir, name, &base);
		cleanup_close int link = -1;
		struct stat st;
		char target[PATH_MAX];
		ssize_t n;

		if (parent < 0)
			return false;
		if (dir >= 0)
			close(dir);
		dir = parent;
		link = openat(dir, base, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (link < 0 || fstat(link, &st) < 0 || !S_ISLNK(st.st_mode))
			return false;
		if (fd_on_procfs(link, &st))
			return true;
		n = readlinkat(link, "", target, sizeof(target) - 1);
		if (n < 0)
			return false;
		target[n] = 0;
		memcpy(name, target, (size_t)n + 1);
	}
	return false;
}

/* Is path .../fd/N or .../fdinfo/N of our process with N one of our descriptors? */
static bool names_our_fd(struct fdtable *f, int dirfd, const char *path)
{
	const char *base = strrchr(path, '/');
	char *end;
	cleanup_close int parent = -1;
	char real[PATH_MAX];
	enum proc_entry e;
	long n, ignored;

	base = base ? base + 1 : path;
	if (*base < '0' || *base > '9')
		return false;
	n = strtol(base, &end, 10);
	if (*end || n > INT_MAX || !fd_is_ours((int)n))
		return false;
	parent = open_parent(dirfd, path, &base);
	if (parent < 0)
		return false;
	e = proc_entry_of(f, parent, real, sizeof(real), &ignored);
	return e == PROC_FD_DIR || e == PROC_FDINFO_DIR;
}

/* fd is our binary, reached as /proc/.../exe: the same number becomes the guest's program. */
static int64_t put_exe(struct task *t, int fd, int flags)
{
	cleanup_close int exe = fd_open_exe(t->proc, flags | O_CLOEXEC);
	int ret;

	if (exe < 0) {
		close(fd);
		return exe;
	}
	ret = dup3(exe, fd, flags & O_CLOEXEC);
	if (ret < 0) {
		ret = -errno;
		close(fd);
	}
	return ret;
}

static int64_t open_done(struct task *t, struct plan *p, int64_t ret, int dirfd, const char *path, int flags)
{
	struct fdtable *f = t->proc->fds;
	struct stat st;
	int fd = (int)ret;

	if (ret < 0)
		return ret;
	fd_forget(f, fd);
	if (f->proc_root < 0 || fstat(fd, &st) < 0)
		return ret;
	if (is_self(f, st.st_dev, st.st_ino) && through_procfs(dirfd, path))
		return put_exe(t, fd, flags);
	if (S_ISREG(st.st_mode) && !st.st_nlink && fd_is_our_object(st.st_dev, st.st_ino)) {
		close(fd);
		return -ENOENT;
	}
	if (flags & O_TRUNC && S_ISREG(st.st_mode))
		mm_file_written(t, p, fd, 0, 0); /* its mappings have lost their pages */
	if (!fd_on_procfs(fd, &st))
		return ret;
	/* It may tell of the thread that asks. */
	if (t->served) {
		close(fd);
		return SYS_ERESTARTSYS;
	}
	return procfs_replace(t, fd, flags);
}

/* dirfd and arg: where the path is. An unreadable path is Linux's to refuse. */
static int64_t open_common(struct task *t, struct plan *p, int dirfd, unsigned arg, int flags)
{
	char path[PATH_MAX];

	if (guest_string(path, p->arg[arg], sizeof(path)) < 0)
		return plan_forward(p, t);
	if (names_our_fd(t->proc->fds, dirfd, path))
		return -ENOENT;
	return open_done(t, p, plan_forward(p, t), dirfd, path, flags);
}

int64_t do_open(struct task *t, struct plan *p)
{
	return open_common(t, p, AT_FDCWD, 0, (int)p->arg[1]);
}

int64_t do_creat(struct task *t, struct plan *p)
{
	return open_common(t, p, AT_FDCWD, 0, O_CREAT | O_WRONLY | O_TRUNC);
}

int64_t do_openat(struct task *t, struct plan *p)
{
	return open_common(t, p, (int)p->arg[0], 1, (int)p->arg[2]);
}

int64_t do_openat2(struct task *t, struct plan *p)
{
	uint64_t flags;

	if (p->arg[3] < sizeof(struct open_how) || guest_read(&flags, p->arg[2], sizeof(flags)) < 0)
		return plan_forward(p, t);
	return open_common(t, p, (int)p->arg[0], 1, (int)flags);
}

/* ---- reading links ---- */

/* Is the link itself (path not followed) on procfs? */
static bool link_on_procfs(int dirfd, const char *path)
{
	cleanup_close int link = -1;
	struct stat st;

	if (!*path)
		return fstat(dirfd, &st) == 0 && fd_on_procfs(dirfd, &st);
	link = openat(dirfd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return link >= 0 && fstat(link, &st) == 0 && fd_on_procfs(link, &st);
}

static int64_t exe_name(struct process *p, char *buf, size_t size)
{
	char name[48];
	ssize_t n = -1;
	size_t len;

	if (p->fds->exe_fd >= 0) {
		snprintf(name, sizeof(name), "thread-self/fd/%d", p->fds->exe_fd);
		n = readlinkat(p->fds->proc_root, name, buf, size);
	}
	if (n >= 0)
		return n;
	len = strnlen(p->exe, size < sizeof(p->exe) ? size : sizeof(p->exe));
	memcpy(buf, p->exe, len);
	return (int64_t)len;
}

/* What the guest is to read instead of the n bytes in buf (size bytes). */
static int64_t link_text(struct task *t, int dirfd, const char *path, char *buf, size_t size, int64_t n)
{
	static const char memfd[] = "/memfd:" PROC_MEMFD, deleted[] = " (deleted)";
	struct fdtable *f = t->proc->fds;
	size_t len = (size_t)n, self = strlen(f->self_path), skip = sizeof(memfd) - 1, tail = sizeof(deleted) - 1;

	if (self && len == self && !memcmp(buf, f->self_path, self) && link_on_procfs(dirfd, path))
		return exe_name(t->proc, buf, size);
	if (len < skip + tail || memcmp(buf, memfd, skip) || memcmp(buf + len - tail, deleted, tail))
		return n;
	memmove(buf, buf + skip, len - skip - tail);
	return (int64_t)(len - skip - tail);
}

static int64_t readlink_common(struct task *t, struct plan *p, int dirfd, unsigned arg)
{
	char path[PATH_MAX], text[PATH_MAX + 64];
	int64_t size = (int)p->arg[arg + 2], ret;

	if (size <= 0 || guest_string(path, p->arg[arg], sizeof(path)) < 0 || t->proc->fds->proc_root < 0)
		return plan_forward(p, t);
	if (names_our_fd(t->proc->fds, dirfd, path))
		return -ENOENT;
	/* Into a buffer of ours: a longer text than the one the guest gets must leave no trace in its memory. */
	p->host_arg[arg + 1] = (uint64_t)(uintptr_t)text;
	p->host_arg[arg + 2] = sizeof(text);
	ret = plan_forward(p, t);
	if (ret < 0)
		return ret;
	ret = link_text(t, dirfd, path, text, sizeof(text), ret);
	if (ret > size)
		ret = size;
	return guest_write(p->arg[arg + 1], text, (size_t)ret) < 0 ? -EFAULT : ret;
}

int64_t do_readlink(struct task *t, struct plan *p)
{
	return readlink_common(t, p, AT_FDCWD, 0);
}

int64_t do_readlinkat(struct task *t, struct plan *p)
{
	return readlink_common(t, p, (int)p->arg[0], 1);
}

/* ---- stat: hooks after a successful call ---- */

/* Is the guest being told about our binary under the name of its own? */
static bool told_self(struct task *t, int dirfd, uint64_t path, dev_t dev, ino_t ino)
{
	struct fdtable *f = t->proc->fds;
	char name[PATH_MAX];

	if (!is_self(f, dev, ino) || guest_string(name, path, sizeof(name)) < 0 || !*name)
		return false;
	return through_procfs(dirfd, name);
}

static int64_t stat_exe(struct task *t, int dirfd, uint64_t path, uint64_t buf, int64_t ret)
{
	struct stat st;
	cleanup_close int exe = -1;

	if (ret < 0 || guest_read(&st, buf, sizeof(st)) < 0 || !told_self(t, dirfd, path, st.st_dev, st.st_ino))
		return ret;
	exe = fd_open_exe(t->proc, O_PATH | O_CLOEXEC);
	if (exe >= 0 && fstat(exe, &st) == 0)
		guest_write(buf, &st, sizeof(st));
	return ret;
}

int64_t post_stat_exe(struct task *t, struct plan *p, int64_t ret)
{
	return stat_exe(t, AT_FDCWD, p->arg[0], p->arg[1], ret);
}

int64_t post_newfstatat_exe(struct task *t, struct plan *p, int64_t ret)
{
	return stat_exe(t, (int)p->arg[0], p->arg[1], p->arg[2], ret);
}

int64_t post_statx_exe(struct task *t, struct plan *p, int64_t ret)
{
	struct statx sx;
	cleanup_close int exe = -1;

	if (ret < 0 || guest_read(&sx, p->arg[4], sizeof(sx)) < 0 ||
	    !told_self(t, (int)p->arg[0], p->arg[1], makedev(sx.stx_dev_major, sx.stx_dev_minor), sx.stx_ino))
		return ret;
	exe = fd_open_exe(t->proc, O_PATH | O_CLOEXEC);
	if (exe >= 0 && statx(exe, "", AT_EMPTY_PATH | ((int)p->arg[2] & ~AT_SYMLINK_NOFOLLOW), (unsigned)p->arg[3], &sx) == 0)
		guest_write(p->arg[4], &sx, sizeof(sx));
	return ret;
}

bool fd_is_own_binary(const struct fdtable *f, const struct stat *st)
{
	return st->st_dev == f->self_dev && st->st_ino == f->self_ino;
}
