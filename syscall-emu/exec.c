/* execve and execveat. Contract: exec.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "syscall-emu/exec.h"
#include "syscall-emu/fd.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"

#define STRING_MAX 131072u             /* MAX_ARG_STRLEN */
#define STRINGS_MAX (6u << 20)         /* three quarters of the default stack: more never fits */

static int64_t run(struct task *t, struct plan *p)
{
	struct exec_request q = { .fd = -1 };
	struct session *s = t->proc->sess;
	int64_t rc = s->ops->exec(s, t, p, &q);

	exec_request_free(&q);
	return rc;
}

int64_t do_execve(struct task *t, struct plan *p)
{
	return run(t, p);
}

int64_t do_execveat(struct task *t, struct plan *p)
{
	return run(t, p);
}

void exec_request_free(struct exec_request *q)
{
	char **const vectors[] = { q->argv, q->envp };

	for (unsigned k = 0; k < 2; k++) {
		for (char **v = vectors[k]; v && *v; v++)
			free(*v);
		free(vectors[k]);
	}
	free(q->path);
	if (q->fd >= 0)
		fd_hidden_close(q->fd);
	*q = (struct exec_request){ .fd = -1 };
}

/* One string: NULL and *rc on failure. budget: what all strings together may still take. */
static char *take_string(uint64_t addr, uint64_t *budget, int *rc)
{
	char *buf = malloc(STRING_MAX), *copy;
	long n = buf ? guest_string(buf, addr, STRING_MAX) : -ENOMEM;

	if (n >= 0 && (uint64_t)n + 1 + sizeof(char *) > *budget)
		n = -E2BIG;
	if (n < 0) {
		free(buf);
		*rc = n == -ENAMETOOLONG ? -E2BIG : (int)n;
		return NULL;
	}
	*budget -= (uint64_t)n + 1 + sizeof(char *);
	copy = realloc(buf, (size_t)n + 1);
	return copy ? copy : buf;
}

/* A null pointer is an empty vector, as Linux has it. */
static int take_vector(uint64_t addr, char ***out, uint64_t *budget)
{
	size_t n = 0, cap = 16;
	char **v = calloc(cap, sizeof(*v)), **more;
	uint64_t at;
	int rc = v ? 0 : -ENOMEM;

	while (rc == 0 && addr) {
		if (guest_read(&at, addr + n * sizeof(at), sizeof(at)) < 0) {
			rc = -EFAULT;
			break;
		}
		if (!at)
			break;
		v[n] = take_string(at, budget, &rc);
		if (rc == 0 && ++n == cap) {
			more = reallocarray(v, 2 * cap, sizeof(*v));
			if (!more) {
				rc = -ENOMEM;
				n--;
				break;
			}
			v = more;
			cap *= 2;
		}
		if (v)
			v[n] = NULL;
	}
	*out = v;
	return rc;
}

static int check_program(int fd)
{
	struct stat st;
	struct statvfs vfs;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	if (faccessat(fd, "", X_OK, AT_EMPTY_PATH | AT_EACCESS) < 0)
		return -errno;
	return fstatvfs(fd, &vfs) == 0 && vfs.f_flag & ST_NOEXEC ? -EACCES : 0;
}

static bool is_script(int fd)
{
	char head[2];

	return pread(fd, head, 2, 0) == 2 && head[0] == '#' && head[1] == '!';
}

/* A file that somebody may still write to is not executed. A lease is refused for the same reason, and to others. */
static int check_writers(int fd)
{
	fcntl(fd, F_SETSIG, SIGURG); /* what a writer that comes just now would raise: ignored by default */
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0)
		fcntl(fd, F_SETLEASE, F_UNLCK);
	else if (errno == EAGAIN)
		return -ETXTBSY;
	return 0;
}

/* Takes fd, hidden from the guest, for q. */
static int keep_program(struct exec_request *q, int fd)
{
	int rc = check_program(fd), hidden;

	if (rc == 0)
		rc = check_writers(fd);
	hidden = rc < 0 ? rc : fd_hide_program(fd);
	if (hidden < 0) {
		close(fd);
		return hidden;
	}
	q->fd = hidden;
	return 0;
}

static int open_path(struct task *t, struct exec_request *q, int dirfd, const char *path, int flags)
{
	/* Looking it up and asking for execution come before reading it, which is our need only. */
	cleanup_close int fd = openat(dirfd, path, O_PATH | O_CLOEXEC | flags);
	int readable, rc;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (fd_is_own_binary(t->proc->fds, &st)) { /* /proc/self/exe by whatever name */
		readable = fd_open_exe(t->proc, O_RDONLY | O_CLOEXEC);
		return readable < 0 ? readable : keep_program(q, readable);
	}
	rc = S_ISLNK(st.st_mode) ? -ELOOP : check_program(fd);
	if (rc < 0)
		return rc;
	readable = proc_self_reopen(fd, O_RDONLY);
	return readable < 0 ? readable : keep_program(q, readable);
}

static int open_descriptor(struct task *t, struct exec_request *q, int fd)
{
	char link[40];
	int flags = fcntl(fd, F_GETFD), rc;

	if (flags < 0 || fd_is_ours(fd))
		return -EBADF;
	snprintf(link, sizeof(link), "self/fd/%d", fd);
	rc = open_path(t, q, proc_self_root(), link, 0);
	/* The interpreter would be told a name that is gone when it looks. */
	return rc == 0 && flags & FD_CLOEXEC && is_script(q->fd) ? -ENOENT : rc;
}

static int open_at(struct task *t, struct exec_request *q, int dirfd, const char *path, uint32_t flags)
{
	char name[PATH_MAX + 40];

	if (flags & ~(uint32_t)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	if (!*path && !(flags & AT_EMPTY_PATH))
		return -ENOENT;
	if (dirfd == AT_FDCWD || *path == '/') {
		q->path = strdup(path);
	} else {
		snprintf(name, sizeof(name), *path ? "/dev/fd/%d/%s" : "/dev/fd/%d", dirfd, path);
		q->path = strdup(name);
	}
	if (!q->path)
		return -ENOMEM;
	if (!*path)
		return dirfd == AT_FDCWD ? -EACCES : open_descriptor(t, q, dirfd);
	if (dirfd != AT_FDCWD && fd_is_ours(dirfd))
		return -EBADF;
	return open_path(t, q, dirfd, path, flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0);
}

int exec_collect(struct task *t, const struct plan *p, struct exec_request *q)
{
	bool at = p->nr == SYS_execveat;
	const uint64_t *a = p->arg + at;
	uint64_t budget = STRINGS_MAX;
	char path[PATH_MAX];
	long n = guest_string(path, a[0], sizeof(path));
	int rc;

	if (n < 0)
		return (int)n;
	rc = open_at(t, q, at ? (int)p->arg[0] : AT_FDCWD, path, at ? (uint32_t)p->arg[4] : 0);
	if (rc == 0)
		rc = take_vector(a[1], &q->argv, &budget);
	if (rc == 0)
		rc = take_vector(a[2], &q->envp, &budget);
	return rc;
}
