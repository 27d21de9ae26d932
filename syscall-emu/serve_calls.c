/* Which system calls the server may make. Contract: serve_calls.h. */
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
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
	bool served = d && d->serve >= SERVE_ANY;

	return t->proc->sess->ops->injects ? !d || d->replay == INJECT || served : served;
}

bool serve_alters(const struct sys_desc *row, const struct sys_desc *d)
{
	return !row || (row->serve == SERVE_ALTERS && (!d || d->serve != SERVE_HERE) && !(d && d->refuse));
}

static enum at_once if_so(bool yes, enum at_once how)
{
	return yes ? how : AT_ONCE_NOT;
}

static enum at_once live_call(const struct task *t, const struct sys_desc *d)
{
	const struct guest_regs *r = t->regs;
	const uint64_t args[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };
	int fd = (int)r->rdi;

	switch ((enum sys_serve)d->serve) {
	case SERVE_NO:
	case SERVE_ALTERS:
	case SERVE_HERE:
		return AT_ONCE_NOT;
	case SERVE_ANY:
		return AT_ONCE_PLAIN;
	case SERVE_FILE:
		return if_so(plain_file(t, fd), AT_ONCE_PLAIN);
	case SERVE_FD:
		return plain_file(t, fd) ? AT_ONCE_PLAIN : at_once_io(t, fd);
	case SERVE_CLOSE:
		return plain_file(t, fd) ? AT_ONCE_PLAIN : at_once_close(t, fd);
	case SERVE_PATH:
		return if_so(path_argument(d, r), AT_ONCE_PLAIN);
	case SERVE_OPEN:
		return if_so(path_argument(d, r), AT_ONCE_OPEN);
	case SERVE_READY:
		return AT_ONCE_READY;
	case SERVE_NOWAIT:
		return if_so(args[d->nb_arg] & d->nb_mask, AT_ONCE_PLAIN);
	case SERVE_FUTEX:
		return at_once_futex(r);
	case SERVE_MAP:
		return if_so((r->r10 & MAP_TYPE) == MAP_PRIVATE, AT_ONCE_PLAIN);
	case SERVE_CLOCK: /* the processor times of threads have other numbers */
		return if_so(r->rdi <= CLOCK_MONOTONIC_COARSE && r->rdi != CLOCK_THREAD_CPUTIME_ID, AT_ONCE_PLAIN);
	case SERVE_SELF: /* RUSAGE_THREAD */
		return if_so((int)r->rdi != RUSAGE_THREAD, AT_ONCE_PLAIN);
	}
	return AT_ONCE_NOT;
}

enum at_once serve_how(const struct task *t, const struct sys_desc *d)
{
	if (!serve_row_allows(t, d))
		return AT_ONCE_NOT;
	return t->proc->sess->ops->injects && (!d || d->replay == INJECT) ? AT_ONCE_PLAIN : live_call(t, d);
}
