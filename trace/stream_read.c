#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace/frame_diff.h"
#include "trace/manifest.h"
#include "trace/parts.h"
#include "trace/stream_index.h"

struct stream_reader {
	struct stream_index ix;
	int fd;
	struct trace_part part; /* what fd was opened as, or nothing */

	size_t segment;       /* frame being read; ix.n is the ring's leftover */
	const char *p;        /* the segment's records */
	size_t len, off;
	uint64_t next;        /* number of the next event */
	uint64_t left;        /* records of the current event not yet read */
	struct regs_cache regs;
	int error;            /* sticky */
	char line[256];

	ZSTD_DCtx *zstd;
	char *annex;          /* put together from pieces */
	char *comp;
	_Alignas(8) char raw[FRAME_RAW_MAX];
};

__attribute__((format(printf, 3, 4)))
static int fail(struct stream_reader *r, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->line, sizeof(r->line), fmt, ap);
	va_end(ap);
	r->error = err;
	return err;
}

static int damaged(struct stream_reader *r, const char *what)
{
	return fail(r, -EBADMSG, "trace damaged at event %" PRIu64 ": %s", r->next, what);
}

/* limit 0: the file from at on, as far as it goes whenever it is looked at. */
static int open_reader(int fd, uint64_t at, uint64_t limit, int ring_fd, struct stream_reader **out)
{
	struct stream_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->fd = fd;
	r->part.fd = -1;
	r->ix.base = at;
	r->ix.limit = limit;
	r->zstd = ZSTD_createDCtx();
	r->comp = malloc(FRAME_COMP_MAX);

	int ret = r->zstd && r->comp ? stream_index_load(&r->ix, fd, ring_fd) : -ENOMEM;

	if (ret && ret != -EBADMSG && ret != -EPROTO) {
		stream_reader_close(r);
		return ret;
	}
	*out = r;
	if (ret == -EPROTO)
		return fail(r, ret, "trace has format %" PRIu32 ", %s than this sandrec reads", r->ix.format,
			    r->ix.format > TRACE_FORMAT ? "newer" : "older");
	if (ret)
		return fail(r, ret, "trace damaged at event 0: %s", r->ix.what);
	return 0;
}

int stream_reader_fdopen(int fd, int ring_fd, struct stream_reader **out)
{
	return open_reader(fd, 0, 0, ring_fd, out);
}

int stream_reader_open(int dirfd, const char *name, const char *ring_name, struct stream_reader **out)
{
	struct trace_part part, ring = { .fd = -1 };
	int ret = trace_part_open(dirfd, name, &part);

	*out = NULL;
	if (!ret && ring_name) {
		ret = trace_part_open(dirfd, ring_name, &ring);
		/* A ring is read as a file of its own. */
		if (ret == -ENOENT || (!ret && !ring.whole))
			ret = ret ? 0 : -EBADMSG;
	}
	if (!ret)
		ret = open_reader(part.fd, part.at, part.whole ? 0 : part.size, ring.fd, out);
	trace_part_close(&ring);
	if (*out)
		(*out)->part = part;
	else
		trace_part_close(&part);
	return ret;
}

void stream_reader_close(struct stream_reader *r)
{
	if (!r)
		return;
	trace_part_close(&r->part);
	stream_index_free(&r->ix);
	ZSTD_freeDCtx(r->zstd);
	free(r->comp);
	free(r->annex);
	free(r);
}

const char *stream_reader_error(const struct stream_reader *r)
{
	return r->line;
}

uint64_t stream_events(const struct stream_reader *r)
{
	return r->ix.events;
}

uint64_t stream_record_bytes(const struct stream_reader *r)
{
	return r->ix.raw_pos + r->ix.ring_len;
}

int stream_end(const struct stream_reader *r)
{
	return r->error == -EPROTO ? r->error : r->ix.end;
}

static int load_frame(struct stream_reader *r, const struct stream_frame *f)
{
	for (size_t done = 0; done < f->comp_len;) {
		ssize_t n = pread(r->fd, r->comp + done, f->comp_len - done, (off_t)(f->payload + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(r, -errno, "cannot read event %" PRIu64 ": %s", r->next, strerror(errno));
		if (!n)
			return damaged(r, "the file became shorter");
		done += (size_t)n;
	}
	if (XXH3_64bits(r->comp, f->comp_len) != f->payload_sum)
		return damaged(r, "wrong checksum");
	if (ZSTD_decompressDCtx(r->zstd, r->raw, f->raw_len, r->comp, f->comp_len) != f->raw_len)
		return damaged(r, "a frame does not decompress");
	if (f->flags & FRAME_DIFF)
		frame_undiff(r->raw, f->raw_len, f->first_event);
	return 0;
}

/* Makes segment k (a frame or the ring's leftover) the one that is read. */
static int enter_segment(struct stream_reader *r, size_t k)
{
	r->segment = k;
	r->off = r->len = 0;
	if (k > r->ix.n)
		return damaged(r, "records end too early");
	if (k == r->ix.n) {
		r->p = r->ix.ring;
		r->len = r->ix.ring_len;
		return 0;
	}
	int ret = load_frame(r, &r->ix.frame[k]);

	if (!ret) {
		r->p = r->raw;
		r->len = r->ix.frame[k].raw_len;
	}
	return ret;
}

/* The next record, checked as a record; enters the next segment where one ends. */
static int next_record(struct stream_reader *r, const void **p, struct rec_head *head)
{
	if (r->error)
		return r->error;
	while (r->off == r->len) {
		int ret = enter_segment(r, r->segment + 1);

		if (ret)
			return ret;
	}
	uint32_t size = record_size(r->p + r->off, r->len - r->off, head);

	if (!size)
		return damaged(r, "a record has a bad size or type");
	*p = r->p + r->off;
	r->off += size;
	return 0;
}

static int skip_data(struct stream_reader *r)
{
	while (r->left) {
		const void *p;
		struct rec_head head;
		int ret = next_record(r, &p, &head);

		if (ret)
			return ret;
		if (record_is_event(head.type))
			return damaged(r, "an event lacks data");
		r->left--;
	}
	return 0;
}

static int read_annex(struct stream_reader *r, struct event *ev)
{
	uint32_t total = ev->annex_len, have = 0;

	if (total <= EVENT_DATA_MAX)
		return 0;
	char *buf = realloc(r->annex, total);

	if (!buf)
		return fail(r, -ENOMEM, "no memory for event %" PRIu64, r->next);
	r->annex = buf;
	while (have < total) {
		const void *p, *bytes;
		struct rec_head head;
		uint32_t off, len;
		int ret = next_record(r, &p, &head);

		if (ret)
			return ret;
		if (record_get_annex(p, &off, &len, &bytes) || off != have || !len || len > total - have || !r->left)
			return damaged(r, "bad annex");
		memcpy(r->annex + off, bytes, len);
		have += len;
		r->left--;
	}
	ev->annex = r->annex;
	return 0;
}

/* One event with its annex. Registers may be unknown (-ENODATA is then turned into *partial) after a seek. */
static int read_event(struct stream_reader *r, struct event *ev, bool *partial)
{
	const void *p;
	struct rec_head head;
	int ret = skip_data(r);

	if (!ret)
		ret = next_record(r, &p, &head);
	if (ret)
		return ret;
	ret = record_get_event(&r->regs, p, ev);
	*partial = ret == -ENODATA;
	if (ret == -EBADMSG || record_following(p, &r->left))
		return damaged(r, "bad event");
	if (ev->index != r->next)
		return damaged(r, "events are missing or out of order");
	ret = read_annex(r, ev);
	if (!ret)
		r->next++;
	return ret;
}

static int at_end(struct stream_reader *r)
{
	switch (r->ix.end) {
	case 0:
		return 0;
	case -ENODATA:
		return fail(r, -ENODATA, "recording cut at event %" PRIu64 ": %s", r->next, r->ix.what);
	default:
		return damaged(r, r->ix.what);
	}
}

int stream_next(struct stream_reader *r, struct event *ev)
{
	bool partial;

	if (r->error)
		return r->error;
	if (r->next >= r->ix.events) {
		r->left = 0;
		return at_end(r);
	}
	if (!r->p) {
		int ret = enter_segment(r, 0);

		if (ret)
			return ret;
	}
	int ret = read_event(r, ev, &partial);

	if (ret)
		return ret;
	if (partial) {
		r->next--;
		return damaged(r, "registers unknown");
	}
	return 1;
}

int stream_data(struct stream_reader *r, struct event_data *d)
{
	const void *p;
	struct rec_head head;

	if (r->error)
		return r->error;
	if (!r->left)
		return 0;
	int ret = next_record(r, &p, &head);

	if (ret)
		return ret;
	if (record_get_data(p, d))
		return damaged(r, "an event lacks data");
	r->left--;
	return 1;
}

/* The last segment in which an event not after `index` begins, and that event's number. */
static size_t find_segment(const struct stream_reader *r, uint64_t index)
{
	size_t lo = 0, hi = r->ix.n;

	if (r->ix.ring_len && r->ix.ring_first <= index)
		return r->ix.n;
	while (lo + 1 < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r->ix.frame[mid].first_event <= index)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

int stream_seek(struct stream_reader *r, uint64_t index)
{
	uint64_t start = index > REGS_SPAN ? index - REGS_SPAN : 0;
	struct event ev;
	bool partial;

	if (r->error == -EPROTO)
		return r->error;
	if (index > r->ix.events)
		return -EINVAL;
	r->error = 0;
	r->line[0] = 0;
	memset(&r->regs, 0, sizeof(r->regs));
	if (start >= r->ix.events)
		start = r->ix.events ? r->ix.events - 1 : 0;

	size_t k = find_segment(r, start);

	r->next = k < r->ix.n ? r->ix.frame[k].first_event : r->ix.ring_first;
	r->left = k ? r->ix.frame[k - 1].open : 0;

	int ret = enter_segment(r, k);

	while (!ret && r->next < index)
		ret = read_event(r, &ev, &partial);
	return ret;
}
