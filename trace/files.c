#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "trace/files.h"
#include "trace/files_copy.h"
#include "trace/parts.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"
#include "vmm/memo.h"
#include "vmm/proc_self.h"

#define FILES_STORED 0x66696c6573ULL /* in keys of the shared table */
#define KNOWN_SLOTS 256 /* identities remembered in this process; a collision only costs a look into the index */

struct identity {
	uint64_t dev, ino, size;
	struct timespec mtime, ctime;
};

struct known {
	bool used, settled;
	struct identity id;
	struct file_ref ref;
};

struct files_store {
	bool continued;      /* files_continue() */
	int files;           /* the trace's files/; a packed trace, when packed */
	bool packed;
	int store, index;    /* the root's, or -1 */
	unsigned tmp;
	struct memo *memo;   /* files_share(), or NULL */
	struct known known[KNOWN_SLOTS];
};

void files_name(const struct file_ref *ref, char name[33])
{
	snprintf(name, 33, "%016" PRIx64 "%016" PRIx64, ref->hash[0], ref->hash[1]);
}

static int hide(int fd, int (*fd_hide)(int fd))
{
	int moved = fd >= 0 && fd_hide ? fd_hide(fd) : fd;

	/* The old one is closed by fd_hide only when it succeeded. */
	if (moved < 0 && fd >= 0)
		close(fd);
	return moved;
}

static int open_dir(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

/* The root's store is a saving only: without one (another file system, no home) every trace has its own copies. */
static void open_store(struct files_store *s, int (*fd_hide)(int fd))
{
	char root[PATH_MAX];
	struct stat ours, theirs;

	if (tracedir_root(root, sizeof(root), 0) < 0)
		return;
	cleanup_close int rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (rootfd < 0 || fstat(rootfd, &theirs) || fstat(s->files, &ours) || ours.st_dev != theirs.st_dev)
		return;
	s->store = hide(open_dir(rootfd, FILES_STORE), fd_hide);
	if (s->store >= 0)
		s->index = hide(open_dir(s->store, "index"), fd_hide);
}

int files_prepare(const char *root)
{
	cleanup_close int rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (rootfd < 0 || (mkdirat(rootfd, FILES_STORE, 0700) && errno != EEXIST) ||
	    (mkdirat(rootfd, FILES_STORE "/index", 0700) && errno != EEXIST))
		return -errno;
	return 0;
}

int files_open(int dirfd, int (*fd_hide)(int fd), struct files_store **out)
{
	struct files_store *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	s->store = s->index = -1;
	s->packed = trace_is_packed(dirfd);
	s->files = ret = hide(s->packed ? fcntl(dirfd, F_DUPFD_CLOEXEC, 0) : open_dir(dirfd, TRACE_FILES_DIR), fd_hide);
	if (ret < 0) {
		free(s);
		return ret;
	}
	if (!s->packed)
		open_store(s, fd_hide);
	*out = s;
	return 0;
}

void files_close(struct files_store *s)
{
	if (!s)
		return;
	close(s->files);
	if (s->store >= 0)
		close(s->store);
	if (s->index >= 0)
		close(s->index);
	free(s);
}

/* ---- identities ---- */

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_identity(const struct identity *a, const struct identity *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && same_time(&a->mtime, &b->mtime) &&
	       same_time(&a->ctime, &b->ctime);
}

static int identity_of(int fd, struct identity *id)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*id = (struct identity){ .dev = st.st_dev, .ino = st.st_ino, .size = (uint64_t)st.st_size,
				 .mtime = st.st_mtim, .ctime = st.st_ctim };
	return 0;
}

static bool times_say_all(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type != TMPFS_MAGIC && fs.f_type != RAMFS_MAGIC;
}

static bool is_settled(int fd, const struct identity *id)
{
	struct timespec now;

	/* Seconds are enough, and this clock is read without rdtsc (ring.c says why that matters). */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec - id->ctime.tv_sec < FILES_SETTLED_S || now.tv_sec - id->mtime.tv_sec < FILES_SETTLED_S)
		return false;
	return times_say_all(fd);
}

static struct known *known_slot(struct files_store *s, const struct identity *id)
{
	return &s->known[(id->ino ^ id->dev) * 0x9e3779b97f4a7c15u >> 56];
}

static_assert(KNOWN_SLOTS == 256, "known_slot() takes eight bits");

static void remember(struct files_store *s, const struct identity *id, const struct file_ref *ref, bool settled)
{
	*known_slot(s, id) = (struct known){ .used = true, .settled = settled, .id = *id, .ref = *ref };
}

/* What the processes of one recording tell each other. The identity comes along, as its hash may be another's too. */
struct shared {
	struct identity id;
	struct file_ref ref;
};

static void shared_key(const struct identity *id, uint64_t key[2])
{
	XXH128_hash_t h = XXH3_128bits(id, sizeof(*id));

	key[0] = h.low64;
	key[1] = h.high64 ^ FILES_STORED; /* other things are in the table, too */
}

static bool shared_find(const struct files_store *s, const struct identity *id, struct file_ref *ref)
{
	union { struct shared entry; unsigned char bytes[MEMO_BYTES]; } u;
	uint64_t key[2];

	if (!s->memo)
		return false;
	shared_key(id, key);
	if (memo_get(s->memo, key, &u) != sizeof(u.entry) || !same_identity(&u.entry.id, id))
		return false;
	*ref = u.entry.ref;
	return true;
}

static void shared_add(const struct files_store *s, const struct identity *id, const struct file_ref *ref)
{
	struct shared entry = { *id, *ref };
	uint64_t key[2];

	if (!s->memo)
		return;
	shared_key(id, key);
	memo_put(s->memo, key, &entry, sizeof(entry));
}

bool files_content_key(int fd, bool resting, uint64_t key[2])
{
	struct identity id;

	if (identity_of(fd, &id) < 0 || !(resting ? times_say_all(fd) : is_settled(fd, &id)))
		return false;
	shared_key(&id, key);
	return true;
}

void files_share(struct files_store *s, struct memo *m)
{
	s->memo = m;
}

static void index_name(const struct identity *id, char name[200])
{
	snprintf(name, 200, "%" PRIx64 "-%" PRIx64 "-%" PRIx64 "-%" PRIx64 ".%lx-%" PRIx64 ".%lx", id->dev, id->ino,
		 id->size, (uint64_t)id->mtime.tv_sec, id->mtime.tv_nsec, (uint64_t)id->ctime.tv_sec, id->ctime.tv_nsec);
}

static void index_add(struct files_store *s, const struct identity *id, const struct file_ref *ref)
{
	char name[200], hash[33], target[64];

	if (s->index < 0)
		return;
	index_name(id, name);
	files_name(ref, hash);
	snprintf(target, sizeof(target), "%s.%" PRIx64, hash, ref->size);
	/* An entry that is there already says the same, or is of a store file that is gone: replace it. */
	if (symlinkat(target, s->index, name) && errno == EEXIST && !unlinkat(s->index, name, 0) &&
	    symlinkat(target, s->index, name))
		return;
}

static bool index_find(struct files_store *s, const struct identity *id, struct file_ref *ref)
{
	char name[200], target[64];
	int end = 0;

	if (s->index < 0)
		return false;
	index_name(id, name);
	ssize_t n = readlinkat(s->index, name, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = 0;
	return sscanf(target, "%16" SCNx64 "%16" SCNx64 ".%" SCNx64 "%n", &ref->hash[0], &ref->hash[1], &ref->size,
		      &end) == 3 && end == n;
}

/* ---- content ---- */

static bool right_size(int dir, const char *name, const struct file_ref *ref)
{
	struct stat st;

	return !fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode) && (uint64_t)st.st_size == ref->size;
}

/*
 * Brings a file of the root's store into the trace. The size is looked at because a machine that lost power may have
 * kept the name but not the bytes.
 */
static bool link_from_store(struct files_store *s, const struct file_ref *ref)
{
	char name[33];

	files_name(ref, name);
	return s->store >= 0 && right_size(s->store, name, ref) &&
	       (!linkat(s->store, name, s->files, name, 0) || errno == EEXIST);
}

/* Gives the store a link to the trace's copy; one that is unfit (wrong size, no links left) is replaced. */
static void publish(struct files_store *s, const char *name, const struct file_ref *ref, bool replace)
{
	char tmp[64];

	if (s->store < 0 || !linkat(s->files, name, s->store, name, 0) || errno != EEXIST)
		return;
	if (!replace && right_size(s->store, name, ref))
		return;
	snprintf(tmp, sizeof(tmp), "tmp.%d.%u", (int)getpid(), s->tmp++);
	if (!linkat(s->files, name, s->store, tmp, 0) && renameat(s->store, tmp, s->store, name))
		unlinkat(s->store, tmp, 0);
}

static int open_readable(int fd)
{
	char byte;

	return pread(fd, &byte, 0, 0) >= 0 ? fd : proc_self_reopen(fd, O_RDONLY);
}

static int copy_in(struct files_store *s, int fd, uint64_t size, struct file_ref *ref)
{
	char tmp[64], name[33];

	snprintf(tmp, sizeof(tmp), "tmp.%d.%u", (int)getpid(), s->tmp++);
	cleanup_close int to = openat(s->files, tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (to < 0)
		return -errno;
	int ret = files_copy(fd, to, size, ref);

	if (!ret && fchmod(to, 0400))
		ret = -errno;
	if (!ret) {
		files_name(ref, name);
		if (renameat(s->files, tmp, s->files, name))
			ret = -errno;
	}
	if (ret)
		unlinkat(s->files, tmp, 0);
	return ret;
}

/* Content that the trace or the store may well have already: hashing first saves writing it again. */
static bool found_by_content(struct files_store *s, int fd, const struct identity *id, struct file_ref *ref)
{
	char name[33];

	if (files_hash(fd, id->size, ref))
		return false;
	files_name(ref, name);
	return right_size(s->files, name, ref) || link_from_store(s, ref);
}

static int store_content(struct files_store *s, int fd, const struct identity *id, struct file_ref *ref, bool replace)
{
	char name[33];
	int ret = copy_in(s, fd, id->size, ref);

	if (!ret) {
		files_name(ref, name);
		publish(s, name, ref, replace);
	}
	return ret;
}

void files_continue(struct files_store *s)
{
	s->continued = true;
}

int files_add(struct files_store *s, int fd, struct file_ref *ref)
{
	struct identity id, after;
	int ret = s->packed ? -EROFS : identity_of(fd, &id);

	if (ret)
		return ret;
	const struct known *k = known_slot(s, &id);
	bool seen = k->used && k->id.dev == id.dev && k->id.ino == id.ino;

	if (seen && k->settled && same_identity(&k->id, &id)) {
		*ref = k->ref;
		return 0;
	}
	if (shared_find(s, &id, ref)) {
		remember(s, &id, ref, true);
		return 0;
	}
	bool indexed = index_find(s, &id, ref);

	if (indexed && link_from_store(s, ref)) {
		remember(s, &id, ref, true);
		shared_add(s, &id, ref);
		return 0;
	}
	int readable = open_readable(fd);

	if (readable < 0)
		return readable;
	if (!(seen || s->continued) || !found_by_content(s, readable, &id, ref))
		ret = store_content(s, readable, &id, ref, indexed);
	if (!ret && !identity_of(fd, &after) && ref->size == id.size) {
		bool settled = same_identity(&id, &after) && is_settled(readable, &id);

		remember(s, &id, ref, settled);
		if (settled) {
			index_add(s, &id, ref);
			shared_add(s, &id, ref);
		}
	}
	if (readable != fd)
		close(readable);
	return ret;
}

/* A file of a pack has become one of its own, or it is none that files_get() could give away. */
static int open_packed(const struct files_store *s, const char *name)
{
	char path[sizeof(TRACE_FILES_DIR) + 33];
	struct trace_part part;
	int rc;

	snprintf(path, sizeof(path), TRACE_FILES_DIR "/%s", name);
	rc = trace_part_open(s->files, path, &part);
	if (rc == 0 && !part.whole) {
		trace_part_close(&part);
		rc = -EBADMSG;
	}
	return rc < 0 ? rc : part.fd;
}

static int open_stored(const struct files_store *s, const char *name)
{
	int fd = openat(s->files, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	return fd;
}

/*
 * The content is what the name says. Processes that replay tell each other, as each image opens program, loader and libraries:
 * 3 ms of hashing. Nobody writes to a trace meanwhile, so its files need not have been there for a while to be known again.
 */
static int verify_content(const struct files_store *s, int fd, const struct file_ref *ref)
{
	struct verified {
		struct identity id;
		struct file_ref ref;
		uint64_t verified; /* not what shared_add() puts there */
	} want = { .ref = *ref, .verified = 1 };
	union { struct verified entry; unsigned char bytes[MEMO_BYTES]; } u;
	struct file_ref is;
	XXH128_hash_t h;
	uint64_t key[2];
	int rc = identity_of(fd, &want.id);

	if (rc < 0)
		return rc;
	h = XXH3_128bits(&want, sizeof(want));
	key[0] = h.low64;
	key[1] = h.high64;
	if (s->memo && !s->packed && memo_get(s->memo, key, &u) == sizeof(want) && !memcmp(&u.entry, &want, sizeof(want)))
		return 0;
	rc = files_hash(fd, INT64_MAX, &is);
	if (rc == 0 && memcmp(&is, ref, sizeof(is)))
		rc = -EBADMSG;
	if (rc == 0 && s->memo && !s->packed)
		memo_put(s->memo, key, &want, sizeof(want));
	return rc;
}

int files_get(struct files_store *s, const struct file_ref *ref, int verify)
{
	struct stat st;
	char name[33];

	files_name(ref, name);
	cleanup_close int fd = s->packed ? open_packed(s, name) : open_stored(s, name);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != ref->size)
		return -EBADMSG;
	if (verify) {
		int ret = verify_content(s, fd, ref);

		if (ret)
			return ret;
	}
	int ret = fd;

	fd = -1;
	return ret;
}

/* ---- pruning ---- */

static DIR *dir_of(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy >= 0 ? fdopendir(copy) : NULL;

	if (!d && copy >= 0)
		close(copy);
	return d;
}

static void prune_contents(int store)
{
	cleanup_closedir DIR *d = dir_of(store);
	struct stat st;

	for (struct dirent *e; d && (e = readdir(d));) {
		/* A recording that links it right now has it already, or finds it gone and makes a copy of its own. */
		if (!fstatat(store, e->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode) && st.st_nlink == 1)
			unlinkat(store, e->d_name, 0);
	}
}

static void prune_index(int store, int index)
{
	cleanup_closedir DIR *d = dir_of(index);
	char target[64];

	for (struct dirent *e; d && (e = readdir(d));) {
		ssize_t n = readlinkat(index, e->d_name, target, sizeof(target) - 1);

		if (n < 32)
			continue;
		target[32] = 0;
		if (faccessat(store, target, F_OK, AT_SYMLINK_NOFOLLOW) && errno == ENOENT)
			unlinkat(index, e->d_name, 0);
	}
}

void files_prune(const char *root)
{
	cleanup_close int rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_close int store = rootfd >= 0 ? open_dir(rootfd, FILES_STORE) : -1;
	cleanup_close int index = store >= 0 ? open_dir(store, "index") : -1;

	if (store >= 0)
		prune_contents(store);
	if (index >= 0)
		prune_index(store, index);
}
