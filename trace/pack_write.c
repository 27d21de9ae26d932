/* Writing packs. Contract: pack.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "trace/pack.h"
#include "trace/pack_file.h"
#include "vmm/cleanup.h"

#define CHUNK (1u << 20)
#define LEVEL 9

struct pack_writer {
	int fd;
	uint64_t pos;
	size_t n, room;
	struct pack_part *part;
	ZSTD_CCtx *zstd;
	char *in, *out;
	XXH3_state_t *sum;
};

int pack_writer_create(int fd, struct pack_writer **out)
{
	struct pack_writer *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->fd = fd;
	w->pos = sizeof(struct pack_head);
	w->zstd = ZSTD_createCCtx();
	w->in = malloc(CHUNK);
	w->out = malloc(CHUNK);
	w->sum = XXH3_createState();
	if (!w->zstd || !w->in || !w->out || !w->sum) {
		pack_writer_abandon(w);
		return -ENOMEM;
	}
	*out = w;
	return 0;
}

void pack_writer_abandon(struct pack_writer *w)
{
	if (!w)
		return;
	ZSTD_freeCCtx(w->zstd);
	XXH3_freeState(w->sum);
	free(w->in);
	free(w->out);
	free(w->part);
	free(w);
}

static int write_at(int fd, const void *bytes, size_t len, uint64_t at)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, (const char *)bytes + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

static int put(struct pack_writer *w, struct pack_part *p, const void *bytes, size_t len)
{
	int rc = write_at(w->fd, bytes, len, w->pos);

	XXH3_64bits_update(w->sum, bytes, len);
	w->pos += len;
	p->stored += len;
	return rc;
}

static int put_compressed(struct pack_writer *w, struct pack_part *p, const void *bytes, size_t len, bool last)
{
	ZSTD_inBuffer in = { bytes, len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { w->out, CHUNK, 0 };
		int rc;

		left = ZSTD_compressStream2(w->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return -EIO;
		rc = put(w, p, w->out, out.pos);
		if (rc < 0)
			return rc;
	} while (last ? left : in.pos < in.size);
	return 0;
}

static int copy(struct pack_writer *w, struct pack_part *p, int from, uint64_t at)
{
	uint64_t done = 0;
	int rc = 0;

	XXH3_64bits_reset(w->sum);
	if (p->compressed) {
		ZSTD_CCtx_reset(w->zstd, ZSTD_reset_session_only);
		ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, LEVEL);
		ZSTD_CCtx_setPledgedSrcSize(w->zstd, p->size);
	}
	do {
		size_t n = p->size - done < CHUNK ? p->size - done : CHUNK;

		rc = pack_read_at(from, w->in, n, at + done);
		done += n;
		if (rc == 0)
			rc = p->compressed ? put_compressed(w, p, w->in, n, done == p->size) : put(w, p, w->in, n);
	} while (rc == 0 && done < p->size);
	p->sum = XXH3_64bits_digest(w->sum);
	return rc;
}

static bool has(const struct pack_writer *w, const char *name)
{
	for (size_t i = 0; i < w->n; i++)
		if (!strcmp(w->part[i].name, name))
			return true;
	return false;
}

int pack_add(struct pack_writer *w, const char *name, int from, uint64_t at, uint64_t size, bool compress)
{
	struct pack_part *p;

	if (!*name || strlen(name) > PACK_NAME_MAX || size > PACK_PART_MAX)
		return -EINVAL;
	if (has(w, name))
		return -EEXIST;
	if (w->n == w->room) {
		size_t room = w->room ? 2 * w->room : 32;

		p = reallocarray(w->part, room, sizeof(*p));
		if (!p)
			return -ENOMEM;
		w->part = p;
		w->room = room;
	}
	p = &w->part[w->n++];
	*p = (struct pack_part){ .at = w->pos, .size = size, .compressed = compress };
	strcpy(p->name, name);
	return copy(w, p, from, at);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct pack_part *)a)->name, ((const struct pack_part *)b)->name);
}

static int write_index(struct pack_writer *w, struct pack_head *h)
{
	size_t room = w->n * (sizeof(struct pack_entry) + PACK_NAME_MAX + 1), len = 0;
	cleanup_free char *index = calloc(1, room + 1);

	if (!index)
		return -ENOMEM;
	qsort(w->part, w->n, sizeof(*w->part), by_name);
	for (size_t i = 0; i < w->n; i++) {
		const struct pack_part *p = &w->part[i];
		struct pack_entry e = { p->at, p->stored, p->size, p->sum, p->compressed ? PACK_COMPRESSED : 0,
					(uint32_t)strlen(p->name) };

		memcpy(index + len, &e, sizeof(e));
		memcpy(index + len + sizeof(e), p->name, e.name_len);
		len += sizeof(e) + ((e.name_len + 7) & ~7u);
	}
	h->index_at = w->pos;
	h->index_len = len;
	h->index_sum = XXH3_64bits(index, len);
	return write_at(w->fd, index, len, w->pos);
}

int pack_writer_finish(struct pack_writer *w)
{
	struct pack_head h = { .format = PACK_FORMAT, .header = sizeof(h) };
	int rc = write_index(w, &h);

	memcpy(h.magic, PACK_MAGIC, sizeof(h.magic));
	h.sum = pack_head_sum(&h);
	if (rc == 0)
		rc = write_at(w->fd, &h, sizeof(h), 0);
	pack_writer_abandon(w);
	return rc;
}
