/* Which system calls the server may make. Contract: serve_calls.h. */
#include <linux/magic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>

#include "syscall-emu/serve_calls.h"

/* Where a read or write of a plain file waits for nothing but a disk. procfs and its like have files that wait for events. */
static bool plain_file_system(int fd, const struct stat *st)
{
	static __thread struct { dev_t dev; bool known, plain; } cache[16];
	unsigned at = (unsigned)(st->st_dev ^ st->st_dev >> 8) % 16;
	struct statfs fs;

	if (cache[at].known && cache[at].dev == st->st_dev)
		return cache[at].plain;
	if (fstatfs(fd, &fs) < 0)
		return false;
	cache[at].dev = st->st_dev;
	cache[at].known = true;
	switch ((uint32_t)fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
	case SQUASHFS_MAGIC:
	case ISOFS_SUPER_MAGIC:
	case MSDOS_SUPER_MAGIC:
		return cache[at].plain = true;
	}
	return cache[at].plain = false;
}

/* Answers at once: files, directories, /dev/null, /dev/zero, /dev/full, /dev/urandom. One that is not open is an error at once. */
static bool plain_file(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return true;
	if (S_ISCHR(st.st_mode))
		return major(st.st_rdev) == 1 && (minor(st.st_rdev) == 3 || minor(st.st_rdev) == 5 || minor(st.st_rdev) == 7 ||
						   minor(st.st_rdev) == 9);
	return (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) && plain_file_system(fd, &st);
}

/* The signal for a file that grows beyond its limit is sent to the thread that writes. */
static bool sizes_unlimited(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
}

/* /proc/thread-self is the thread that asks; everything else in a file system is the same for all of a process. */
static bool same_for_all(uint64_t addr)
{
	char name[4096];

	return guest_string(name, addr, sizeof(name)) >= 0 && !strstr(name, "thread-self");
}

static bool path_argument(const struct sys_desc *d, const struct guest_regs *r)
{
	const uint64_t args[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };

	for (unsigned i = 0; i < d->nargs; i++)
		if (d->arg[i] == A_PATH && !same_for_all(args[i]))
			return false;
	return true;
}

bool serve_row_allows(const struct task *t, const struct sys_desc *d)
{
	if (t->proc->sess->ops->injects)
		return !d || d->replay == INJECT;
	return d && d->serve > SERVE_ALTERS;
}

bool serve_can(const struct task *t, const struct sys_desc *d)
{
	const struct guest_regs *r = t->regs;

	if (!serve_row_allows(t, d) || t->proc->sess->ops->injects)
		return serve_row_allows(t, d);
	switch ((enum sys_serve)d->serve) {
	case SERVE_NO:
	case SERVE_ALTERS:
		return false;
	case SERVE_ANY:
		return true;
	case SERVE_FILE:
		return plain_file((int)r->rdi);
	case SERVE_WRITE:
		return plain_file((int)r->rdi) && sizes_unlimited();
	case SERVE_PATH:
		return path_argument(d, r);
	case SERVE_CLOCK: /* the processor times of threads have other numbers */
		return r->rdi <= CLOCK_MONOTONIC_COARSE && r->rdi != CLOCK_THREAD_CPUTIME_ID;
	case SERVE_SELF: /* RUSAGE_THREAD */
		return (int)r->rdi != RUSAGE_THREAD;
	}
	return false;
}
