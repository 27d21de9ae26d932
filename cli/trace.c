/* Reading recordings. Contract: trace.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/trace.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"

int trace_open(const char *name, char *path, size_t len)
{
	int dir;

	path[0] = '\0';
	dir = tracedir_open(name, path, len);
	if (dir >= 0)
		return dir;
	if (!name)
		message_error("there is no recording yet: %s", strerror(-dir));
	else
		message_error("%s: %s", name, dir == -ENOENT ? "no such recording" : strerror(-dir));
	message_hint(name ? "`sandrec ls` lists the recordings" : "`sandrec run PROG` makes one");
	return -1;
}

bool trace_manifest(int dir, const char *path, struct manifest *m)
{
	char why[256] = "";
	int rc = manifest_read(dir, m, why, sizeof(why));

	if (!rc)
		return true;
	message_error("%s: %s", path, why[0] ? why : strerror(-rc));
	if (rc == -EPROTO)
		message_hint("it was made by a newer sandrec: use that one");
	else
		message_hint("`sandrec dump` may still be able to read its events");
	return false;
}

static int compare_pids(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

/* The number in "events.123", or 0. */
static int stream_pid(const char *name)
{
	char *end;
	long pid;

	if (strncmp(name, "events.", 7) || name[7] < '1' || name[7] > '9')
		return 0;
	errno = 0;
	pid = strtol(name + 7, &end, 10);
	return errno || *end || pid > INT_MAX ? 0 : (int)pid;
}

int *trace_pids(int dir, const char *path, size_t *n)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	size_t room = 16;
	int *pids = d ? calloc(room, sizeof(*pids)) : NULL;
	struct dirent *e;

	*n = 0;
	if (!pids) {
		message_error("%s: %s", path, strerror(errno));
		if (fd >= 0 && !d)
			close(fd);
		return NULL;
	}
	while ((e = readdir(d))) {
		int pid = stream_pid(e->d_name);
		int *more;

		if (!pid)
			continue;
		more = *n == room ? reallocarray(pids, room *= 2, sizeof(*pids)) : pids;
		if (!more) {
			message_error("out of memory");
			free(pids);
			return NULL;
		}
		pids = more;
		pids[(*n)++] = pid;
	}
	qsort(pids, *n, sizeof(*pids), compare_pids);
	return pids;
}
