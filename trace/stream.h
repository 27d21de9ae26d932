/*
 * One process's event stream on disk: zstd frames of about 256 KiB of records, each with a header (magic, raw and
 * compressed length, number of its first event, event count, xxh3 checksum of both), so that the stream can be entered
 * anywhere and a torn tail is detected. The writer is the supervisor's; the reader treats every byte as hostile.
 */
#ifndef SANDREC_STREAM_H
#define SANDREC_STREAM_H

#include "trace/event.h"

#define STREAM_FRAME_SIZE (256u << 10)

struct stream_writer;
/* Creates the stream (O_EXCL, mode 0600). */
int stream_writer_open(int dirfd, const char *name, struct stream_writer **out);
/*
 * Whole records as ring_peek() gave them. When it returns 0 all of them are in the file (each call ends a frame, so
 * call it with much: STREAM_FRAME_SIZE bytes or what is left at the end) and the caller consumes them from the ring;
 * a supervisor killed in between is no harm, as frames say which bytes of the ring they hold.
 * -ENOSPC, -EIO...: the file then ends at its last complete frame; do not consume. -EBADMSG: these are no records.
 */
int stream_write(struct stream_writer *w, const void *records, size_t len);
uint64_t stream_written(const struct stream_writer *w); /* bytes of records in complete frames */
uint64_t stream_written_events(const struct stream_writer *w); /* events that start in them */
int stream_writer_close(struct stream_writer *w); /* frees w even on error */

struct stream_reader;

/*
 * name is the stream; ring_name (may be NULL or missing) the ring left behind by a supervisor that died, whose
 * records follow the last frame. Opening fails (-ENOENT, -EACCES, -ENOMEM...) only when the stream cannot be read at
 * all: then no reader is made, except for -EBADMSG and -EPROTO, where *out is a reader whose stream_next() says the
 * same and whose error line can be shown; it must be closed. Errors while reading are in the reader: 1 = event, 0 =
 * clean end of the stream, -EBADMSG = damaged, -ENODATA = torn tail (recording was cut there; everything before it
 * was good), -EPROTO = another format. stream_reader_error() is one line for people with the event number.
 */
int stream_reader_open(int dirfd, const char *name, const char *ring_name, struct stream_reader **out);
/* The same on open descriptors; ring_fd may be -1. Both stay the caller's, fd must live as long as the reader. */
int stream_reader_fdopen(int fd, int ring_fd, struct stream_reader **out);
uint64_t stream_events(const struct stream_reader *r); /* events that are there with all their data */
uint64_t stream_record_bytes(const struct stream_reader *r); /* what the records take before compression */
/* How the stream ends, known from the frames' headers without reading it: 0, -ENODATA or -EBADMSG. */
int stream_end(const struct stream_reader *r);
int stream_next(struct stream_reader *r, struct event *ev);       /* skips what is left of the previous event's data */
int stream_data(struct stream_reader *r, struct event_data *d);   /* 1 = one more piece, 0 = no more, or an error */
int stream_seek(struct stream_reader *r, uint64_t index);         /* the next stream_next() returns event `index`;
                                                                     -EINVAL beyond stream_events() */
const char *stream_reader_error(const struct stream_reader *r);
void stream_reader_close(struct stream_reader *r);

#endif
