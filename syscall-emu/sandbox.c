/* The strict sandbox's rules. Contract: sandbox.h; doc/security.md has the reasons. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "syscall-emu/process.h"
#include "syscall-emu/sandbox.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"

#ifndef TIOCLINUX
#define TIOCLINUX 0x541c
#endif

#define NEW_NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
			CLONE_NEWNET | 0x80 /* CLONE_NEWTIME */)

static const struct {
	uint16_t nr;
	const char *why;
} refused[] = {
	{ SYS_ptrace, "other processes" },
	{ SYS_process_vm_readv, "other processes" },
	{ SYS_process_vm_writev, "other processes" },
	{ SYS_process_madvise, "other processes" },
	{ SYS_process_mrelease, "other processes" },
	{ SYS_pidfd_getfd, "other processes" },
	{ SYS_pidfd_open, "other processes" },
	{ SYS_kcmp, "other processes" },
	{ SYS_move_pages, "other processes" },
	{ SYS_migrate_pages, "other processes" },
	{ SYS_mount, "mounting" },
	{ SYS_umount2, "mounting" },
	{ SYS_pivot_root, "mounting" },
	{ SYS_chroot, "mounting" },
	{ SYS_open_tree, "mounting" },
	{ SYS_move_mount, "mounting" },
	{ SYS_fsopen, "mounting" },
	{ SYS_fsconfig, "mounting" },
	{ SYS_fsmount, "mounting" },
	{ SYS_fspick, "mounting" },
	{ SYS_mount_setattr, "mounting" },
	{ SYS_quotactl, "mounting" },
	{ SYS_quotactl_fd, "mounting" },
	{ SYS_swapon, "mounting" },
	{ SYS_swapoff, "mounting" },
	{ SYS_unshare, "namespaces" },
	{ SYS_setns, "namespaces" },
	{ SYS_init_module, "the kernel itself" },
	{ SYS_finit_module, "the kernel itself" },
	{ SYS_delete_module, "the kernel itself" },
	{ SYS_kexec_load, "the kernel itself" },
	{ SYS_kexec_file_load, "the kernel itself" },
	{ SYS_reboot, "the kernel itself" },
	{ SYS_bpf, "the kernel itself" },
	{ SYS_perf_event_open, "the kernel itself" },
	{ SYS_userfaultfd, "the kernel itself" },
	{ SYS_iopl, "the kernel itself" },
	{ SYS_ioperm, "the kernel itself" },
	{ SYS_syslog, "the kernel itself" },
	{ SYS_acct, "the kernel itself" },
	{ SYS_vhangup, "the kernel itself" },
	{ SYS_settimeofday, "the machine's clock and name" },
	{ SYS_clock_settime, "the machine's clock and name" },
	{ SYS_adjtimex, "the machine's clock and name" },
	{ SYS_clock_adjtime, "the machine's clock and name" },
	{ SYS_sethostname, "the machine's clock and name" },
	{ SYS_setdomainname, "the machine's clock and name" },
	{ SYS_add_key, "keys" },
	{ SYS_request_key, "keys" },
	{ SYS_keyctl, "keys" },
	{ SYS_io_uring_setup, "calls that go past the table" },
	{ SYS_io_uring_enter, "calls that go past the table" },
	{ SYS_io_uring_register, "calls that go past the table" },
	{ SYS_io_setup, "calls that go past the table" },
	{ SYS_io_submit, "calls that go past the table" },
	{ SYS_fanotify_init, "files by other ways than paths" },
	{ SYS_open_by_handle_at, "files by other ways than paths" },
	{ SYS_name_to_handle_at, "files by other ways than paths" },
	/* Memory and queues of others with the same user. */
	{ SYS_shmget, "System V and POSIX IPC" },
	{ SYS_shmat, "System V and POSIX IPC" },
	{ SYS_shmctl, "System V and POSIX IPC" },
	{ SYS_semget, "System V and POSIX IPC" },
	{ SYS_semop, "System V and POSIX IPC" },
	{ SYS_semtimedop, "System V and POSIX IPC" },
	{ SYS_semctl, "System V and POSIX IPC" },
	{ SYS_msgget, "System V and POSIX IPC" },
	{ SYS_msgsnd, "System V and POSIX IPC" },
	{ SYS_msgrcv, "System V and POSIX IPC" },
	{ SYS_msgctl, "System V and POSIX IPC" },
	{ SYS_mq_open, "System V and POSIX IPC" },
	{ SYS_mq_unlink, "System V and POSIX IPC" },
	/* By path, Landlock does not keep these in: only the calls on descriptors, whose path is certain. */
	{ SYS_chmod, "attributes by path" },
	{ SYS_fchmodat, "attributes by path" },
	{ 452 /* fchmodat2 */, "attributes by path" },
	{ SYS_chown, "attributes by path" },
	{ SYS_lchown, "attributes by path" },
	{ SYS_fchownat, "attributes by path" },
	{ SYS_utime, "attributes by path" },
	{ SYS_utimes, "attributes by path" },
	{ SYS_futimesat, "attributes by path" },
	{ SYS_setxattr, "attributes by path" },
	{ SYS_lsetxattr, "attributes by path" },
	{ SYS_removexattr, "attributes by path" },
	{ SYS_lremovexattr, "attributes by path" },
	{ 463 /* setxattrat */, "attributes by path" },
	{ 466 /* removexattrat */, "attributes by path" },
};

/* ---- the policy ---- */

int sandbox_allow_path(struct sandbox *s, const char *path)
{
	cleanup_free char *real = realpath(path, NULL);

	if (!real)
		return -errno;
	if (s->nrw == SANDBOX_PATHS || strlen(real) >= SANDBOX_PATH_MAX)
		return -ENOSPC;
	strcpy(s->rw[s->nrw++], real);
	return 0;
}

int sandbox_allow_call(struct sandbox *s, const char *name)
{
	const struct sys_desc *d = sys_by_name(name);

	if (!d || strchr(name, '$') || d->key >= SANDBOX_CALLS)
		return -ENOENT;
	s->allowed[d->key / 64] |= 1ULL << d->key % 64;
	return 0;
}

static bool is_allowed(const struct sandbox *s, unsigned nr)
{
	return nr < SANDBOX_CALLS && s->allowed[nr / 64] >> nr % 64 & 1;
}

static const char *why_number(const struct sandbox *s, unsigned nr)
{
	if (is_allowed(s, nr))
		return NULL;
	if (nr == SYS_socket && !s->net)
		return "the network";
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (refused[i].nr == nr)
			return refused[i].why;
	return NULL;
}

bool sandbox_refuses_number(const struct sandbox *s, unsigned nr)
{
	return why_number(s, nr) != NULL;
}

/* ---- paths ---- */

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (!path[n] || path[n] == '/' || n == 1);
}

static bool writable(const struct sandbox *s, const char *path)
{
	static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/full", "/dev/tty" };

	for (uint32_t i = 0; i < s->nrw; i++)
		if (below(path, s->rw[i]))
			return true;
	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		if (!strcmp(path, devices[i]))
			return true;
	return false;
}

/* What path leads to, or else the directory that it would be made in. False: nothing, Linux will say so. */
static bool resolve(int dirfd, const char *path, int flags, char *real, size_t size)
{
	cleanup_close int fd = openat(dirfd, path, O_PATH | O_CLOEXEC | flags);

	return fd >= 0 && proc_self_name(fd, real, size) > 0;
}

static bool resolve_parent(int dirfd, const char *path, char *real, size_t size)
{
	cleanup_free char *dir = strdup(path);
	char *slash;

	for (size_t n = dir ? strlen(dir) : 0; n > 1 && dir[n - 1] == '/'; n--)
		dir[n - 1] = '\0';
	slash = dir ? strrchr(dir, '/') : NULL;
	if (!dir)
		return false;
	if (slash)
		slash[slash == dir] = '\0';
	return resolve(dirfd, slash ? dir : ".", O_DIRECTORY, real, size);
}

enum target { THE_FILE, ITS_ENTRY };

/* Another thread may change what the path means right afterwards: then the kernel decides (record/confine.h). */
static bool may_write(const struct sandbox *s, int dirfd, uint64_t addr, enum target what)
{
	char path[4096], real[4200];

	if (!addr || guest_string(path, addr, sizeof(path)) < 0 || !*path)
		return true; /* an error of its own */
	if (what == THE_FILE && resolve(dirfd, path, 0, real, sizeof(real)))
		return writable(s, real);
	return !resolve_parent(dirfd, path, real, sizeof(real)) || writable(s, real);
}

static bool may_change_fd(const struct sandbox *s, int fd)
{
	char real[4200];

	if (proc_self_name(fd, real, sizeof(real)) <= 0 || real[0] != '/')
		return true; /* a pipe, a memfd, or none at all */
	return writable(s, real);
}

static bool opens_for_writing(uint64_t flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC) || (flags & O_TMPFILE) == O_TMPFILE;
}

static bool may_open(const struct sandbox *s, int dirfd, uint64_t path, uint64_t flags)
{
	if (!opens_for_writing(flags))
		return true;
	return may_write(s, dirfd, path, THE_FILE);
}

static bool may_openat2(const struct sandbox *s, const struct task *t)
{
	uint64_t flags;

	return guest_read(&flags, t->plan.arg[2], sizeof(flags)) < 0 ||
	       may_open(s, (int)t->plan.arg[0], t->plan.arg[1], flags);
}

static bool files_allowed(const struct sandbox *s, const struct task *t)
{
	const uint64_t *a = t->plan.arg;

	switch (t->plan.nr) {
	case SYS_open:
		return may_open(s, AT_FDCWD, a[0], a[1]);
	case SYS_creat:
		return may_open(s, AT_FDCWD, a[0], O_CREAT | O_WRONLY);
	case SYS_openat:
		return may_open(s, (int)a[0], a[1], a[2]);
	case SYS_openat2:
		return may_openat2(s, t);
	case SYS_truncate:
		return may_write(s, AT_FDCWD, a[0], THE_FILE);
	case SYS_unlink:
	case SYS_rmdir:
	case SYS_mkdir:
	case SYS_mknod:
		return may_write(s, AT_FDCWD, a[0], ITS_ENTRY);
	case SYS_unlinkat:
	case SYS_mkdirat:
	case SYS_mknodat:
		return may_write(s, (int)a[0], a[1], ITS_ENTRY);
	case SYS_symlink:
		return may_write(s, AT_FDCWD, a[1], ITS_ENTRY);
	case SYS_symlinkat:
		return may_write(s, (int)a[1], a[2], ITS_ENTRY);
	case SYS_rename:
		return may_write(s, AT_FDCWD, a[0], ITS_ENTRY) && may_write(s, AT_FDCWD, a[1], ITS_ENTRY);
	case SYS_link:
		return may_write(s, AT_FDCWD, a[0], ITS_ENTRY) && may_write(s, AT_FDCWD, a[1], ITS_ENTRY);
	case SYS_renameat:
	case SYS_renameat2:
	case SYS_linkat:
		return may_write(s, (int)a[0], a[1], ITS_ENTRY) && may_write(s, (int)a[2], a[3], ITS_ENTRY);
	case SYS_utimensat:
		return !a[1] && may_change_fd(s, (int)a[0]);
	case SYS_fchmod:
	case SYS_fchown:
	case SYS_fsetxattr:
	case SYS_fremovexattr:
		return may_change_fd(s, (int)a[0]);
	}
	return true;
}

/* ---- other arguments ---- */

static bool namespaces_allowed(const struct task *t)
{
	uint64_t flags = t->plan.arg[0];

	if (t->plan.nr == SYS_clone3 && guest_read(&flags, t->plan.arg[0], sizeof(flags)) < 0)
		return true;
	if (t->plan.nr != SYS_clone && t->plan.nr != SYS_clone3)
		return true;
	/* clone's low byte is a signal; CLONE_NEWTIME is in it. */
	return !(flags & (t->plan.nr == SYS_clone ? NEW_NAMESPACES & ~0xffULL : NEW_NAMESPACES));
}

static bool ioctl_allowed(const struct task *t)
{
	if (t->plan.nr != SYS_ioctl)
		return true;
	switch ((uint32_t)t->plan.arg[1]) {
	case TIOCSTI: /* types into the terminal that the user goes on using */
	case TIOCLINUX:
	case FS_IOC_SETFLAGS:
	case FS_IOC_FSSETXATTR:
		return false;
	}
	return true;
}

/* Where the kernel does not keep signals in, only those that a process sends to itself and to its group. */
static bool signal_allowed(const struct sandbox *s, const struct task *t)
{
	pid_t pid = (pid_t)t->plan.arg[0];

	switch (t->plan.nr) {
	case SYS_kill:
		return s->signals || pid == 0 || pid == t->proc->pid;
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
		return s->signals || pid == t->proc->pid || (t->plan.nr == SYS_tkill && pid == t->tid);
	}
	return true;
}

const char *sandbox_refuses(const struct task *t, const struct sys_desc *desc)
{
	const struct sandbox *s = &process_self.sandbox;
	unsigned nr = (uint32_t)t->plan.nr;
	const char *why;

	if (!s->strict)
		return NULL;
	why = why_number(s, nr);
	if (why || is_allowed(s, nr))
		return why;
	if (!desc)
		return "calls that the table does not describe";
	if (!namespaces_allowed(t))
		return "namespaces";
	if (!ioctl_allowed(t))
		return "the terminal and file flags";
	if (!signal_allowed(s, t))
		return "signals to others";
	return files_allowed(s, t) ? NULL : "writing outside --rw";
}
