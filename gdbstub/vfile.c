/*
 * Files for gdb, from the recording: vFile packets. Read-only. Source: "Debugging with GDB", Host I/O Packets, and
 * File-I/O Remote Protocol Extension for numbers and structures.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gdbstub/stub_int.h"
#include "vmm/cleanup.h"

#define PIECE_MAX (PACKET_MAX / 2 - 32)
#define FILEIO_EUNKNOWN 9999

static void result(struct stub *s, int64_t rc)
{
	static const int same[] = { EPERM, ENOENT, EINTR, EBADF, EACCES, EFAULT, EBUSY, EEXIST, ENODEV, ENOTDIR, EISDIR, EINVAL,
				    ENFILE, EMFILE, EFBIG, ENOSPC, ESPIPE, EROFS };
	unsigned code = rc == -ENOSYS ? 88 : rc == -ENAMETOOLONG ? 91 : FILEIO_EUNKNOWN;

	if (rc >= 0) {
		packet_printf(&s->reply, "F%llx", (unsigned long long)rc);
		return;
	}
	for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (rc == -same[i])
			code = (unsigned)same[i];
	packet_printf(&s->reply, "F-1,%x", code);
}

static int slot(struct stub *s, const char **p)
{
	uint64_t n;

	if (!packet_number(p, &n) || n >= STUB_FILES || s->file[n] < 0)
		return -EBADF;
	return (int)n;
}

static int64_t open_file(struct stub *s, const char *p)
{
	char path[4096];
	size_t n = strcspn(p, ",") / 2;
	uint64_t flags;
	unsigned free_slot = 0;

	if (n >= sizeof(path))
		return -ENAMETOOLONG;
	if (!packet_bytes(&p, path, n) || !packet_expect(&p, ',') || !packet_number(&p, &flags))
		return -EINVAL;
	path[n] = 0;
	if (flags & 3) /* writing */
		return -EROFS;
	while (free_slot < STUB_FILES && s->file[free_slot] >= 0)
		free_slot++;
	if (free_slot == STUB_FILES)
		return -EMFILE;
	s->file[free_slot] = s->t->ops->open_file(s->t, path);
	return s->file[free_slot] < 0 ? s->file[free_slot] : (int)free_slot;
}

static int64_t close_file(struct stub *s, const char *p)
{
	int i = slot(s, &p);

	if (i < 0)
		return i;
	close(s->file[i]);
	s->file[i] = -1;
	return 0;
}

static void read_file(struct stub *s, const char *p)
{
	static uint8_t buf[PIECE_MAX];
	uint64_t len, off;
	int i = slot(s, &p);
	ssize_t n;

	if (i < 0 || !packet_expect(&p, ',') || !packet_number(&p, &len) || !packet_expect(&p, ',') || !packet_number(&p, &off)) {
		result(s, i < 0 ? i : -EINVAL);
		return;
	}
	n = off > INT64_MAX ? 0 : pread(s->file[i], buf, len < sizeof(buf) ? len : sizeof(buf), (off_t)off);
	result(s, n < 0 ? -errno : n);
	if (n >= 0) {
		packet_text(&s->reply, ";");
		packet_binary(&s->reply, buf, (size_t)n);
	}
}

/* All big-endian, whatever the machine. */
struct fileio_stat {
	uint32_t dev, ino, mode, nlink, uid, gid, rdev;
	uint64_t size, blksize, blocks;
	uint32_t atime, mtime, ctime;
} __attribute__((packed));

static void put_stat(struct stub *s, int fd)
{
	struct fileio_stat out = { 0 };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		result(s, fd < 0 ? fd : -errno);
		return;
	}
	out.mode = htobe32(S_IFREG | 0444);
	out.nlink = htobe32(1);
	out.ino = htobe32((uint32_t)st.st_ino);
	out.size = htobe64((uint64_t)st.st_size);
	out.blksize = htobe64((uint64_t)st.st_blksize);
	out.blocks = htobe64((uint64_t)st.st_blocks);
	result(s, sizeof(out));
	packet_text(&s->reply, ";");
	packet_binary(&s->reply, &out, sizeof(out));
}

static void stat_open(struct stub *s, const char *p)
{
	int i = slot(s, &p);

	put_stat(s, i < 0 ? i : s->file[i]);
}

static int name_of(const char *p, char *path, size_t size)
{
	size_t n = strlen(p) / 2;

	if (n >= size)
		return -ENAMETOOLONG;
	if (!packet_bytes(&p, path, n) || *p)
		return -EINVAL;
	path[n] = 0;
	return 0;
}

static void stat_name(struct stub *s, const char *p)
{
	char path[4096];
	int rc = name_of(p, path, sizeof(path));
	cleanup_close int fd = rc < 0 ? -1 : s->t->ops->open_file(s->t, path);

	put_stat(s, rc < 0 ? rc : fd);
}

/* The only links there are. */
static void read_link(struct stub *s, const char *p)
{
	char path[4096], to[4096];
	int rc = name_of(p, path, sizeof(path)), pid, end = 0;

	if (rc == 0 && (sscanf(path, "/proc/%d/exe%n", &pid, &end) != 1 || !end || path[end] || pid != s->t->ops->pid(s->t)))
		rc = -EINVAL;
	if (rc == 0)
		rc = s->t->ops->exec_file(s->t, to, sizeof(to));
	result(s, rc < 0 ? rc : (int64_t)strlen(to));
	if (rc < 0)
		return;
	packet_text(&s->reply, ";");
	packet_binary(&s->reply, to, strlen(to));
}

bool stub_file(struct stub *s, const char *p, size_t len)
{
	(void)len;
	if (!strncmp(p, "open:", 5))
		result(s, open_file(s, p + 5));
	else if (!strncmp(p, "close:", 6))
		result(s, close_file(s, p + 6));
	else if (!strncmp(p, "pread:", 6))
		read_file(s, p + 6);
	else if (!strncmp(p, "fstat:", 6))
		stat_open(s, p + 6);
	else if (!strncmp(p, "stat:", 5))
		stat_name(s, p + 5);
	else if (!strncmp(p, "lstat:", 6))
		stat_name(s, p + 6);
	else if (!strncmp(p, "setfs:", 6))
		result(s, 0); /* there is one file system: the recording's */
	else if (!strncmp(p, "pwrite:", 7) || !strncmp(p, "unlink:", 7))
		result(s, -EROFS);
	else if (!strncmp(p, "readlink:", 9))
		read_link(s, p + 9);
	else
		return false;
	return true;
}
