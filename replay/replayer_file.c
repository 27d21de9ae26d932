/* Recorded files where the program maps or executes them. Contract: replayer_int.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "replay/divergence.h"
#include "replay/progress.h"
#include "replay/replayer_int.h"
#include "replay/shared_file.h"
#include "syscall-emu/file_map.h"
#include "vmm/cleanup.h"

static int missing_file(struct replayer *r, const char *path)
{
	progress_wipe();
	tree_fail(r->link.tree);
	fprintf(stderr, "sandrec: process %d: the recorded copy of %s is missing or damaged\n", r->link.pid, path);
	r->file_missing = true;
	return -EBADMSG;
}

int replayer_map_file(struct session *s, struct task *t, struct plan *p, int fd, int prot, int flags,
			     uint64_t offset, uint64_t len, struct map_source *src)
{
	struct replayer *r = replayer_of(s);
	struct file_map m;
	int rc = file_map_decode(p->annex, p->annex_len, &m);

	(void)fd, (void)prot, (void)flags, (void)len;
	if (rc < 0)
		return divergence(&r->ev, "a file mapping without a usable file reference");
	if (m.kind == FILE_MAP_KERNEL) {
		src->kernel = true;
		memcpy(src->path, m.path, sizeof(src->path));
		return 0;
	}
	src->shared_copy = m.kind == FILE_MAP_SHARED;
	src->fd = m.kind == FILE_MAP_ZERO ? open("/dev/zero", O_RDWR | O_CLOEXEC) : files_get(r->files, &m.ref, 1);
	if (src->fd < 0)
		return missing_file(r, m.path);
	if (src->shared_copy) {
		cleanup_close int stored = src->fd;

		src->fd = shared_files_get(r->shared, m.dev, m.ino, t->proc->grouped, stored, m.ref.size);
		if (src->fd < 0)
			return src->fd;
	}
	src->denied = m.denied;
	src->offset = offset;
	src->dev = m.dev;
	src->ino = m.ino;
	src->size = m.ref.size;
	memcpy(src->path, m.path, sizeof(src->path));
	return 0;
}

void replayer_map_done(struct session *s, struct map_source *src)
{
	(void)s;
	if (!src->shared_copy && !src->kernel)
		close(src->fd);
}

int replayer_image_file(struct session *s, struct exec_params *x, unsigned index, const char *path)
{
	struct replayer *r = replayer_of(s);
	int fd;

	if (index >= x->nfiles)
		return divergence(&r->ev, "the program image needs %s, which was not recorded", path);
	fd = files_get(r->files, &x->file[index].ref, 1);
	return fd < 0 ? missing_file(r, path) : fd;
}
