#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/manifest.h"
#include "trace/ring.h"
#include "trace/stream_index.h"

/* How often the supervisor may take away ring bytes under a reader of a running recording before it gives up. */
#define LIVE_RETRIES 8

static ssize_t read_at(int fd, void *buf, size_t len, uint64_t off)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)buf + done, len - done, (off_t)(off + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int not_a_stream(struct stream_index *ix, const char *what)
{
	ix->what = what;
	return -EBADMSG;
}

static int load_head(struct stream_index *ix, int fd)
{
	struct stream_head h;
	ssize_t n = read_at(fd, &h, sizeof(h), ix->base);

	if (n < 0)
		return (int)n;
	if (n < (ssize_t)sizeof(h))
		return not_a_stream(ix, "the file is too short for an event stream");
	if (memcmp(h.magic, STREAM_MAGIC, sizeof(h.magic)))
		return not_a_stream(ix, "not an event stream");
	if (h.sum != stream_head_sum(&h))
		return not_a_stream(ix, "wrong checksum of the file header");
	ix->format = h.format;
	if (h.format > TRACE_FORMAT || (h.format && h.format < TRACE_FORMAT_OLDEST))
		return -EPROTO;
	if (!h.format || h.header != sizeof(h))
		return not_a_stream(ix, "bad file header");
	ix->file_pos = sizeof(h);
	return 0;
}

static int add_frame(struct stream_index *ix, const struct frame_head *h)
{
	if (ix->n == ix->room) {
		size_t room = ix->room ? 2 * ix->room : 64;
		struct stream_frame *f = realloc(ix->frame, room * sizeof(*f));

		if (!f)
			return -ENOMEM;
		ix->frame = f;
		ix->room = room;
	}
	ix->frame[ix->n++] = (struct stream_frame){
		.payload = ix->base + ix->file_pos + sizeof(*h), .first_event = h->first_event, .open = h->open,
		.payload_sum = h->payload_sum, .raw_len = h->raw_len, .comp_len = h->comp_len,
		.flags = h->flags,
	};
	ix->file_pos += sizeof(*h) + h->comp_len;
	ix->raw_pos += h->raw_len;
	ix->begun += h->nevents;
	ix->open = h->open;
	return 0;
}

static bool frame_fits(const struct stream_index *ix, const struct frame_head *h)
{
	if (h->magic != FRAME_MAGIC || h->head_sum != frame_head_sum(h))
		return false;
	return h->raw_len && h->raw_len <= FRAME_RAW_MAX && h->raw_len % 8 == 0 && h->comp_len &&
	       h->comp_len <= FRAME_COMP_MAX && h->nevents <= h->raw_len / sizeof(struct rec_event) &&
	       !(h->flags & ~FRAME_FLAGS) && h->first_event == ix->begun && h->raw_pos == ix->raw_pos && (!h->open || ix->begun + h->nevents);
}

/* Walks the headers from where it stopped. Sets end to 0, -ENODATA (the file ends inside a frame) or -EBADMSG. */
static int scan_frames(struct stream_index *ix, int fd)
{
	uint64_t size = ix->limit;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!size)
		size = (uint64_t)st.st_size;
	ix->end = 0;
	ix->what = NULL;
	while (ix->file_pos < size) {
		uint64_t left = size - ix->file_pos;
		struct frame_head h;
		ssize_t n = read_at(fd, &h, left < sizeof(h) ? left : sizeof(h), ix->base + ix->file_pos);

		if (n < 0)
			return (int)n;
		if (n == (ssize_t)sizeof(h) && !frame_fits(ix, &h)) {
			ix->end = -EBADMSG;
			ix->what = "a frame's header is wrong";
			return 0;
		}
		if (n < (ssize_t)sizeof(h) || left - sizeof(h) < h.comp_len) {
			ix->end = -ENODATA;
			ix->what = "the file ends inside a frame";
			return 0;
		}
		int ret = add_frame(ix, &h);

		if (ret)
			return ret;
	}
	return 0;
}

/* Counts the events of the ring's leftover, up to the first thing that cannot be a record. */
static void walk_ring(struct stream_index *ix)
{
	size_t off = 0;

	ix->ring_first = ix->begun;
	while (off < ix->ring_len) {
		struct rec_head head;
		const char *p = ix->ring + off;
		uint32_t size = record_size(p, ix->ring_len - off, &head);
		bool event = size && record_is_event(head.type);

		if (!size || event == (ix->open > 0) ||
		    (event && (((const struct rec_event *)p)->index != ix->begun || record_following(p, &ix->open)))) {
			ix->end = -EBADMSG;
			ix->what = "the ring holds a wrong record";
			break;
		}
		if (event)
			ix->begun++;
		else
			ix->open--;
		off += size;
	}
	ix->ring_len = off;
}

static int load_ring(struct stream_index *ix, int fd, int ring_fd)
{
	for (int i = 0; i < LIVE_RETRIES; i++) {
		uint64_t tail = 0;
		void *bytes;
		int ret = ring_file_read(ring_fd, ix->raw_pos, &bytes, &ix->ring_len, &tail);

		if (!ret) {
			ix->ring = bytes;
			/* Half a frame at the end is what a dying supervisor was writing: the ring still has all of it. */
			if (ix->end == -ENODATA)
				ix->end = 0;
			walk_ring(ix);
			return 0;
		}
		if (ret != -ERANGE && ret != -EBADMSG && ret != -EPROTO)
			return ret;
		if (ret != -ERANGE || tail <= ix->raw_pos) {
			ix->end = -EBADMSG;
			ix->what = "the ring file is damaged";
			return 0;
		}
		ret = scan_frames(ix, fd);
		if (ret || ix->end == -EBADMSG)
			return ret;
	}
	ix->end = -EBADMSG;
	ix->what = "records between the last frame and the ring are missing";
	return 0;
}

int stream_index_load(struct stream_index *ix, int fd, int ring_fd)
{
	int ret = load_head(ix, fd);

	if (ret) {
		ix->end = ret;
		return ret;
	}
	ret = scan_frames(ix, fd);
	if (!ret && ring_fd >= 0 && ix->end != -EBADMSG)
		ret = load_ring(ix, fd, ring_fd);
	if (ret)
		return ret;
	ix->events = ix->begun;
	if (ix->open) {
		ix->events--;
		if (!ix->end) {
			ix->end = -ENODATA;
			ix->what = "its data is not all there";
		}
	}
	return 0;
}

void stream_index_free(struct stream_index *ix)
{
	free(ix->frame);
	free(ix->ring);
}
