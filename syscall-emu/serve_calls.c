/* Which system calls the server may make. Contract: serve_calls.h. */
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>

#include "syscall-emu/fdtable.h"
#include "syscall-emu/serve_calls.h"

/* Where a read or write of a plain file waits for nothing but a disk. procfs and its like have files that wait for events. */
static bool plain_file_system(int fd, dev_t dev)
{
	static __thread struct { dev_t dev; bool known, plain; } cache[16];
	unsigned at = (unsigned)(dev ^ dev >> 8) % 16;
	struct statfs fs;

	if (cache[at].known && cache[at].dev == dev)
		return cache[at].plain;
	if (fstatfs(fd, &fs) < 0)
		return false;
	cache[at].dev = dev;
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
static bool plain_file(const struct task *t, int fd)
{
	struct fd_facts f;

	fd_facts_get(t->proc->fds, fd, &f);
	if (!f.valid)
		return true;
	if (S_ISCHR(f.mode))
		return major(f.rdev) == 1 && (minor(f.rdev) == 3 || minor(f.rdev) == 5 || minor(f.rdev) == 7 ||
					      minor(f.rdev) == 9);
	return (S_ISREG(f.mode) || S_ISDIR(f.mode)) && plain_file_system(fd, f.dev);
}

/*
 * The signal for a file that grows beyond its limit is sent to the thread that writes. The limit is asked for again when the
 * process may have changed it; that another process has is found out by the error.
 */
static bool sizes_known, sizes_free;

static bool sizes_unlimited(void)
{
	struct rlimit limit;

	if (!sizes_known)
		sizes_free = getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY;
	sizes_known = true;
	return sizes_free;
}

void serve_limits_change(void)
{
	sizes_known = false;
}

bool serve_limit_signal(siginfo_t *si)
{
	const struct timespec now = { 0 };
	sigset_t set;

	sizes_known = false;
	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	return sigtimedwait(&set, si, &now) == SIGXFSZ;
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
		return plain_file(t, (int)r->rdi);
	case SERVE_WRITE:
		return plain_file(t, (int)r->rdi) && sizes_unlimited();
	case SERVE_PATH:
		return path_argument(d, r);
	case SERVE_CLOCK: /* the processor times of threads have other numbers */
		return r->rdi <= CLOCK_MONOTONIC_COARSE && r->rdi != CLOCK_THREAD_CPUTIME_ID;
	case SERVE_SELF: /* RUSAGE_THREAD */
		return (int)r->rdi != RUSAGE_THREAD;
	}
	return false;
}
