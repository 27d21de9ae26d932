/*
 * What the frames' headers say, read once when a stream is opened: where each frame is, how many events are there with
 * all their data, and how the stream ends. The records left in the ring belong to it.
 */
#ifndef SANDREC_STREAM_INDEX_H
#define SANDREC_STREAM_INDEX_H

#include "trace/stream_file.h"

struct stream_frame {
	uint64_t payload;     /* file offset of the compressed bytes */
	uint64_t first_event, open, payload_sum;
	uint32_t flags;
	uint32_t raw_len, comp_len;
};

struct stream_index {
	uint64_t base, limit; /* set by the caller: the stream is limit bytes of the file from base on; limit 0: all of it */
	uint32_t format;
	size_t n, room;
	struct stream_frame *frame;
	uint64_t file_pos;    /* end of the last good frame */
	uint64_t raw_pos;     /* bytes of records in the frames */
	uint64_t begun, open; /* events begun; records the last one lacks */

	char *ring;           /* records after the frames' */
	size_t ring_len;
	uint64_t ring_first;  /* number of the first event that begins there */

	uint64_t events;      /* with all their data */
	int end;              /* 0, -ENODATA, -EBADMSG */
	const char *what;     /* about end, or why loading failed */
};

/* 0 (with end set), -EBADMSG (not a stream), -EPROTO, or what read() gave. */
int stream_index_load(struct stream_index *ix, int fd, int ring_fd);
void stream_index_free(struct stream_index *ix);

#endif
