/* The ring: both sides at work, and either of them killed at any moment. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/trace_gen.h"
#include "tests/unit/unit.h"
#include "trace/ring_file.h"

#define RING_SIZE (1u << 20)

static char dir[] = "/tmp/sandrec-ring-XXXXXX";
static char path[64];
static int dirfd_;
static volatile uint64_t *done; /* shared: events completely appended */

static void setup(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/ring", dir);
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void clean(void)
{
	unlinkat(dirfd_, "ring", 0);
	unlinkat(dirfd_, "stream", 0);
}

static void teardown(void)
{
	clean();
	close(dirfd_);
	munmap((void *)done, 4096);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* A child that appends generated events: count of them, or until it cannot. Exits with 0, or 101 EPIPE, 102 ENOSPC. */
static pid_t start_producer(struct ring *r, uint64_t seed, uint64_t count)
{
	pid_t pid = fork();
	struct gen g;
	int ret = 0;

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	gen_start(&g, seed, true);
	for (uint64_t i = 0; i < count && !ret; i++) {
		gen_next(&g);
		ret = gen_put(&g, r);
		if (!ret)
			*done = i + 1;
	}
	_exit(ret == -EPIPE ? 101 : ret == -ENOSPC ? 102 : ret ? 103 : 0);
}

static void drain(struct ring *r, struct stream_writer *w)
{
	const void *p;
	size_t n;

	while ((n = ring_peek(r, &p))) {
		if (stream_write(w, p, n))
			_exit(99);
		ring_consume(r, n);
	}
}

/* All events that were appended are there, as generated. */
static void check_trace(uint64_t seed, uint64_t least, const char *ring)
{
	struct stream_reader *s;
	struct event ev;
	struct gen g;
	uint64_t n = 0;
	int ret;

	gen_start(&g, seed, true);
	ck_assert_int_eq(stream_reader_open(dirfd_, "stream", ring, &s), 0);
	while ((ret = stream_next(s, &ev)) == 1) {
		gen_next(&g);
		ck_assert_msg(gen_same(&g, s, &ev, n, true), "event %llu differs", (unsigned long long)n);
		n++;
	}
	ck_assert_msg(ret == 0 || ret == -ENODATA, "%d: %s", ret, stream_reader_error(s));
	ck_assert_msg(n >= least, "%llu of %llu events", (unsigned long long)n, (unsigned long long)least);
	stream_reader_close(s);
	gen_stop(&g);
}

static void nap(uint32_t us)
{
	struct timespec ts = { .tv_nsec = us * 1000L };

	nanosleep(&ts, NULL);
}

static uint32_t next_random(uint32_t *x)
{
	return (*x = *x * 1664525 + 1013904223) >> 8;
}

/* All that the producer writes, until it has ended well. */
static void consume(struct ring *r, struct stream_writer *w, pid_t pid)
{
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (ring_wait(r, 20, STREAM_FRAME_SIZE))
			drain(r, w);
	}
	ck_assert_int_eq(status, 0);
	drain(r, w);
	ck_assert_int_eq(stream_writer_close(w), 0);
}

START_TEST(producer_and_consumer)
{
	struct stream_writer *w;
	struct ring *r;

	ck_assert_int_eq(ring_create(path, RING_SIZE, &r), 0);
	ck_assert_int_eq(stream_writer_open(dirfd_, "stream", &w), 0);
	pid_t pid = start_producer(r, 1, 20000);

	consume(r, w, pid);
	ring_close(r);
	check_trace(1, 20000, NULL);
	check_trace(1, 20000, "ring");
}
END_TEST

/* The file of a ring that was used and stopped, as a new one: nothing of the old one is left but the file. */
START_TEST(used_again)
{
	struct stream_writer *w;
	struct stat was, is;
	struct ring *r;
	int status, fd;

	ck_assert_int_eq(ring_create(path, RING_SIZE, &r), 0);
	ck_assert_int_eq(stream_writer_open(dirfd_, "stream", &w), 0);
	pid_t pid = start_producer(r, 1, 3000);

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (ring_wait(r, 20, STREAM_FRAME_SIZE))
			drain(r, w);
	}
	drain(r, w);
	ck_assert_int_eq(stream_writer_close(w), 0);
	ring_stop(r);
	ring_close(r);
	ck_assert_int_eq(stat(path, &was), 0);
	ck_assert_int_eq(renameat(dirfd_, "ring", dirfd_, "spare"), 0);
	ck_assert_int_eq(unlinkat(dirfd_, "stream", 0), 0);

	fd = ring_reuse_at(dirfd_, "spare", "ring");
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(stat(path, &is), 0);
	ck_assert(was.st_ino == is.st_ino && was.st_size == is.st_size);
	ck_assert_int_eq(faccessat(dirfd_, "spare", F_OK, 0), -1);
	ck_assert_int_eq(ring_open_fd(fd, &r), 0);
	close(fd);
	ck_assert(!ring_stopped(r));
	ck_assert_int_eq(stream_writer_open(dirfd_, "stream", &w), 0);
	pid = start_producer(r, 7, 3000);
	consume(r, w, pid);
	ring_close(r);
	check_trace(7, 3000, "ring");

	/* Not a ring: refused, and gone. */
	fd = openat(dirfd_, "spare", O_RDWR | O_CREAT, 0600);
	ck_assert_int_eq(ftruncate(fd, 10000), 0);
	close(fd);
	ck_assert_int_eq(ring_reuse_at(dirfd_, "spare", "other"), -EBADMSG);
	ck_assert_int_eq(faccessat(dirfd_, "spare", F_OK, 0), -1);
	ck_assert_int_eq(faccessat(dirfd_, "other", F_OK, 0), -1);
}
END_TEST

START_TEST(producer_killed)
{
	uint32_t x = 5;

	for (int round = 0; round < 40; round++) {
		struct stream_writer *w;
		struct ring *r;
		int status;

		*done = 0;
		ck_assert_int_eq(ring_create(path, RING_SIZE, &r), 0);
		ck_assert_int_eq(stream_writer_open(dirfd_, "stream", &w), 0);
		pid_t pid = start_producer(r, 100, UINT64_MAX);

		for (uint32_t n = next_random(&x) % 6; n; n--) {
			if (ring_wait(r, 5, STREAM_FRAME_SIZE))
				drain(r, w);
		}
		nap(next_random(&x) % 3000);
		kill(pid, SIGKILL);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status));
		if (round % 2)
			drain(r, w);
		ck_assert_int_eq(stream_writer_close(w), 0);
		ring_close(r);
		check_trace(100, *done, "ring");
		clean();
	}
}
END_TEST

START_TEST(supervisor_killed)
{
	uint32_t x = 77;

	for (int round = 0; round < 12; round++) {
		struct ring *r;
		int status;

		int ends[2];

		*done = 0;
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
		ck_assert_int_eq(ring_create(path, RING_SIZE, &r), 0);
		pid_t super = fork();

		if (!super) {
			struct stream_writer *w;

			close(ends[1]);
			if (stream_writer_open(dirfd_, "stream", &w))
				_exit(98);
			for (;;) {
				if (ring_wait(r, 5, STREAM_FRAME_SIZE))
					drain(r, w);
			}
		}
		close(ends[0]);
		ring_watch(r, ends[1]);
		/* The stream's header is what readers need; it is there before the supervisor of a recording forks. */
		for (struct stat st = { 0 }; st.st_size < 32; nap(100))
			fstatat(dirfd_, "stream", &st, 0);
		pid_t pid = start_producer(r, 200, UINT64_MAX);

		nap(next_random(&x) % 20000);
		kill(super, SIGKILL);
		/* Half of the time it stays a zombie, whose pid still exists. */
		if (round % 2)
			waitpid(super, &status, 0);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 101, "%#x", status);
		if (!(round % 2))
			waitpid(super, &status, 0);
		close(ends[1]);
		ring_close(r);
		check_trace(200, *done, "ring");
		clean();
	}
}
END_TEST

START_TEST(stop_releases_a_waiting_producer)
{
	struct ring *r;
	int status;

	ck_assert_int_eq(ring_create(path, RING_SIZE, &r), 0);
	pid_t pid = start_producer(r, 3, UINT64_MAX);

	/* The full ring wakes us although it holds less than we ask for... of what we may ask for: half of it. */
	ck_assert_int_eq(ring_wait(r, 5000, SIZE_MAX), 1);
	nap(50000);
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	ring_stop(r);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(WEXITSTATUS(status), 102);

	struct event ev = { .type = REC_NOTE, .tid = 1 };

	ck_assert_int_eq(ring_event(r, &ev), -ENOSPC);
	ring_close(r);
}
END_TEST

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

START_TEST(waiting)
{
	struct event ev = { .type = REC_SYSCALL, .tid = 1 };
	struct ring *r;
	const void *p;

	ck_assert_int_eq(ring_create(path, RING_SIZE, &r), 0);
	double t = seconds();

	ck_assert_int_eq(ring_wait(r, 50, 1), 0);
	ck_assert_double_ge(seconds() - t, 0.045);
	ck_assert_int_eq(ring_event(r, &ev), 0);
	ck_assert_int_eq(ring_wait(r, 0, 1), 1);
	ck_assert_int_eq(ring_wait(r, 0, 4096), 0);

	/* The last event of a process wakes a consumer that wants much more. */
	pid_t pid = fork();

	if (!pid) {
		nap(100000);
		ev.type = REC_EXIT;
		_exit(ring_event(r, &ev) ? 1 : 0);
	}
	t = seconds();
	ck_assert_int_eq(ring_wait(r, 20000, STREAM_FRAME_SIZE), 0);
	ck_assert_double_lt(seconds() - t, 10);
	waitpid(pid, NULL, 0);
	ck_assert_uint_gt(ring_peek(r, &p), 0);
	ring_close(r);
}
END_TEST

static struct ring *shared_ring;

static void on_alarm(int sig)
{
	(void)sig;
}

/* A blocked producer gets signals all the time, and appends its event all the same. */
START_TEST(signals_do_not_interrupt)
{
	struct event ev = { .type = REC_SYSCALL, .tid = 1 };
	struct sigaction sa = { .sa_handler = on_alarm };
	static char bytes[EVENT_DATA_MAX];
	const void *p;
	size_t n, total = 0;

	ck_assert_int_eq(ring_create(path, RING_SIZE, &shared_ring), 0);
	pid_t pid = fork();

	if (!pid) {
		sigaction(SIGUSR1, &sa, NULL);
		ev.ndata = 100;
		int ret = ring_event(shared_ring, &ev);

		for (int i = 0; i < 100 && !ret; i++)
			ret = ring_data(shared_ring, 0, bytes, sizeof(bytes), DATA_MEMORY);
		_exit(ret ? 1 : 0);
	}
	nap(50000);
	for (int i = 0; i < 50; i++) {
		kill(pid, SIGUSR1);
		nap(1000);
	}
	int status = -1;

	while (waitpid(pid, &status, WNOHANG) == 0 || ring_peek(shared_ring, &p)) {
		ring_wait(shared_ring, 5, 1);
		n = ring_peek(shared_ring, &p);
		total += n;
		ring_consume(shared_ring, n);
		if (status == 0 && !n)
			break;
	}
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(total, sizeof(struct rec_event) + 8 * GUEST_NREGS +
				 100 * (sizeof(struct rec_data) + EVENT_DATA_MAX));
	ring_close(shared_ring);
}
END_TEST

START_TEST(open_checks)
{
	struct ring *r, *again;
	struct ring_head h;

	ck_assert_int_eq(ring_create(path, RING_SIZE, &r), 0);
	ck_assert_int_eq(ring_create(path, RING_SIZE, &again), -EEXIST);
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	ck_assert_int_ge(st.st_blocks * 512, RING_SIZE);
	ck_assert_int_eq(ring_open(path, &again), 0);
	ring_close(again);
	ring_close(r);

	int fd = open(path, O_RDWR);
	const struct { size_t off; uint64_t value; int want; } bad[] = {
		{ offsetof(struct ring_head, magic), 0, -EBADMSG },
		{ offsetof(struct ring_head, version), 9 | (uint64_t)RING_HEADER << 32, -EPROTO },
		{ offsetof(struct ring_head, size), RING_SIZE * 2, -EBADMSG },
		{ offsetof(struct ring_head, size), RING_SIZE - 8, -EBADMSG },
		{ offsetof(struct ring_head, size), 0, -EBADMSG },
		{ offsetof(struct ring_head, head), RING_SIZE + 8, -EBADMSG },
		{ offsetof(struct ring_head, head), 12, -EBADMSG },
		{ offsetof(struct ring_head, tail), 8, -EBADMSG },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		void *bytes;
		size_t len;
		uint64_t tail;

		ck_assert_int_eq(pread(fd, &h, sizeof(h), 0), sizeof(h));
		ck_assert_int_eq(pwrite(fd, &bad[i].value, 8, (off_t)bad[i].off), 8);
		ck_assert_int_eq(ring_open(path, &again), bad[i].want);
		ck_assert_int_eq(ring_file_read(fd, 0, &bytes, &len, &tail), bad[i].want);
		ck_assert_int_eq(pwrite(fd, &h, sizeof(h), 0), sizeof(h));
	}
	ck_assert_int_eq(ftruncate(fd, 100), 0);
	ck_assert_int_eq(ring_open(path, &again), -EBADMSG);
	close(fd);
}
END_TEST

/* A wake-up is not lost when it comes before the wait. */
START_TEST(woken_by_another_thread)
{
	struct ring *r;

	ck_assert_int_eq(ring_create(path, RING_SIZE, &r), 0);
	ring_wake(r);
	double t = seconds();

	ck_assert_int_eq(ring_wait(r, 10000, 1), 0);
	ck_assert_double_lt(seconds() - t, 5);
	ck_assert(!ring_stopped(r));
	ring_stop(r);
	ck_assert(ring_stopped(r));
	ring_close(r);
}
END_TEST

/* A disk of 3 MiB: the ring that does not fit leaves nothing; the stream that fills it ends whole. */
START_TEST(full_disk)
{
	struct stream_writer *w;
	struct stream_reader *s;
	struct event ev = { .type = REC_SYSCALL, .tid = 1, .ndata = 1 };
	struct ring *r;
	uint64_t n = 0, written;
	uint32_t x = 1;
	int ret = 0;
	static uint32_t noise[EVENT_DATA_MAX / 4];
	char small[80];
	const void *p;

	/* Root only. In a mount namespace of its own, so that a failing test leaves nothing mounted. */
	if (geteuid() || unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("sandrec-test", dir, "tmpfs", 0, "size=3m"))
		return;
	close(dirfd_);
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	snprintf(small, sizeof(small), "%s/big", dir);
	ck_assert_int_eq(ring_create(small, 4 << 20, &r), -ENOSPC);
	ck_assert_int_eq(access(small, F_OK), -1);
	ck_assert_int_eq(ring_create(path, RING_SIZE, &r), 0);
	ck_assert_int_eq(stream_writer_open(dirfd_, "stream", &w), 0);
	while (!ret) {
		for (size_t i = 0; i < EVENT_DATA_MAX / 4; i++)
			noise[i] = next_random(&x) << 8 ^ next_random(&x);
		ck_assert_int_eq(ring_event(r, &ev), 0);
		ck_assert_int_eq(ring_data(r, n++, noise, sizeof(noise), DATA_MEMORY), 0);
		if (n % 4)
			continue;
		size_t len = ring_peek(r, &p);

		ret = stream_write(w, p, len);
		if (!ret)
			ring_consume(r, len);
	}
	ck_assert_int_eq(ret, -ENOSPC);
	written = stream_written(w);
	ck_assert_int_eq(stream_writer_close(w), -ENOSPC);
	ring_stop(r);
	ring_close(r);
	/* What the disk could not take is still in the ring, which had its room from the start. */
	ck_assert_int_eq(stream_reader_open(dirfd_, "stream", "ring", &s), 0);
	ck_assert_uint_eq(stream_events(s), n);
	ck_assert_int_eq(stream_end(s), 0);
	stream_reader_close(s);
	ck_assert_int_eq(stream_reader_open(dirfd_, "stream", NULL, &s), 0);
	ck_assert_uint_eq(stream_events(s), n - 4);
	ck_assert_uint_gt(written, 1 << 20);
	while ((ret = stream_next(s, &ev)) == 1)
		;
	ck_assert_int_eq(ret, 0);
	stream_reader_close(s);
	clean();
	close(dirfd_);
	ck_assert_int_eq(umount(dir), 0);
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ring");
	TCase *t = tcase_create("ring");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, producer_and_consumer);
	tcase_add_test(t, used_again);
	tcase_add_test(t, producer_killed);
	tcase_add_test(t, supervisor_killed);
	tcase_add_test(t, stop_releases_a_waiting_producer);
	tcase_add_test(t, waiting);
	tcase_add_test(t, signals_do_not_interrupt);
	tcase_add_test(t, woken_by_another_thread);
	tcase_add_test(t, open_checks);
	tcase_add_test(t, full_disk);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
