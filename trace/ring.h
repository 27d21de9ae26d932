/*
 * The shared-memory ring between one guest process (single producer: the thread that holds the baton) and the
 * supervisor (single consumer). It is a file in the trace directory, allocated in full at start (a full disk cannot
 * raise SIGBUS later), so what a producer has published survives the death of either side: the reader takes
 * what the supervisor had not yet compressed from the ring file itself.
 *
 * A record is published by one release store of the head; a producer killed in the middle of writing has published
 * nothing of it. A full ring blocks the producer on a futex in the header until the consumer made room.
 */
#ifndef SANDREC_RING_H
#define SANDREC_RING_H

#include "trace/event.h"

struct ring;

/*
 * Creates the file (O_EXCL, mode 0600) with size bytes of data (a power of two, >= 1 MiB), to be used by ring_open_fd().
 * A descriptor, or a negative errno: a full disk is -ENOSPC, and no file is left.
 */
int ring_make_at(int dirfd, const char *name, size_t size);

/*
 * The same with the file `spare`, a ring that nobody uses any more: its blocks and the pages in memory serve again, which
 * costs less than new ones. It is `name` afterwards. On failure there is neither.
 */
int ring_reuse_at(int dirfd, const char *spare, const char *name);

/* Both sides. An existing file, checked as hostile input; the descriptor stays the caller's. */
int ring_open_fd(int fd, struct ring **out);
int ring_open_at(int dirfd, const char *name, struct ring **out);
int ring_open(const char *path, struct ring **out);
int ring_create(const char *path, size_t size, struct ring **out); /* ring_make_at() and ring_open_fd() */

/*
 * The producer: how it knows, when it waits for room, that there is no consumer any more. fd is the caller's: an end of a
 * socket pair or the writing end of a pipe, whose other end only the consumer's process has open. Without it (-1) a
 * producer waits for ever.
 */
void ring_watch(struct ring *r, int fd);
/* The producer in a new program image: events have been appended so far. */
void ring_resume(struct ring *r, uint64_t events);
void ring_close(struct ring *r);                     /* unmaps; the file stays */

/*
 * Appends one event, then exactly ev->ndata ring_data() calls. ev->index and ev->time_ns are set here. Returns 0, or
 * -ENOSPC when the consumer has said that it cannot store any more (recording has ended; the program goes on), or
 * -EPIPE when the consumer is gone. Data longer than EVENT_DATA_MAX must be split by the caller (ring_data_count()).
 * Not interrupted by signals.
 */
int ring_event(struct ring *r, struct event *ev);
int ring_data(struct ring *r, uint64_t addr, const void *bytes, uint32_t len, uint32_t kind);
static inline uint64_t ring_data_count(uint64_t len) { return (len + EVENT_DATA_MAX - 1) / EVENT_DATA_MAX; }
uint64_t ring_events(const struct ring *r); /* events appended so far */

/*
 * Consumer. ring_peek() gives the oldest run of whole records that is published and not yet consumed (0 bytes when
 * none, at most about RING_PEEK_MAX: a blocked producer goes on while the next run is compressed); ring_consume()
 * gives the space back. The file keeps what is not consumed, whoever dies: consume only what is in the stream.
 *
 * ring_wait() sleeps until at_least bytes are there (at most half of the ring; 0 counts as 1), a REC_EXIT was appended,
 * the producer is blocked, a signal came, or the timeout (ms) ends. Returns 1 when there are at_least bytes, else 0:
 * look at the ring and the process in either case.
 *
 * ring_stop() makes every later ring_event() return -ENOSPC, and one that waits for room too.
 */
#define RING_PEEK_MAX (1u << 20)
size_t ring_peek(struct ring *r, const void **bytes);
void ring_consume(struct ring *r, size_t n);
int ring_wait(struct ring *r, int timeout_ms, size_t at_least);
void ring_stop(struct ring *r);

/*
 * What a reader of a left-behind ring file needs: `bytes` are the records [pos, head) in the order they were written,
 * counted in bytes from the start of the recording. tail <= pos <= head or -ERANGE (*tail tells what there is); pos 0
 * up to tail is what the consumer had taken. Uses read(), so a file that shrinks meanwhile is only an error.
 * -EBADMSG: not a ring. The caller frees *bytes.
 */
int ring_file_read(int fd, uint64_t pos, void **bytes, size_t *len, uint64_t *tail);
bool ring_stopped(const struct ring *r);
void ring_wake(struct ring *r); /* ends a ring_wait() of another thread now, or its next one */

#endif
