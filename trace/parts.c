/* The parts of a trace. Contract: parts.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/pack.h"
#include "trace/parts.h"
#include "vmm/cleanup.h"

/* The last pack, known by its file: descriptors come and go, and a program image replaced by exec starts empty. */
static struct {
	struct pack *pack;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
} last;

static bool is_last(const struct stat *st)
{
	return last.pack && last.dev == st->st_dev && last.ino == st->st_ino && last.size == st->st_size &&
	       last.mtime.tv_sec == st->st_mtim.tv_sec && last.mtime.tv_nsec == st->st_mtim.tv_nsec;
}

/* The index of a packed trace; NULL in *p: it is a directory. */
static int pack_of(int trace, const struct pack **p, const char **why)
{
	struct pack *found;
	struct stat st;
	int rc;

	*p = NULL;
	*why = "it cannot be read";
	if (fstat(trace, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return 0;
	if (!is_last(&st)) {
		rc = pack_open(trace, &found, why);
		if (rc < 0)
			return rc;
		pack_close(last.pack);
		last.pack = found;
		last.dev = st.st_dev;
		last.ino = st.st_ino;
		last.size = st.st_size;
		last.mtime = st.st_mtim;
	}
	*p = last.pack;
	return 0;
}

bool trace_is_packed(int trace)
{
	struct stat st;

	return fstat(trace, &st) == 0 && S_ISREG(st.st_mode);
}

int trace_parts_check(int trace, char *why, unsigned len)
{
	const struct pack *p;
	const char *what;
	int rc = pack_of(trace, &p, &what);

	snprintf(why, len, "%s", rc < 0 ? what : "");
	return rc;
}

static int open_file(int dir, const char *name, struct trace_part *p)
{
	cleanup_close int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*p = (struct trace_part){ .fd = fd, .size = (uint64_t)st.st_size, .whole = true };
	fd = -1;
	return 0;
}

static int open_packed(int trace, const struct pack_part *part, struct trace_part *p)
{
	int fd;

	fd = part->compressed ? pack_extract(trace, part) : fcntl(trace, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return part->compressed ? fd : -errno;
	*p = (struct trace_part){ .fd = fd, .at = part->compressed ? 0 : part->at, .size = part->size,
				  .whole = part->compressed };
	return 0;
}

int trace_part_open(int trace, const char *name, struct trace_part *p)
{
	const struct pack_part *part;
	const struct pack *pack;
	const char *why;
	int rc = pack_of(trace, &pack, &why);

	*p = (struct trace_part){ .fd = -1 };
	if (rc < 0)
		return rc;
	if (!pack)
		return open_file(trace, name, p);
	part = pack_find(pack, name);
	return part ? open_packed(trace, part, p) : -ENOENT;
}

void trace_part_close(struct trace_part *p)
{
	if (p->fd >= 0)
		close(p->fd);
	*p = (struct trace_part){ .fd = -1 };
}

uint64_t trace_part_bytes(int trace, const char *name)
{
	const struct pack_part *part;
	const struct pack *pack;
	const char *why;
	struct stat st;

	if (pack_of(trace, &pack, &why) < 0)
		return 0;
	if (!pack)
		return fstatat(trace, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
	part = pack_find(pack, name);
	return part ? part->stored : 0;
}

static int each_packed(const struct pack *pack, int (*fn)(void *arg, const char *name), void *arg)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < pack_count(pack); i++)
		if (!strchr(pack_nth(pack, i)->name, '/'))
			rc = fn(arg, pack_nth(pack, i)->name);
	return rc;
}

int trace_parts_each(int trace, int (*fn)(void *arg, const char *name), void *arg)
{
	const struct pack *pack;
	const char *why;
	int rc = pack_of(trace, &pack, &why), fd;

	if (rc < 0 || pack)
		return rc < 0 ? rc : each_packed(pack, fn, arg);
	fd = openat(trace, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		rc = -errno;
		if (fd >= 0)
			close(fd);
		return rc;
	}
	for (struct dirent *e; rc == 0 && (e = readdir(d));)
		if (e->d_name[0] != '.')
			rc = fn(arg, e->d_name);
	return rc;
}
