/* The host side of a live session. Contract: live.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <x86intrin.h>

#include "record/live.h"
#include "syscall-emu/clone.h"
#include "syscall-emu/exec.h"
#include "syscall-emu/fdtable.h"
#include "syscall-emu/kernel_shared.h"
#include "syscall-emu/signal_host.h"
#include "vmm/proc_self.h"

int live_tsc(struct session *s, struct task *t, bool rdtscp, uint64_t *tsc, uint32_t *aux)
{
	int mode = 0;

	(void)s, (void)t;
	/* On some hosts the thread's own rdtsc faults while the guest's is trapped (vmm/notsc.h). */
	if (prctl(PR_GET_TSC, &mode) < 0 || (mode == PR_TSC_SIGSEGV && prctl(PR_SET_TSC, PR_TSC_ENABLE) < 0))
		return -errno;
	*tsc = rdtscp ? __rdtscp(aux) : __rdtsc();
	return mode == PR_TSC_SIGSEGV && prctl(PR_SET_TSC, PR_TSC_SIGSEGV) < 0 ? -errno : 0;
}

int live_signal(struct session *s, struct task *t, bool after, siginfo_t *si)
{
	(void)s, (void)after;
	return t->pending ? signal_host_take(t, si) : 0;
}

int live_kicked(struct session *s, struct task *t)
{
	siginfo_t si;
	int sig = t->pending ? t->pending_info.si_signo : 0;

	(void)s;
	/* A handler is the session's business; death comes at once: nothing the guest still does could be seen. */
	if (!sig || t->proc->action[sig].handler != (uint64_t)(uintptr_t)SIG_DFL || !signal_default_is_fatal(sig))
		return 0;
	signal_host_take(t, &si);
	t->wait_status = sig;
	return TASK_DEAD;
}

int live_set_mask(struct session *s, struct task *t)
{
	(void)s;
	return signal_host_mask(t);
}

int live_set_action(struct session *s, struct task *t, int sig)
{
	(void)s;
	return signal_host_action(t, sig);
}

/* None of the files that a recording could hold: memory of the kernel's, or of a device, which changes by itself. */
static int map_kernel(struct task *t, int fd, int prot, int flags, uint64_t offset, uint64_t len, struct map_source *src,
		      struct file_map *m)
{
	int rc;

	if (!kernel_shared_is_kind(t->proc->fds, fd, m->path, sizeof(m->path)))
		return -ENODEV;
	rc = kernel_shared_open(t, fd, prot, flags, offset, len, &src->window);
	if (rc < 0)
		return rc;
	m->kind = FILE_MAP_KERNEL;
	src->kernel = true;
	memcpy(src->path, m->path, sizeof(src->path));
	return 0;
}

/* By how the descriptor was opened, the seals of a memfd, and the file system. Source: Linux mm/mmap.c, mm/memfd.c. */
static uint32_t never_given(int fd, int flags)
{
	bool shared = (flags & MAP_TYPE) != MAP_PRIVATE;
	int seals = shared ? fcntl(fd, F_GET_SEALS) : -1;
	struct statvfs fs;
	uint32_t denied = 0;

	if (shared && ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDWR || (seals >= 0 && seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))))
		denied |= PROT_WRITE;
	if (fstatvfs(fd, &fs) == 0 && fs.f_flag & ST_NOEXEC)
		denied |= PROT_EXEC;
	return denied;
}

int live_map_file(struct task *t, int fd, int prot, int flags, uint64_t offset, uint64_t len, struct map_source *src,
		  struct file_map *m)
{
	struct stat st;

	if (fd_is_ours(fd) || fstat(fd, &st) < 0)
		return -EBADF;
	if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 5))
		m->kind = FILE_MAP_ZERO;
	else if (!S_ISREG(st.st_mode))
		return map_kernel(t, fd, prot, flags, offset, len, src, m);
	else
		m->kind = (flags & MAP_TYPE) == MAP_PRIVATE ? FILE_MAP_PRIVATE : FILE_MAP_SHARED;
	proc_self_name(fd, m->path, sizeof(m->path));
	m->dev = st.st_dev;
	m->ino = st.st_ino;
	src->denied = m->denied = never_given(fd, flags);
	src->fd = fd;
	src->offset = offset;
	src->dev = m->dev;
	src->ino = m->ino;
	src->size = (uint64_t)st.st_size;
	src->shared_copy = false;
	memcpy(src->path, m->path, sizeof(src->path));
	return 0;
}

void live_map_done(struct session *s, struct map_source *src)
{
	(void)s, (void)src; /* the descriptor is the guest's */
}

int live_image_file(const char *path)
{
	int fd;

	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
		return -errno;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : live_image_fd(fd);
}

int live_image_fd(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return -EACCES;
	}
	return fd;
}

int64_t live_exec(struct task *t, struct plan *p, struct exec_request *q, int *program_fd)
{
	struct exec_params x = { .pid = t->proc->pid };
	struct rlimit stack = { 0, 0 };
	const struct rlimit *shown = limit_shown(t->proc->fds, RLIMIT_STACK);
	char why[256] = "";
	struct rlimit files;
	int rc;

	if (namespace_children_elsewhere())
		return -EAGAIN; /* the new image would need a VM */
	nofile_lift(&files);
	rc = exec_collect(t, p, q);
	nofile_restore(&files);
	if (rc < 0)
		return rc;
	if (t->seccomp.no_new_privs) /* from another thread: here is the last place to tell the kernel */
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	getrlimit(RLIMIT_STACK, &stack);
	x.path = q->path;
	x.argv = q->argv;
	x.envp = q->envp;
	x.stack_limit = shown ? shown->rlim_cur : stack.rlim_cur;
	*program_fd = q->fd;
	nofile_lift(&files);
	rc = loader_check(t, &x, why, sizeof(why));
	nofile_restore(&files);
	*program_fd = -1;
	for (unsigned i = 0; i < EXEC_FILES_MAX; i++)
		free(x.file[i].path);
	if (rc < 0 && why[0] && t->proc->verbose)
		fprintf(stderr, "sandrec: execve %s: %s\n", q->path, why);
	return rc;
}
