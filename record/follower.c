/* From a ring to a stream. Contract: follower.h. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/follower.h"
#include "trace/ring.h"
#include "trace/stream.h"
#include "trace/tracedir.h"

#define DRAIN_MS 500
#define GONE_MS 1000 /* from a process's last words to its end, when it is not busy with anything but ending */
#define DEAD_MS 10 /* between the last record and the end of its process */

/* One that has said so writes nothing more. Another's end is seen by its descriptor: its pid may be somebody else's by now. */
static bool is_dead(struct follower *f, int timeout_ms)
{
	struct pollfd p = { .fd = f->pidfd, .events = POLLIN };

	return __atomic_load_n(&f->ended, __ATOMIC_ACQUIRE) || f->pidfd < 0 || poll(&p, 1, timeout_ms) > 0;
}

/* Everything that is published goes to the stream; false when the disk takes no more. */
static bool drain(struct follower *f, size_t at_least)
{
	const void *bytes;
	size_t n;

	while ((n = ring_peek(f->ring, &bytes)) >= at_least && n) {
		f->error = stream_write(f->out, bytes, n);
		if (f->error) {
			/* What is in the ring stays there, and is read from its file. */
			ring_stop(f->ring);
			return false;
		}
		ring_consume(f->ring, n);
	}
	return true;
}

/* Nobody writes there any more: for another process, or for nobody. */
static void leave_ring(struct follower *f)
{
	struct spare_rings *s = f->spares;
	char name[64], spare[64];
	bool kept = false;

	snprintf(name, sizeof(name), TRACE_RING_NAME, f->number);
	snprintf(spare, sizeof(spare), TRACE_SPARE_NAME, f->number);
	if (s) {
		pthread_mutex_lock(&s->lock);
		kept = s->n < SPARE_RINGS && renameat(f->dir, name, f->dir, spare) == 0;
		if (kept)
			s->number[s->n++] = f->number;
		pthread_mutex_unlock(&s->lock);
	}
	if (!kept)
		unlinkat(f->dir, name, 0);
}

/* Not before the process is gone: it would be the last one, then. */
static void close_vm(struct follower *f)
{
	struct pollfd p = { .fd = f->pidfd, .events = POLLIN };
	int fd = __atomic_exchange_n(&f->vm, FOLLOWER_GONE, __ATOMIC_ACQ_REL);

	if (fd < 0)
		return;
	poll(&p, 1, GONE_MS);
	close(fd);
}

static void *follow(void *arg)
{
	struct follower *f = arg;
	bool dead = false;

	while (!dead) {
		if (!ring_wait(f->ring, DRAIN_MS, STREAM_FRAME_SIZE))
			dead = is_dead(f, DEAD_MS);
		if (!drain(f, dead ? 1 : STREAM_FRAME_SIZE))
			break;
	}
	f->events = stream_written_events(f->out);
	if (!f->error && ring_stopped(f->ring))
		f->error = -ENOSPC;
	if (!f->error) {
		f->error = stream_writer_close(f->out);
		leave_ring(f);
	} else {
		stream_writer_close(f->out);
	}
	ring_close(f->ring);
	close_vm(f);
	if (f->pidfd >= 0)
		close(f->pidfd);
	return NULL;
}

static int open_files(struct follower *f)
{
	char name[64];
	int rc;

	snprintf(name, sizeof(name), TRACE_RING_NAME, f->number);
	rc = ring_open_at(f->dir, name, &f->ring);
	if (rc < 0)
		return rc;
	snprintf(name, sizeof(name), TRACE_STREAM_NAME, f->number);
	rc = stream_writer_open(f->dir, name, &f->out);
	if (rc < 0) {
		ring_stop(f->ring);
		ring_close(f->ring);
	}
	return rc;
}

int follower_start(struct follower *f)
{
	int rc = open_files(f);

	if (rc < 0)
		return rc;
	f->vm = FOLLOWER_NO_VM;
	f->pidfd = (int)syscall(SYS_pidfd_open, f->pid, 0);
	rc = f->pidfd < 0 && errno != ESRCH ? -errno : -pthread_create(&f->thread, NULL, follow, f);
	if (rc == 0)
		return 0;
	ring_stop(f->ring);
	ring_close(f->ring);
	stream_writer_close(f->out);
	if (f->pidfd >= 0)
		close(f->pidfd);
	return rc;
}

void follower_ended(struct follower *f, int status)
{
	f->status = status;
	__atomic_store_n(&f->ended, true, __ATOMIC_RELEASE);
}

int follower_vm(struct follower *f, int fd)
{
	int was = __atomic_exchange_n(&f->vm, fd, __ATOMIC_ACQ_REL);

	if (was != FOLLOWER_GONE)
		return was;
	/* Only the listener calls this, so it is still what we put there. */
	__atomic_store_n(&f->vm, FOLLOWER_GONE, __ATOMIC_RELEASE);
	return fd;
}

void follower_join(struct follower *f)
{
	pthread_join(f->thread, NULL);
}
