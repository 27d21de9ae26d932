/* Shared file mappings on replay. Contract: shared_file.h. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "replay/shared_file.h"

struct shared_file {
	uint64_t dev, ino;
	int fd;
	struct shared_file *next;
};

struct shared_files {
	struct shared_file *first;
};

int shared_files_create(struct shared_files **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void shared_files_destroy(struct shared_files *s)
{
	while (s && s->first) {
		struct shared_file *f = s->first;

		s->first = f->next;
		close(f->fd);
		free(f);
	}
	free(s);
}

static struct shared_file *find_or_make(struct shared_files *s, uint64_t dev, uint64_t ino)
{
	struct shared_file *f;

	for (f = s->first; f; f = f->next)
		if (f->dev == dev && f->ino == ino)
			return f;
	f = malloc(sizeof(*f));
	if (!f)
		return NULL;
	*f = (struct shared_file){ dev, ino, memfd_create("sandrec-shared-file", MFD_CLOEXEC), s->first };
	if (f->fd < 0) {
		free(f);
		return NULL;
	}
	s->first = f;
	return f;
}

static int copy_content(int from, int to, uint64_t size)
{
	char buf[65536];

	for (uint64_t at = 0; at < size;) {
		ssize_t n = pread(from, buf, sizeof(buf), (off_t)at);

		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		if (pwrite(to, buf, (size_t)n, (off_t)at) != n)
			return -ENOSPC;
		at += (uint64_t)n;
	}
	return 0;
}

int shared_files_get(struct shared_files *s, uint64_t dev, uint64_t ino, int stored, uint64_t size)
{
	struct shared_file *f = find_or_make(s, dev, ino);
	int rc;

	if (!f)
		return -ENOMEM;
	if (ftruncate(f->fd, (off_t)size) < 0)
		return -errno;
	rc = copy_content(stored, f->fd, size);
	return rc < 0 ? rc : f->fd;
}
