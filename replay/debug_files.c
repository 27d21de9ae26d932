/*
 * The files a process had: what its program images were loaded from and what it mapped, by name, from the recording's
 * store. A name that meant several files means the last one mapped. Contract: debug_int.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "replay/debug_int.h"
#include "replay/replayer.h"
#include "syscall-emu/file_map.h"
#include "syscall-emu/loader.h"
#include "trace/stream.h"

struct indexed {
	char *path;
	struct file_ref ref;
};

struct file_index {
	struct indexed *file;
	size_t n, cap;
	struct files_store *store;
};

void files_index_free(struct file_index *ix)
{
	if (!ix)
		return;
	for (size_t i = 0; i < ix->n; i++)
		free(ix->file[i].path);
	free(ix->file);
	if (ix->store)
		files_close(ix->store);
	free(ix);
}

static void note(struct file_index *ix, const char *path, const struct file_ref *ref)
{
	size_t i;

	if (!path || path[0] != '/')
		return;
	for (i = 0; i < ix->n; i++)
		if (!strcmp(ix->file[i].path, path)) {
			ix->file[i].ref = *ref;
			return;
		}
	if (ix->n == ix->cap) {
		size_t cap = ix->cap ? 2 * ix->cap : 64;
		struct indexed *more = realloc(ix->file, cap * sizeof(*more));

		if (!more)
			return;
		ix->file = more;
		ix->cap = cap;
	}
	ix->file[i] = (struct indexed){ strdup(path), *ref };
	ix->n += ix->file[i].path != NULL;
}

static void note_image(struct file_index *ix, const struct event *ev)
{
	struct exec_params x = { 0 };

	if (exec_params_decode(ev->annex, ev->annex_len, &x) == 0)
		for (unsigned i = 0; i < x.nfiles && i < EXEC_FILES_MAX; i++)
			note(ix, x.file[i].path, &x.file[i].ref);
	exec_params_free(&x);
}

static void note_mapping(struct file_index *ix, const struct event *ev)
{
	static struct file_map m;

	if (ev->annex_len && file_map_decode(ev->annex, ev->annex_len, &m) == 0 && m.kind != FILE_MAP_ZERO)
		note(ix, m.path, &m.ref);
}

static int read_stream(struct file_index *ix, int dir, pid_t pid)
{
	struct stream_reader *r;
	struct event ev;
	char why[256];
	int rc = replayer_open_stream(dir, pid, &r, why, sizeof(why));
	pid_t parent = 0;

	if (rc < 0)
		return rc;
	while (stream_next(r, &ev) == 1) {
		if (ev.type == REC_EXEC)
			note_image(ix, &ev);
		else if (ev.type == REC_SYSCALL && ev.regs.rax == 9) /* mmap: the only one whose annex is a file */
			note_mapping(ix, &ev);
		else if (ev.type == REC_FORK && ev.annex_len == sizeof(struct fork_annex))
			memcpy(&parent, (const char *)ev.annex + offsetof(struct fork_annex, parent), sizeof(int32_t));
	}
	stream_reader_close(r);
	return parent;
}

static struct file_index *make_index(const struct replay_debug *d)
{
	struct file_index *ix = calloc(1, sizeof(*ix));
	pid_t pid = d->pid, line[64];
	int n = 0;

	if (!ix || files_open(d->request.dirfd, NULL, &ix->store) < 0) {
		files_index_free(ix);
		return NULL;
	}
	/* What it has from its ancestors first, so that its own mappings count. */
	while (pid > 0 && n < 64) {
		struct file_index scratch = { 0 };

		line[n++] = pid;
		pid = read_stream(&scratch, d->request.dirfd, pid);
		for (size_t i = 0; i < scratch.n; i++)
			free(scratch.file[i].path);
		free(scratch.file);
	}
	while (n)
		read_stream(ix, d->request.dirfd, line[--n]);
	return ix;
}

int files_open_recorded(struct replay_debug *d, const char *path)
{
	if (!d->files)
		d->files = make_index(d);
	if (!d->files)
		return -ENOMEM;
	for (size_t i = 0; i < d->files->n; i++)
		if (!strcmp(d->files->file[i].path, path))
			return files_get(d->files->store, &d->files->file[i].ref, 0);
	return -ENOENT;
}
