#include <errno.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define XXH_STATIC_LINKING_ONLY
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "trace/files_copy.h"
#include "vmm/cleanup.h"

#define CHUNK (128u << 10)

static int write_at(int fd, const char *p, size_t len, uint64_t off)
{
	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
		off += (size_t)n;
	}
	return 0;
}

static bool all_zero(const char *p, size_t len)
{
	return !len || (!p[0] && !memcmp(p, p + 1, len - 1));
}

/* to is -1 for hashing only. *done is how much there was. */
static int read_through(int from, int to, uint64_t max, char *buf, XXH3_state_t *xxh, uint64_t *done)
{
	for (*done = 0; *done < max;) {
		size_t want = max - *done < CHUNK ? (size_t)(max - *done) : CHUNK;
		ssize_t n = pread(from, buf, want, (off_t)*done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		XXH3_128bits_update(xxh, buf, (size_t)n);
		/* Not SEEK_HOLE: the offset of from is shared with whoever gave it to us. */
		if (to >= 0 && !all_zero(buf, (size_t)n)) {
			int ret = write_at(to, buf, (size_t)n, *done);

			if (ret)
				return ret;
		}
		*done += (uint64_t)n;
	}
	return 0;
}

static int hash_and_copy(int from, int to, uint64_t max, struct file_ref *ref)
{
	cleanup_free char *buf = malloc(CHUNK);
	XXH3_state_t *xxh = XXH3_createState();
	uint64_t size = 0;
	int ret = -ENOMEM;

	if (buf && xxh) {
		XXH3_128bits_reset(xxh);
		ret = read_through(from, to, max, buf, xxh, &size);
	}
	if (!ret) {
		XXH128_hash_t h = XXH3_128bits_digest(xxh);

		*ref = (struct file_ref){ .hash = { h.high64, h.low64 }, .size = size };
	}
	XXH3_freeState(xxh);
	return ret;
}

int files_hash(int fd, uint64_t max, struct file_ref *ref)
{
	return hash_and_copy(fd, -1, max, ref);
}

int files_copy(int from, int to, uint64_t max, struct file_ref *ref)
{
	if (!ioctl(to, FICLONE, from))
		return files_hash(to, INT64_MAX, ref);

	int ret = hash_and_copy(from, to, max, ref);

	/* Zeros at the end were not written. */
	if (!ret && ftruncate(to, (off_t)ref->size))
		ret = -errno;
	return ret;
}
