/* Copies of the files that the program maps or executes. Contract: recorder_int.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "record/control.h"
#include "record/live.h"
#include "record/recorder_int.h"
#include "record/world.h"

/* A file that nobody in the tree is likely to write is only read: the C library's caches, for one. */
static bool shared_with_others(int fd, int prot, int flags, int kind)
{
	int mode = fcntl(fd, F_GETFL);
	struct statfs fs;

	if (kind != FILE_MAP_SHARED || (flags & MAP_TYPE) == MAP_PRIVATE)
		return false;
	if (prot & PROT_WRITE || (mode >= 0 && (mode & O_ACCMODE) != O_RDONLY))
		return true;
	return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/*
 * The trace keeps a copy. A process that may not write there (any more: it changed its user, restricted itself, limited the
 * size of files) has the supervisor do it. When that is gone, so is the recording.
 */
static int keep_file(struct recorder *r, int fd, struct file_ref *ref)
{
	struct rlimit size;
	int rc = -EACCES;

	if (r->cut)
		return 0;
	if (r->link.files && getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur == RLIM_INFINITY)
		rc = files_add(r->link.files, fd, ref);
	if (rc < 0 && rc != -EINVAL && rc != -ENOSPC && rc != -EDQUOT)
		rc = control_store(r->link.control, fd, ref);
	if (rc == -ENOSPC || rc == -EDQUOT)
		ring_stop(r->link.ring); /* the next event finds out; the program goes on */
	else if (rc == -EPIPE)
		r->cut = true;
	else
		return rc;
	return 0;
}

int recorder_map_file(struct session *s, struct task *t, struct plan *p, int fd, int prot, int flags,
			     uint64_t offset, uint64_t len, struct map_source *src)
{
	struct recorder *r = recorder_of(s);
	unsigned char annex[FILE_MAP_ANNEX_MAX];
	struct file_map m = { 0 };
	int rc = live_map_file(t, fd, prot, flags, offset, len, src, &m);

	if (rc < 0)
		return rc;
	if (shared_with_others(fd, prot, flags, m.kind))
		recorder_shares(s, t);
	rc = m.kind == FILE_MAP_ZERO || m.kind == FILE_MAP_KERNEL ? 0 : keep_file(r, fd, &m.ref);
	if (rc < 0)
		return rc;
	plan_set_annex(p, annex, file_map_encode(&m, annex));
	return 0;
}

int recorder_image_file(struct session *s, struct exec_params *x, unsigned index, const char *path)
{
	struct recorder *r = recorder_of(s);
	int given = r->link.program_fd, fd = WORLD_NONE, rc;

	if (r->link.world)
		fd = world_image_file(r->link.world, x, index, path);
	if (fd == WORLD_NONE)
		fd = index || given < 0 ? live_image_file(path) : live_image_fd(fcntl(given, F_DUPFD_CLOEXEC, 3));
	if (fd < 0)
		return fd;
	rc = keep_file(r, fd, &x->file[index].ref);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}
