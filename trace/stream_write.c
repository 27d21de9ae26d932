#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "trace/frame_diff.h"
#include "trace/manifest.h"
#include "trace/stream_file.h"

/*
 * zstd's levels. The supervisor must keep up with the program on a busy machine: runs as long as BEHIND show that it is behind. Events
 * without data, which differ in a few bytes, become smaller with the faster one, and take half the time.
 */
#define COMPRESSION_LEVEL 3
#define FAST_LEVEL 1
#define BEHIND (512u << 10)
#define SMALL_EVENT 96 /* bytes of records for each event of a frame */

struct stream_writer {
	int fd, error;
	bool behind;
	uint64_t end;     /* file offset behind the last complete frame */
	uint64_t raw_pos;
	uint64_t events;
	uint64_t open;    /* records the last event still lacks */
	ZSTD_CCtx *zstd;
	struct frame_head head;
	_Alignas(8) char raw[FRAME_RAW_MAX];
	char comp[FRAME_COMP_MAX];
};

static int write_all(int fd, struct iovec *v, int n)
{
	while (n) {
		ssize_t done = writev(fd, v, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		for (; n && (size_t)done >= v->iov_len; v++, n--)
			done -= (ssize_t)v->iov_len;
		if (n) {
			v->iov_base = (char *)v->iov_base + done;
			v->iov_len -= (size_t)done;
		}
	}
	return 0;
}

static int write_head(struct stream_writer *w)
{
	struct stream_head h = { .format = TRACE_FORMAT, .header = sizeof(h) };
	struct iovec v = { &h, sizeof(h) };

	memcpy(h.magic, STREAM_MAGIC, sizeof(h.magic));
	h.sum = stream_head_sum(&h);
	w->end = sizeof(h);
	return write_all(w->fd, &v, 1);
}

static void free_writer(struct stream_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	ZSTD_freeCCtx(w->zstd);
	free(w);
}

int stream_writer_open(int dirfd, const char *name, struct stream_writer **out)
{
	struct stream_writer *w = calloc(1, sizeof(*w));
	int ret = 0;

	if (!w)
		return -ENOMEM;
	w->zstd = ZSTD_createCCtx();
	w->fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (w->fd < 0)
		ret = -errno;
	else if (!w->zstd)
		ret = -ENOMEM;
	else
		ret = write_head(w);
	if (ret) {
		if (w->fd >= 0)
			unlinkat(dirfd, name, 0);
		free_writer(w);
		return ret;
	}
	*out = w;
	return 0;
}

static int level_of(const struct stream_writer *w)
{
	return w->behind || w->head.raw_len < (uint64_t)w->head.nevents * SMALL_EVENT ? FAST_LEVEL : COMPRESSION_LEVEL;
}

/* Writes the frame whose records are in w->raw. */
static int write_frame(struct stream_writer *w)
{
	struct frame_head *h = &w->head;
	size_t n;

	h->flags = FRAME_DIFF;
	frame_diff(w->raw, h->raw_len, w->events);
	n = ZSTD_compressCCtx(w->zstd, w->comp, sizeof(w->comp), w->raw, h->raw_len, level_of(w));
	if (ZSTD_isError(n))
		return -EIO;
	h->comp_len = (uint32_t)n;
	h->magic = FRAME_MAGIC;
	h->raw_pos = w->raw_pos;
	h->first_event = w->events;
	h->payload_sum = XXH3_64bits(w->comp, n);
	h->head_sum = frame_head_sum(h);

	struct iovec v[] = { { h, sizeof(*h) }, { w->comp, n } };
	int ret = write_all(w->fd, v, 2);

	if (ret) {
		/* Half a frame would read as a torn tail: cut it off, so that the trace ends whole. */
		if (!ftruncate(w->fd, (off_t)w->end))
			lseek(w->fd, (off_t)w->end, SEEK_SET);
		return ret;
	}
	w->end += sizeof(*h) + n;
	w->raw_pos += h->raw_len;
	w->events += h->nevents;
	w->open = h->open;
	return 0;
}

/* Checks the record just copied to p, so that nothing but a well-formed sequence gets into a stream. */
static int count_record(struct frame_head *h, uint64_t events, const void *p, const struct rec_head *head)
{
	const struct rec_event *e = p;

	if (!record_is_event(head->type)) {
		if (!h->open)
			return -EBADMSG;
		h->open--;
		return 0;
	}
	if (h->open || e->index != events + h->nevents)
		return -EBADMSG;
	h->nevents++;
	return record_following(p, &h->open);
}

/* Fills w->raw with as many whole records as make a frame; returns their bytes or an error. */
static int64_t fill_frame(struct stream_writer *w, const char *p, size_t len)
{
	size_t n = 0, limit = len <= FRAME_RAW_MAX ? FRAME_RAW_MAX : STREAM_FRAME_SIZE;

	w->head = (struct frame_head){ .open = w->open };
	while (n < len) {
		struct rec_head head;
		uint32_t size = record_size(p + n, len - n, &head);

		if (!size)
			return -EBADMSG;
		if (n && n + size > limit)
			break;
		memcpy(w->raw + n, p + n, size);
		/* The source may be shared memory: what was checked is what counts. */
		memcpy(w->raw + n, &head, sizeof(head));

		int ret = count_record(&w->head, w->events, w->raw + n, &head);

		if (ret)
			return ret;
		n += size;
	}
	w->head.raw_len = (uint32_t)n;
	return (int64_t)n;
}

int stream_write(struct stream_writer *w, const void *records, size_t len)
{
	const char *p = records;

	w->behind = len >= BEHIND;
	while (len && !w->error) {
		int64_t n = fill_frame(w, p, len);

		w->error = n < 0 ? (int)n : write_frame(w);
		if (!w->error) {
			p += n;
			len -= (size_t)n;
		}
	}
	return w->error;
}

uint64_t stream_written(const struct stream_writer *w)
{
	return w->raw_pos;
}

uint64_t stream_written_events(const struct stream_writer *w)
{
	return w->events;
}

int stream_writer_close(struct stream_writer *w)
{
	int ret;

	if (!w)
		return 0;
	ret = w->error;
	/* Network file systems and quotas may report a failed write only here. */
	if (close(w->fd) && !ret && errno != EINTR)
		ret = -errno;
	w->fd = -1;
	free_writer(w);
	return ret;
}
