/* Our own /proc/self. Contract: proc_self.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "vmm/kvm.h"
#include "vmm/proc_self.h"

#define LIFT 128
#define AMPLE (1u << 20) /* nobody gets that many descriptors here */

static int root_fd = -1;

void nofile_lift(struct rlimit *old)
{
	struct rlimit high;

	if (getrlimit(RLIMIT_NOFILE, old) < 0 || old->rlim_cur >= AMPLE)
		return;
	high = *old;
	high.rlim_cur += LIFT;
	if (high.rlim_max < high.rlim_cur)
		high.rlim_max = high.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &high) < 0 && old->rlim_cur < old->rlim_max) {
		high.rlim_cur = high.rlim_max = old->rlim_max;
		setrlimit(RLIMIT_NOFILE, &high);
	}
}

void nofile_restore(const struct rlimit *old)
{
	if (old->rlim_cur < AMPLE)
		setrlimit(RLIMIT_NOFILE, old);
}

int proc_self_root(void)
{
	static bool hidden;
	int moved;

	if (root_fd < 0)
		root_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	else if (hidden)
		return root_fd;
	moved = root_fd >= 0 && kvm_fd_hide ? kvm_fd_hide(root_fd) : -1; /* hidden as soon as that is possible */
	hidden = moved >= 0;
	if (hidden)
		root_fd = moved;
	return root_fd;
}

void proc_self_inherit(int root)
{
	root_fd = root;
}

/* A process that changed its user is not dumpable, and its files in /proc are root's: to be opened by root only. */
static int open_undumpable(const char *path, int flags)
{
	int was = prctl(PR_GET_DUMPABLE), fd;

	if (was == 1 || prctl(PR_SET_DUMPABLE, 1) < 0)
		return -EACCES;
	fd = openat(proc_self_root(), path, flags | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	prctl(PR_SET_DUMPABLE, 0);
	return fd;
}

static int open_once(const char *path, int flags)
{
	int fd = openat(proc_self_root(), path, flags | O_CLOEXEC);

	if (fd < 0 && errno == EACCES)
		return open_undumpable(path, flags);
	return fd < 0 ? -errno : fd;
}

int proc_self_open(const char *name, int flags)
{
	char path[64];
	struct rlimit old;
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "self/%s", name) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open_once(path, flags);
	if (fd != -EMFILE)
		return fd;
	nofile_lift(&old);
	fd = open_once(path, flags);
	nofile_restore(&old);
	return fd;
}

FILE *proc_self_fopen(const char *name)
{
	int fd = proc_self_open(name, O_RDONLY);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd < 0)
		errno = -fd;
	else if (!f)
		close(fd);
	return f;
}

int proc_self_reopen(int fd, int flags)
{
	char name[32];

	snprintf(name, sizeof(name), "fd/%d", fd);
	return proc_self_open(name, flags);
}

ssize_t proc_self_name(int fd, char *buf, size_t size)
{
	char path[48];
	ssize_t n;

	snprintf(path, sizeof(path), "self/fd/%d", fd);
	n = readlinkat(proc_self_root(), path, buf, size - 1);
	buf[n < 0 ? 0 : n] = '\0';
	return n < 0 ? -errno : n;
}
