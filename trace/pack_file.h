/*
 * The layout of a pack file: a header, the parts' bytes, the index. Little-endian.
 */
#ifndef SANDREC_PACK_FILE_H
#define SANDREC_PACK_FILE_H

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define PACK_MAGIC "SRECPACK"
#define PACK_INDEX_MAX (256u << 20)
#define PACK_PART_MAX (1ull << 40) /* of an uncompressed part; what is compressed must fit in memory */
#define PACK_RATIO_MAX 1100        /* zstd's own limit is near: a larger part does not come from so few bytes */

/* The magic and format mean the same in every format. */
struct pack_head {
	char magic[8];
	uint32_t format, header;       /* header: 64, where the first part is */
	uint64_t index_at, index_len;
	uint64_t index_sum;            /* XXH3 of the index */
	uint64_t reserved[2];
	uint64_t sum;                  /* XXH3 of the bytes before it */
};

/* Entries are sorted by name, and no two have the same. */
struct pack_entry {
	uint64_t at, stored, size, sum;
	uint32_t flags, name_len;
	/* the name, zeros up to a multiple of 8 */
};

#define PACK_COMPRESSED 1u

static_assert(sizeof(struct pack_head) == 64 && sizeof(struct pack_entry) == 40, "on disk");

static inline uint64_t pack_head_sum(const struct pack_head *h)
{
	return XXH3_64bits(h, offsetof(struct pack_head, sum));
}

/* Reads exactly len bytes at an offset: 0, -EBADMSG when the file ends before, or what pread() gave. */
static inline int pack_read_at(int fd, void *buf, size_t len, uint64_t at)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		done += (size_t)n;
	}
	return 0;
}

#endif
