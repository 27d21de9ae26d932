#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "trace/record.h"
#include "trace/ring.h"
#include "trace/ring_file.h"
#include "trace/stamp.h"
#include "vmm/cleanup.h"
#include "vmm/notsc.h"

#define PRODUCER_CHECK_MS 200 /* how often a blocked producer looks whether the consumer still lives */

struct ring {
	struct ring_head *h;
	char *data;          /* mapped twice in a row: a record that wraps is contiguous all the same */
	uint64_t size;
	uint64_t head;       /* the producer's own copy, what it believes of a header that others can write */
	uint64_t tail_seen;  /* an old tail, so that the consumer's cache line is touched only when it matters */
	uint64_t events;
	uint64_t missing;    /* data records the current event still lacks */
	int consumer;        /* ring_watch() */
	int error;           /* the first failure ends the recording: what was begun stays a torn tail */
	uint32_t woken;      /* ring_wake(): between threads of the consumer */
	struct stamp stamp;
	struct regs_cache regs;
};

static long futex(uint32_t *word, int op, uint32_t val, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, val, timeout, NULL, 0);
}

static void invariant(bool ok, const char *what)
{
	static const char head[] = "sandrec: ring: ";

	if (ok)
		return;
	struct iovec v[] = { { (void *)head, sizeof(head) - 1 }, { (void *)what, strlen(what) }, { "\n", 1 } };
	(void)!writev(2, v, 3);
	abort();
}

static int ring_map(int fd, uint64_t size, struct ring **out)
{
	struct ring *r = calloc(1, sizeof(*r));
	int prot = PROT_READ | PROT_WRITE;

	if (!r)
		return -ENOMEM;
	r->size = size;
	r->consumer = -1;
	r->h = mmap(NULL, RING_HEADER, prot, MAP_SHARED, fd, 0);
	r->data = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r->h == MAP_FAILED || r->data == MAP_FAILED ||
	    mmap(r->data, size, prot, MAP_SHARED | MAP_FIXED, fd, RING_HEADER) == MAP_FAILED ||
	    mmap(r->data + size, size, prot, MAP_SHARED | MAP_FIXED, fd, RING_HEADER) == MAP_FAILED) {
		int err = errno;

		if (r->h != MAP_FAILED)
			munmap(r->h, RING_HEADER);
		if (r->data != MAP_FAILED)
			munmap(r->data, 2 * size);
		free(r);
		return -err;
	}
	/* The file is written once, from begin to end: what the file system would read ahead are zeroes, megabytes of them at once. */
	madvise(r->data, 2 * size, MADV_RANDOM);
	*out = r;
	return 0;
}

static int allocate(int fd, uint64_t size)
{
	int err;

	do
		err = posix_fallocate(fd, 0, (off_t)(RING_HEADER + size));
	while (err == EINTR);
	return -err;
}

static int write_head(int fd, uint64_t size)
{
	struct ring_head h = { .version = RING_VERSION, .header = RING_HEADER, .size = size };

	memcpy(h.magic, RING_MAGIC, sizeof(h.magic));
	return pwrite(fd, &h, sizeof(h), 0) == sizeof(h) ? 0 : -EIO;
}

int ring_make_at(int dirfd, const char *path, size_t size)
{
	invariant(size >= RING_SIZE_MIN && size <= RING_SIZE_MAX && !(size & (size - 1)), "bad size");

	int fd = openat(dirfd, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	int ret = allocate(fd, size);

	if (!ret)
		ret = write_head(fd, size);
	if (!ret)
		return fd;
	close(fd);
	unlinkat(dirfd, path, 0);
	return ret;
}

static int empty(int fd)
{
	struct ring_head h;
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return -errno;
	if (pread(fd, &h, sizeof(h), 0) != sizeof(h))
		return -EBADMSG;
	ret = ring_head_check(&h, (uint64_t)st.st_size);
	return ret ? ret : write_head(fd, h.size);
}

int ring_reuse_at(int dirfd, const char *spare, const char *name)
{
	int fd = openat(dirfd, spare, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	int ret = fd < 0 ? -errno : empty(fd);

	/* Emptied before it has the name: whoever finds the file finds a ring that was never used. */
	if (!ret && renameat(dirfd, spare, dirfd, name))
		ret = -errno;
	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	unlinkat(dirfd, spare, 0);
	return ret;
}

int ring_create(const char *path, size_t size, struct ring **out)
{
	cleanup_close int fd = ring_make_at(AT_FDCWD, path, size);
	int ret = fd < 0 ? fd : ring_open_fd(fd, out);

	if (fd >= 0 && ret)
		unlink(path);
	return ret;
}

int ring_open_fd(int fd, struct ring **out)
{
	struct ring_head h;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (pread(fd, &h, sizeof(h), 0) != sizeof(h))
		return -EBADMSG;
	int ret = ring_head_check(&h, (uint64_t)st.st_size);

	if (!ret && (h.tail > h.head || h.head - h.tail > h.size || h.head % 8 || h.tail % 8))
		ret = -EBADMSG;
	if (!ret)
		ret = ring_map(fd, h.size, out);
	if (!ret)
		(*out)->head = h.head;
	return ret;
}

int ring_open_at(int dirfd, const char *path, struct ring **out)
{
	cleanup_close int fd = openat(dirfd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : ring_open_fd(fd, out);
}

int ring_open(const char *path, struct ring **out)
{
	return ring_open_at(AT_FDCWD, path, out);
}

void ring_watch(struct ring *r, int fd)
{
	r->consumer = fd;
}

void ring_resume(struct ring *r, uint64_t events)
{
	r->events = events;
}

void ring_close(struct ring *r)
{
	if (!r)
		return;
	munmap(r->h, RING_HEADER);
	munmap(r->data, 2 * r->size);
	free(r);
}

/* ---- producer ---- */

/* Its end of the connection is closed by the kernel when it ends, however that happens, and in whatever namespace it is. */
static bool consumer_gone(const struct ring *r)
{
	struct pollfd p = { .fd = r->consumer };

	return r->consumer >= 0 && poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR);
}

static void wake_consumer(struct ring *r)
{
	if (__atomic_exchange_n(&r->h->consumer_sleeps, 0, __ATOMIC_SEQ_CST))
		futex(&r->h->consumer_sleeps, FUTEX_WAKE, INT_MAX, NULL);
}

static bool room(struct ring *r, uint32_t size)
{
	r->tail_seen = __atomic_load_n(&r->h->tail, __ATOMIC_SEQ_CST);
	return r->head - r->tail_seen + size <= r->size;
}

static int wait_for_room(struct ring *r, uint32_t size)
{
	const struct timespec patience = { .tv_nsec = PRODUCER_CHECK_MS * 1000000L };

	while (!room(r, size)) {
		if (__atomic_load_n(&r->h->stopped, __ATOMIC_ACQUIRE))
			return -ENOSPC;
		__atomic_store_n(&r->h->producer_sleeps, 1, __ATOMIC_SEQ_CST);
		if (room(r, size) || __atomic_load_n(&r->h->stopped, __ATOMIC_SEQ_CST))
			continue;
		wake_consumer(r);
		if (futex(&r->h->producer_sleeps, FUTEX_WAIT, 1, &patience) && errno != EAGAIN && consumer_gone(r))
			return -EPIPE;
	}
	__atomic_store_n(&r->h->producer_sleeps, 0, __ATOMIC_RELAXED);
	return 0;
}

static int reserve(struct ring *r, uint32_t size, void **p)
{
	if (__builtin_expect(r->head - r->tail_seen + size > r->size, 0)) {
		r->error = wait_for_room(r, size);
		if (r->error)
			return r->error;
	}
	*p = r->data + (r->head & (r->size - 1));
	return 0;
}

static void publish(struct ring *r, uint32_t size, bool urgent)
{
	r->head += size;
	/* A full barrier: either the consumer sees this head before it sleeps, or we see that it sleeps. */
	__atomic_store_n(&r->h->head, r->head, __ATOMIC_SEQ_CST);
	if (__builtin_expect(!__atomic_load_n(&r->h->consumer_sleeps, __ATOMIC_SEQ_CST), 1))
		return;
	if (urgent || r->head - __atomic_load_n(&r->h->tail, __ATOMIC_RELAXED) >=
		      __atomic_load_n(&r->h->wanted, __ATOMIC_RELAXED))
		wake_consumer(r);
}

static bool usable(struct ring *r)
{
	if (__builtin_expect(__atomic_load_n(&r->h->stopped, __ATOMIC_RELAXED), 0) && !r->error)
		r->error = -ENOSPC;
	return __builtin_expect(!r->error, 1);
}

static int put_annex_pieces(struct ring *r, const struct event *ev)
{
	for (uint32_t off = 0; off < ev->annex_len; off += EVENT_DATA_MAX) {
		uint32_t len = ev->annex_len - off < EVENT_DATA_MAX ? ev->annex_len - off : EVENT_DATA_MAX;
		void *p;
		int ret = reserve(r, record_annex_size(len), &p);

		if (ret)
			return ret;
		record_put_annex(p, (const char *)ev->annex + off, len, off);
		publish(r, record_annex_size(len), false);
	}
	return 0;
}

int ring_event(struct ring *r, struct event *ev)
{
	void *p;

	if (!usable(r))
		return r->error;
	invariant(!r->missing, "the previous event lacks data");
	invariant(ev->annex_len <= EVENT_ANNEX_MAX, "annex too long");
	ev->index = r->events;
	ev->time_ns = stamp_now(&r->stamp, notsc_is_free());

	struct rec_plan plan = record_plan_event(&r->regs, ev);
	int ret = reserve(r, plan.size, &p);

	if (ret)
		return ret;
	record_put_event(&r->regs, ev, plan, p);
	r->events++;
	r->missing = ev->ndata;
	publish(r, plan.size, ev->type == REC_EXIT);
	return ev->annex_len > EVENT_DATA_MAX ? put_annex_pieces(r, ev) : 0;
}

int ring_data(struct ring *r, uint64_t addr, const void *bytes, uint32_t len, uint32_t kind)
{
	uint32_t size = record_data_size(len);
	void *p;

	if (!usable(r))
		return r->error;
	invariant(r->missing && len <= EVENT_DATA_MAX, "more data than announced");
	int ret = reserve(r, size, &p);

	if (ret)
		return ret;
	record_put_data(p, addr, bytes, len, kind);
	r->missing--;
	publish(r, size, false);
	return 0;
}

uint64_t ring_events(const struct ring *r)
{
	return r->events;
}

/* ---- consumer ---- */

static uint64_t available(struct ring *r)
{
	uint64_t n = __atomic_load_n(&r->h->head, __ATOMIC_SEQ_CST) - __atomic_load_n(&r->h->tail, __ATOMIC_RELAXED);

	return n > r->size || n % 8 ? 0 : n;
}

size_t ring_peek(struct ring *r, const void **bytes)
{
	uint64_t avail = available(r);
	const char *p = r->data + (__atomic_load_n(&r->h->tail, __ATOMIC_RELAXED) & (r->size - 1));
	size_t n = 0;

	*bytes = p;
	if (avail <= RING_PEEK_MAX)
		return avail;
	while (n < RING_PEEK_MAX) {
		struct rec_head head;
		uint32_t size = record_size(p + n, avail - n, &head);

		/* Not a record: let the stream writer find and report it. */
		if (!size)
			return avail;
		n += size;
	}
	return n;
}

void ring_consume(struct ring *r, size_t n)
{
	invariant(n <= available(r), "more consumed than there is");
	__atomic_store_n(&r->h->tail, r->h->tail + n, __ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&r->h->producer_sleeps, 0, __ATOMIC_SEQ_CST))
		futex(&r->h->producer_sleeps, FUTEX_WAKE, INT_MAX, NULL);
}

int ring_wait(struct ring *r, int timeout_ms, size_t at_least)
{
	const struct timespec timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000000L };

	if (!at_least)
		at_least = 1;
	if (at_least > r->size / 2)
		at_least = r->size / 2;
	if (available(r) >= at_least)
		return 1;
	__atomic_store_n(&r->h->wanted, at_least, __ATOMIC_RELAXED);
	__atomic_store_n(&r->h->consumer_sleeps, 1, __ATOMIC_SEQ_CST);
	/* A producer that found the ring full before we were asleep has woken nobody. */
	if (available(r) < at_least && !__atomic_load_n(&r->h->producer_sleeps, __ATOMIC_SEQ_CST) &&
	    !__atomic_exchange_n(&r->woken, 0, __ATOMIC_SEQ_CST))
		futex(&r->h->consumer_sleeps, FUTEX_WAIT, 1, timeout_ms < 0 ? NULL : &timeout);
	__atomic_store_n(&r->h->consumer_sleeps, 0, __ATOMIC_RELAXED);
	return available(r) >= at_least;
}

void ring_stop(struct ring *r)
{
	__atomic_store_n(&r->h->stopped, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&r->h->producer_sleeps, 0, __ATOMIC_SEQ_CST);
	futex(&r->h->producer_sleeps, FUTEX_WAKE, INT_MAX, NULL);
}

bool ring_stopped(const struct ring *r)
{
	return __atomic_load_n(&r->h->stopped, __ATOMIC_ACQUIRE);
}

void ring_wake(struct ring *r)
{
	__atomic_store_n(&r->woken, 1, __ATOMIC_SEQ_CST);
	wake_consumer(r);
}
