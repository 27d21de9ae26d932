/* Shared file mappings on replay. Contract: shared_file.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/tree.h"
#include "replay/shared_file.h"
#include "vmm/cleanup.h"

#define SEGMENT_DEV UINT64_MAX /* System V segments have numbers of their own */

struct shared_file {
	uint64_t dev, ino;
	int fd;
	struct shared_file *next;
};

struct shared_files {
	struct tree *tree;
	struct shared_file *first;
};

int shared_files_create(struct tree *tree, struct shared_files **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->tree = tree;
	return 0;
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

/* ---- what others have ---- */

/* The holder may be gone, and its number another process's. */
static int open_holder(const struct tree_file *e, unsigned i)
{
	char path[64];
	struct stat st;
	int fd;

	if (!e->holder[i].pid)
		return -ENOENT;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", e->holder[i].pid, e->holder[i].fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && st.st_ino == e->memfd_ino)
		return fd;
	close(fd);
	return -ENOENT;
}

static int open_others(const struct tree_file *e)
{
	int fd = -ENOENT;

	for (unsigned i = 0; i < TREE_HOLDERS && fd < 0; i++)
		fd = open_holder(e, i);
	return fd;
}

static struct tree_file *entry_of(struct tree *t, uint64_t dev, uint64_t ino)
{
	uint32_t i = 0;

	while (i < t->nfiles && (t->file[i].dev != dev || t->file[i].ino != ino))
		i++;
	if (i == TREE_FILES)
		return NULL;
	if (i == t->nfiles) {
		t->file[i] = (struct tree_file){ .dev = dev, .ino = ino };
		t->nfiles++;
	}
	return &t->file[i];
}

static void hold(struct tree_file *e, int fd)
{
	struct stat st;
	unsigned i = e->next++ % TREE_HOLDERS;

	if (fstat(fd, &st) < 0)
		return;
	if (e->memfd_ino != st.st_ino)
		memset(e->holder, 0, sizeof(e->holder));
	e->memfd_ino = st.st_ino;
	e->holder[i].pid = getpid();
	e->holder[i].fd = fd;
}

static int make_memfd(struct shared_files *s, uint64_t dev, uint64_t ino, bool grouped)
{
	struct tree_file *e = grouped ? entry_of(s->tree, dev, ino) : NULL;
	int fd = e ? open_others(e) : -ENOENT;

	if (fd < 0)
		fd = memfd_create("sandrec-shared-file", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (e)
		hold(e, fd);
	return fd;
}

/* ---- this process's ---- */

static struct shared_file *find_or_make(struct shared_files *s, uint64_t dev, uint64_t ino, bool grouped)
{
	struct shared_file *f;

	for (f = s->first; f; f = f->next)
		if (f->dev == dev && f->ino == ino)
			return f;
	f = malloc(sizeof(*f));
	if (!f)
		return NULL;
	*f = (struct shared_file){ dev, ino, make_memfd(s, dev, ino, grouped), s->first };
	if (f->fd < 0) {
		free(f);
		return NULL;
	}
	s->first = f;
	return f;
}

int shared_files_segment(struct shared_files *s, int id)
{
	struct shared_file *f = find_or_make(s, SEGMENT_DEV, (uint64_t)(uint32_t)id, true);

	return f ? f->fd : -ENOMEM;
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

int shared_files_get(struct shared_files *s, uint64_t dev, uint64_t ino, bool grouped, int stored, uint64_t size)
{
	struct shared_file *f = find_or_make(s, dev, ino, grouped);
	int rc;

	if (!f)
		return -ENOMEM;
	if (ftruncate(f->fd, (off_t)size) < 0)
		return -errno;
	rc = copy_content(stored, f->fd, size);
	return rc < 0 ? rc : f->fd;
}

static const struct tree_file *find_entry(const struct tree *t, uint64_t dev, uint64_t ino)
{
	for (uint32_t i = 0; i < t->nfiles; i++)
		if (t->file[i].dev == dev && t->file[i].ino == ino)
			return &t->file[i];
	return NULL;
}

int shared_files_sized(struct shared_files *s, uint64_t dev, uint64_t ino, bool grouped, uint64_t size)
{
	const struct tree_file *e = grouped ? find_entry(s->tree, dev, ino) : NULL;
	const struct shared_file *f = s->first;
	cleanup_close int others = -1;

	while (f && (f->dev != dev || f->ino != ino))
		f = f->next;
	if (!f && e)
		others = open_others(e);
	if (!f && others < 0)
		return 0;
	return ftruncate(f ? f->fd : others, (off_t)size) < 0 ? -errno : 0;
}
