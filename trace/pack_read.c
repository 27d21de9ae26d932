/* Reading packs. Contract: pack.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "trace/pack.h"
#include "trace/pack_file.h"
#include "vmm/cleanup.h"

#define CHUNK (256u << 10)

struct pack {
	size_t n;
	struct pack_part *part;
};

bool pack_is(int fd)
{
	char magic[8];
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && pack_read_at(fd, magic, sizeof(magic), 0) == 0 &&
	       !memcmp(magic, PACK_MAGIC, sizeof(magic));
}

/* Names are looked up and shown to people, never used as paths; still they are plain. */
static bool good_name(const char *name, size_t len)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";

	return len && len <= PACK_NAME_MAX && strspn(name, letters) == len;
}

static bool good_place(const struct pack_entry *e, uint64_t file_size)
{
	if (e->at < sizeof(struct pack_head) || e->at > file_size || e->stored > file_size - e->at || e->size > PACK_PART_MAX)
		return false;
	if (e->flags & PACK_COMPRESSED)
		return e->stored && e->size / PACK_RATIO_MAX / CHUNK <= e->stored;
	return e->stored == e->size;
}

static int take_entries(struct pack *p, const char *index, size_t len, uint64_t file_size)
{
	size_t off = 0;

	p->part = calloc(len / sizeof(struct pack_entry) + 1, sizeof(*p->part));
	if (!p->part)
		return -ENOMEM;
	while (off < len) {
		struct pack_part *part = &p->part[p->n];
		struct pack_entry e;

		if (len - off < sizeof(e))
			return -EBADMSG;
		memcpy(&e, index + off, sizeof(e));
		off += sizeof(e);
		if (e.name_len > PACK_NAME_MAX || ((e.name_len + 7) & ~7u) > len - off || e.flags & ~PACK_COMPRESSED ||
		    !good_place(&e, file_size))
			return -EBADMSG;
		memcpy(part->name, index + off, e.name_len);
		if (!good_name(part->name, e.name_len) || (p->n && strcmp(part[-1].name, part->name) >= 0))
			return -EBADMSG;
		part->at = e.at;
		part->stored = e.stored;
		part->size = e.size;
		part->sum = e.sum;
		part->compressed = e.flags & PACK_COMPRESSED;
		off += (e.name_len + 7) & ~7u;
		p->n++;
	}
	return 0;
}

static int load(int fd, struct pack *p, const char **why)
{
	struct pack_head h;
	struct stat st;
	int rc = fstat(fd, &st) < 0 ? -errno : pack_read_at(fd, &h, sizeof(h), 0);

	*why = "the packed recording is damaged: its header is wrong";
	if (rc < 0)
		return rc;
	if (memcmp(h.magic, PACK_MAGIC, sizeof(h.magic)))
		return -EBADMSG;
	if (h.format > PACK_FORMAT) {
		*why = "it was packed in a format newer than this sandrec reads";
		return -EPROTO;
	}
	if (!h.format || h.header != sizeof(h) || h.sum != pack_head_sum(&h))
		return -EBADMSG;
	*why = "the packed recording is damaged or not all there: its index is missing";
	if (h.index_len > PACK_INDEX_MAX || h.index_at > (uint64_t)st.st_size || h.index_len > (uint64_t)st.st_size - h.index_at)
		return -EBADMSG;
	cleanup_free char *index = malloc(h.index_len + 1);

	if (!index)
		return -ENOMEM;
	rc = pack_read_at(fd, index, h.index_len, h.index_at);
	*why = "the packed recording is damaged: its index is wrong";
	if (rc == 0 && XXH3_64bits(index, h.index_len) != h.index_sum)
		rc = -EBADMSG;
	return rc < 0 ? rc : take_entries(p, index, h.index_len, (uint64_t)st.st_size);
}

int pack_open(int fd, struct pack **out, const char **why)
{
	struct pack *p = calloc(1, sizeof(*p));
	int rc = p ? load(fd, p, why) : -ENOMEM;

	if (rc < 0) {
		pack_close(p);
		return rc;
	}
	*out = p;
	return 0;
}

void pack_close(struct pack *p)
{
	if (!p)
		return;
	free(p->part);
	free(p);
}

size_t pack_count(const struct pack *p)
{
	return p->n;
}

const struct pack_part *pack_nth(const struct pack *p, size_t n)
{
	return &p->part[n];
}

static int by_name(const void *name, const void *part)
{
	return strcmp(name, ((const struct pack_part *)part)->name);
}

const struct pack_part *pack_find(const struct pack *p, const char *name)
{
	return p->n ? bsearch(name, p->part, p->n, sizeof(*p->part), by_name) : NULL;
}

/* Where the content of a part goes, piece by piece. */
struct sink {
	int fd;               /* -1: nowhere */
	uint64_t done, size;
	ZSTD_DCtx *zstd;      /* NULL: the part is not compressed */
	char *out;
	bool ended;           /* the frame is over */
};

static int write_all(struct sink *s, const char *bytes, size_t len)
{
	if (len > s->size - s->done)
		return -EBADMSG;
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(s->fd, bytes + done, len - done, (off_t)(s->done + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	s->done += len;
	return 0;
}

static int put(struct sink *s, const char *bytes, size_t len)
{
	ZSTD_inBuffer in = { bytes, len, 0 };
	int rc = 0;

	if (s->fd < 0)
		return 0;
	if (!s->zstd)
		return write_all(s, bytes, len);
	while (rc == 0 && in.pos < in.size) {
		ZSTD_outBuffer out = { s->out, CHUNK, 0 };
		size_t left = s->ended ? 1 : ZSTD_decompressStream(s->zstd, &out, &in);

		if (s->ended || ZSTD_isError(left))
			return -EBADMSG;
		s->ended = !left;
		rc = write_all(s, s->out, out.pos);
	}
	return rc;
}

/* The stored bytes through the sink; the sum is looked at in the end. */
static int pump(int fd, const struct pack_part *part, struct sink *s)
{
	cleanup_free char *buf = malloc(CHUNK);
	XXH3_state_t *sum = XXH3_createState();
	uint64_t done = 0;
	int rc = buf && sum ? 0 : -ENOMEM;

	if (sum)
		XXH3_64bits_reset(sum);
	while (rc == 0 && done < part->stored) {
		size_t n = part->stored - done < CHUNK ? part->stored - done : CHUNK;

		rc = pack_read_at(fd, buf, n, part->at + done);
		if (rc == 0) {
			XXH3_64bits_update(sum, buf, n);
			rc = put(s, buf, n);
		}
		done += n;
	}
	if (rc == 0 && XXH3_64bits_digest(sum) != part->sum)
		rc = -EBADMSG;
	XXH3_freeState(sum);
	return rc;
}

int pack_check(int fd, const struct pack_part *part)
{
	return pump(fd, part, &(struct sink){ .fd = -1 });
}

int pack_extract(int fd, const struct pack_part *part)
{
	cleanup_free char *out = malloc(CHUNK);
	struct sink s = { .fd = memfd_create(part->name, MFD_CLOEXEC), .size = part->size, .out = out };
	int rc = s.fd < 0 ? -errno : 0;

	if (rc == 0 && part->compressed)
		s.zstd = ZSTD_createDCtx();
	if (rc == 0 && (!out || (part->compressed && !s.zstd)))
		rc = -ENOMEM;
	if (rc == 0)
		rc = pump(fd, part, &s);
	if (rc == 0 && s.done != part->size)
		rc = -EBADMSG;
	ZSTD_freeDCtx(s.zstd);
	if (rc < 0 && s.fd >= 0)
		close(s.fd);
	return rc < 0 ? rc : s.fd;
}
