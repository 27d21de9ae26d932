#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/files.h"
#include "trace/manifest.h"
#include "trace/pack.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"

#define LATEST "latest-trace"
#define PROG_NAME_MAX 200
#define CREATE_TRIES 1000 /* numbers that others may take from under us in a row */
#define REMOVE_DEPTH 8

static int print_path(char *buf, size_t len, const char *a, const char *b)
{
	int n = snprintf(buf, len, "%s%s", a, b);

	return n < 0 || (size_t)n >= len ? -ENAMETOOLONG : 0;
}

static int make_dirs(const char *path)
{
	char part[PATH_MAX];
	int ret = print_path(part, sizeof(part), path, "");

	if (ret)
		return ret;
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		/* Parents get the usual mode: they are the user's, only the last is ours. */
		if (mkdir(part, 0777) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(part, 0700) && errno != EEXIST ? -errno : 0;
}

int tracedir_root(char *buf, size_t len, int create)
{
	const char *dir = getenv("SANDREC_TRACE_DIR"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	int ret;

	if (dir && *dir)
		ret = print_path(buf, len, dir, "");
	else if (data && *data == '/') /* the XDG rules: a relative one is to be ignored */
		ret = print_path(buf, len, data, "/sandrec");
	else if (home && *home)
		ret = print_path(buf, len, home, "/.local/share/sandrec");
	else
		ret = -ENOENT;
	return !ret && create ? make_dirs(buf) : ret;
}

/* ---- making one ---- */

static void prog_name(const char *prog, char name[PROG_NAME_MAX + 1])
{
	const char *slash = strrchr(prog, '/');
	size_t n = 0;

	for (const char *p = slash ? slash + 1 : prog; *p && n < PROG_NAME_MAX; p++, n++)
		name[n] = (unsigned char)*p < ' ' || *p == 0x7f || (!n && *p == '.') ? '_' : *p;
	if (!n)
		name[n++] = '_';
	name[n] = 0;
}

/* The highest N of the directories prog-N. */
static unsigned long highest(const char *root, const char *prog)
{
	cleanup_closedir DIR *d = opendir(root);
	size_t len = strlen(prog);
	unsigned long max = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		char *end;

		if (strncmp(e->d_name, prog, len) || e->d_name[len] != '-' ||
		    e->d_name[len + 1] < '0' || e->d_name[len + 1] > '9')
			continue;
		unsigned long n = strtoul(e->d_name + len + 1, &end, 10);

		if (!*end && n > max && n < 1000000000)
			max = n;
	}
	return max;
}

static int make_numbered(const char *root, const char *prog, char *path, size_t len)
{
	char name[PROG_NAME_MAX + 1], number[32];

	prog_name(prog, name);
	for (int i = 0; i < CREATE_TRIES; i++) {
		char last[PROG_NAME_MAX + 40];

		snprintf(number, sizeof(number), "-%lu", highest(root, name) + 1);
		snprintf(last, sizeof(last), "/%s%s", name, number);
		int ret = print_path(path, len, root, last);

		if (ret)
			return ret;
		if (!mkdir(path, 0700))
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static bool is_empty(const char *path)
{
	cleanup_closedir DIR *d = opendir(path);

	if (!d)
		return false;
	for (struct dirent *e; (e = readdir(d));) {
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			return false;
	}
	return true;
}

static int make_wanted(const char *want, char *path, size_t len)
{
	int ret = print_path(path, len, want, "");

	if (ret)
		return ret;
	if (!mkdir(path, 0700))
		return 0;
	if (errno != EEXIST || !is_empty(path))
		return -errno;
	return chmod(path, 0700) ? -errno : 0;
}

/* The root's link and store. Best effort: a recording is none the worse without them. */
static void use_root(const char *path)
{
	char root[PATH_MAX], real[PATH_MAX], realroot[PATH_MAX], tmp[PATH_MAX + 64], link[PATH_MAX + 64];
	const char *target = real;

	if (tracedir_root(root, sizeof(root), 1) || !realpath(path, real) || !realpath(root, realroot))
		return;
	files_prepare(root);
	/* Relative where it can be, so that the root may be moved. */
	size_t n = strlen(realroot);

	if (!strncmp(real, realroot, n) && real[n] == '/' && !strchr(real + n + 1, '/'))
		target = real + n + 1;
	snprintf(tmp, sizeof(tmp), "%s/.%s.%d", root, LATEST, (int)getpid());
	snprintf(link, sizeof(link), "%s/%s", root, LATEST);
	unlink(tmp);
	if (!symlink(target, tmp) && rename(tmp, link))
		unlink(tmp);
}

int tracedir_create(const char *want, const char *prog, char *path, size_t len)
{
	char root[PATH_MAX];
	int ret;

	if (want) {
		ret = make_wanted(want, path, len);
	} else {
		ret = tracedir_root(root, sizeof(root), 1);
		if (!ret)
			ret = make_numbered(root, prog, path, len);
	}
	if (ret)
		return ret;
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || mkdirat(fd, TRACE_FILES_DIR, 0700))
		return -errno;
	use_root(path);
	ret = fd;
	fd = -1;
	return ret;
}

/* ---- many of which few are kept ---- */

static void read_link(char *target, size_t len)
{
	char root[PATH_MAX], link[PATH_MAX + 64];
	ssize_t n;

	target[0] = '\0';
	if (tracedir_root(root, sizeof(root), 0))
		return;
	snprintf(link, sizeof(link), "%s/%s", root, LATEST);
	n = readlink(link, target, len - 1);
	target[n < 0 ? 0 : n] = '\0';
}

int tracedir_scratch_make(struct tracedir_scratch *s, const char *want)
{
	char dir[PATH_MAX], *slash;
	int ret = want ? print_path(dir, sizeof(dir), *want == '/' ? "" : "./", want) : tracedir_root(dir, sizeof(dir), 1);

	slash = want && !ret ? strrchr(dir, '/') : NULL;
	if (slash)
		*slash = '\0'; /* beside it */
	if (!ret)
		ret = print_path(s->path, sizeof(s->path), dir, "/.scratch-XXXXXX");
	if (ret)
		return ret;
	read_link(s->latest, sizeof(s->latest));
	return mkdtemp(s->path) ? 0 : -errno;
}

int tracedir_scratch_keep(struct tracedir_scratch *s, const char *from, const char *want, const char *prog, char *path, size_t len)
{
	char root[PATH_MAX];
	int ret = want ? make_wanted(want, path, len) : tracedir_root(root, sizeof(root), 1);

	if (!ret && !want)
		ret = make_numbered(root, prog, path, len);
	if (ret)
		return ret;
	if (rename(from, path) < 0) {
		ret = -errno;
		rmdir(path);
		return ret;
	}
	use_root(path);
	read_link(s->latest, sizeof(s->latest));
	return 0;
}

static int remove_entry(const char *path, const char *name, void *arg)
{
	char why[256];

	(void)name, (void)arg;
	tracedir_remove(path, why, sizeof(why));
	return 0;
}

void tracedir_scratch_end(struct tracedir_scratch *s)
{
	char root[PATH_MAX], link[PATH_MAX + 64];

	tracedir_each_in(s->path, remove_entry, NULL);
	rmdir(s->path);
	if (tracedir_root(root, sizeof(root), 0))
		return;
	snprintf(link, sizeof(link), "%s/%s", root, LATEST);
	if (unlink(link) == 0 && s->latest[0] && symlink(s->latest, link) < 0)
		return; /* somebody else's recording is the latest now */
}

/* ---- finding ---- */

/* Has dirfd a manifest or a stream? */
static bool is_trace(int dirfd)
{
	struct stat st;

	if (pack_is(dirfd))
		return true;
	if (!fstatat(dirfd, MANIFEST_NAME, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode))
		return true;
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d && fd >= 0)
		close(fd);
	for (struct dirent *e; d && (e = readdir(d));) {
		int pid, end = 0;

		if (sscanf(e->d_name, TRACE_STREAM_NAME "%n", &pid, &end) == 1 && !e->d_name[end])
			return true;
	}
	return false;
}

static bool is_trace_path(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd >= 0 && is_trace(fd);
}

/* The path a user's name for a trace stands for: a path, or a name under the root. */
static int resolve(const char *name, char *path, size_t len)
{
	char root[PATH_MAX];
	int ret;

	if (name && (strchr(name, '/') || is_trace_path(name)))
		return print_path(path, len, name, "");
	ret = tracedir_root(root, sizeof(root), 0);
	if (!ret)
		ret = print_path(path, len, root, "/");
	if (!ret && strlen(path) + strlen(name ? name : LATEST) >= len)
		ret = -ENAMETOOLONG;
	if (!ret)
		strcat(path, name ? name : LATEST);
	return ret;
}

int tracedir_open(const char *name, char *path, size_t len)
{
	char real[PATH_MAX];
	int ret = resolve(name, path, len);

	if (ret)
		return ret;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st) && !S_ISDIR(st.st_mode) && !pack_is(fd)) {
		close(fd);
		return -ENOTDIR;
	}
	if (fd < 0)
		return -errno;
	/* People want to know which trace the latest one is. */
	if (!name && realpath(path, real))
		print_path(path, len, real, "");
	return fd;
}

static int wanted_entry(const struct dirent *e)
{
	return e->d_name[0] != '.' && strcmp(e->d_name, LATEST);
}

bool tracedir_is_trace(const char *path)
{
	return is_trace_path(path);
}

int tracedir_each(int (*fn)(const char *path, const char *name, void *arg), void *arg)
{
	char root[PATH_MAX];
	int ret = tracedir_root(root, sizeof(root), 0);

	if (ret)
		return ret == -ENOENT ? 0 : ret;
	return tracedir_each_in(root, fn, arg);
}

int tracedir_each_in(const char *root, int (*fn)(const char *path, const char *name, void *arg), void *arg)
{
	char path[PATH_MAX + 300];
	struct dirent **list;
	int ret = 0;

	/* versionsort: ls-10 behind ls-9. */
	int n = scandir(root, &list, wanted_entry, versionsort);

	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", root, list[i]->d_name);
		if (!ret && is_trace_path(path))
			ret = fn(path, list[i]->d_name, arg);
		free(list[i]);
	}
	free(list);
	return ret;
}

/* ---- removing ---- */

static int remove_inside(int dirfd, int depth)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret = 0;
	cleanup_closedir DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d)
		return -errno;
	for (struct dirent *e; !ret && (e = readdir(d));) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || !unlinkat(dirfd, e->d_name, 0))
			continue;
		if (errno != EISDIR && errno != EPERM)
			return -errno;
		cleanup_close int sub = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

		if (sub < 0 || depth == REMOVE_DEPTH)
			return sub < 0 ? -errno : -ELOOP;
		ret = remove_inside(sub, depth + 1);
		if (!ret && unlinkat(dirfd, e->d_name, AT_REMOVEDIR))
			ret = -errno;
	}
	return ret;
}

/* After a trace is gone: what the root holds only for it. */
static void tidy_root(void)
{
	char root[PATH_MAX], link[PATH_MAX + 64];

	if (tracedir_root(root, sizeof(root), 0))
		return;
	snprintf(link, sizeof(link), "%s/%s", root, LATEST);
	if (access(link, F_OK) && errno == ENOENT)
		unlink(link);
	files_prune(root);
}

int tracedir_remove(const char *name, char *why, size_t len)
{
	char path[PATH_MAX];
	int ret = name && *name ? resolve(name, path, sizeof(path)) : -EINVAL;

	if (ret) {
		snprintf(why, len, "no such trace: %s", strerror(-ret));
		return ret;
	}
	for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
		path[n - 1] = 0;
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd >= 0 && pack_is(fd)) {
		ret = unlink(path) ? -errno : 0;
		if (ret)
			snprintf(why, len, "%s: cannot remove: %s", path, strerror(-ret));
		tidy_root();
		return ret;
	}
	if (fd < 0 || fstat(fd, &st) || !S_ISDIR(st.st_mode)) {
		ret = fd < 0 ? -errno : -ENOTDIR;
		snprintf(why, len, "%s: %s", path, ret == -ENOTDIR || ret == -ELOOP ?
			 "a link or file, not a trace directory" : strerror(-ret));
		return ret;
	}
	if (!is_trace(fd)) {
		snprintf(why, len, "%s: not a trace (no manifest and no events)", path);
		return -EINVAL;
	}
	ret = remove_inside(fd, 0);
	if (!ret && rmdir(path))
		ret = -errno;
	if (ret)
		snprintf(why, len, "%s: cannot remove: %s", path, strerror(-ret));
	tidy_root();
	return ret;
}
