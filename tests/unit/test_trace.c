/* Records and streams: what is written is read, from any place, and damage is told from a cut. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/trace_gen.h"
#include "tests/unit/unit.h"
#include "trace/manifest.h"
#include "trace/frame_diff.h"
#include "trace/stream_file.h"

static char dir[] = "/tmp/sandrec-trace-XXXXXX";
static char ring_path[64];
static int dirfd_;

static void setup(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(dirfd_, 0);
	snprintf(ring_path, sizeof(ring_path), "%s/ring", dir);
}

static void teardown(void)
{
	unlinkat(dirfd_, "ring", 0);
	unlinkat(dirfd_, "stream", 0);
	close(dirfd_);
	ck_assert_int_eq(rmdir(dir), 0);
}

/* Moves what the ring holds into the stream. */
static void drain(struct ring *r, struct stream_writer *w)
{
	const void *p;
	size_t n;

	while ((n = ring_peek(r, &p))) {
		ck_assert_int_eq(stream_write(w, p, n), 0);
		ring_consume(r, n);
	}
}

/* Writes n events, the last `leave` bytes or more of them left in the ring; returns the open ring. */
static struct ring *write_events(uint64_t seed, unsigned n, bool large, unsigned drained)
{
	struct stream_writer *w;
	struct ring *r;
	struct gen g;

	gen_start(&g, seed, large);
	ck_assert_int_eq(ring_create(ring_path, 4 << 20, &r), 0);
	ck_assert_int_eq(stream_writer_open(dirfd_, "stream", &w), 0);
	for (unsigned i = 0; i < n; i++) {
		gen_next(&g);
		ck_assert_int_eq(gen_put(&g, r), 0);
		if (i < drained && ring_wait(r, 0, i % 1000 ? 1 << 20 : 1))
			drain(r, w);
		if (i == drained)
			drain(r, w);
	}
	if (drained >= n)
		drain(r, w);
	ck_assert_int_eq(stream_writer_close(w), 0);
	ck_assert_uint_eq(ring_events(r), n);
	gen_stop(&g);
	return r;
}

/* Reads everything; returns the number of events that came as generated, and how it ended. */
static unsigned read_events(uint64_t seed, bool large, const char *ring, bool data, int *end, char *line)
{
	struct stream_reader *s;
	struct event ev;
	struct gen g;
	unsigned n = 0;

	gen_start(&g, seed, large);
	*end = stream_reader_open(dirfd_, "stream", ring, &s);
	if (s) {
		while ((*end = stream_next(s, &ev)) == 1) {
			gen_next(&g);
			if (!gen_same(&g, s, &ev, n, data))
				break;
			n++;
		}
		if (line)
			strcpy(line, stream_reader_error(s));
		ck_assert_int_eq(*end < 0, stream_reader_error(s)[0] != 0);
	}
	stream_reader_close(s);
	gen_stop(&g);
	return n;
}

START_TEST(round_trip)
{
	int end;

	for (unsigned seed = 1; seed < 5; seed++) {
		unsigned n = seed % 2 ? 20000 : 1500;

		ring_close(write_events(seed, n, seed % 2 == 0, n));
		ck_assert_uint_eq(read_events(seed, seed % 2 == 0, NULL, true, &end, NULL), n);
		ck_assert_int_eq(end, 0);
		ck_assert_uint_eq(read_events(seed, seed % 2 == 0, NULL, false, &end, NULL), n);
		ck_assert_int_eq(end, 0);
		unlinkat(dirfd_, "stream", 0);
		unlinkat(dirfd_, "ring", 0);
	}
}
END_TEST

START_TEST(leftover_ring)
{
	int end;

	ring_close(write_events(7, 3000, false, 2000));
	ck_assert_uint_eq(read_events(7, false, "ring", true, &end, NULL), 3000);
	ck_assert_int_eq(end, 0);
	ck_assert_uint_lt(read_events(7, false, NULL, true, &end, NULL), 3000);
	ck_assert_int_eq(end, 0);
}
END_TEST

/* The supervisor wrote a frame and died before it consumed: the records are in both places. */
START_TEST(written_not_consumed)
{
	struct stream_writer *w;
	struct ring *r;
	struct gen g;
	const void *p;
	int end;

	gen_start(&g, 9, true);
	ck_assert_int_eq(ring_create(ring_path, 4 << 20, &r), 0);
	ck_assert_int_eq(stream_writer_open(dirfd_, "stream", &w), 0);
	for (int i = 0; i < 400; i++) {
		gen_next(&g);
		ck_assert_int_eq(gen_put(&g, r), 0);
		if (i == 100)
			drain(r, w);
	}
	/* Cut where no event ends. */
	size_t n = ring_peek(r, &p), m = 0;
	struct rec_head head = { 0 };

	while (m < n / 2 || head.type != REC_DATA)
		m += record_size((const char *)p + m, n - m, &head);
	ck_assert_int_eq(stream_write(w, p, m), 0);
	stream_writer_close(w);
	ring_close(r);
	ck_assert_uint_eq(read_events(9, true, "ring", true, &end, NULL), 400);
	ck_assert_int_eq(end, 0);

	/* And the frame itself was only half written. */
	struct stat st;

	ck_assert_int_eq(fstatat(dirfd_, "stream", &st, 0), 0);
	for (int cut = 1; cut < 200; cut += 30) {
		char path[64];

		snprintf(path, sizeof(path), "%s/stream", dir);
		ck_assert_int_eq(truncate(path, st.st_size - cut), 0);
		ck_assert_uint_eq(read_events(9, true, "ring", true, &end, NULL), 400);
		ck_assert_int_eq(end, 0);
	}
	gen_stop(&g);
}
END_TEST

START_TEST(seek_everywhere)
{
	enum { N = 6000 };
	struct event *all = calloc(N, sizeof(*all)), ev;
	struct stream_reader *s;
	struct gen g;
	uint32_t x = 1;

	ring_close(write_events(11, N, true, N - 700));
	gen_start(&g, 11, true);
	for (int i = 0; i < N; i++) {
		gen_next(&g);
		all[i] = g.ev;
	}
	ck_assert_int_eq(stream_reader_open(dirfd_, "stream", "ring", &s), 0);
	ck_assert_uint_eq(stream_events(s), N);
	for (int k = 0; k < 2500; k++) {
		/* Each of the last thousand, and others anywhere. */
		uint32_t i = k < 1000 ? N - 1 - (uint32_t)k : (x = x * 1664525 + 1013904223) % N;

		ck_assert_int_eq(stream_seek(s, i), 0);
		for (uint32_t j = i; j < i + 3 && j < N; j++) {
			ck_assert_int_eq(stream_next(s, &ev), 1);
			ck_assert_uint_eq(ev.index, j);
			ck_assert_int_eq(ev.tid, all[j].tid);
			ck_assert_int_eq(ev.result, all[j].result);
			ck_assert_mem_eq(&ev.regs, &all[j].regs, sizeof(ev.regs));
			ck_assert_uint_eq(ev.annex_len, all[j].annex_len);
			if (ev.annex_len)
				ck_assert_mem_eq(ev.annex, all[j].annex, ev.annex_len);
		}
	}
	ck_assert_int_eq(stream_seek(s, N), 0);
	ck_assert_int_eq(stream_next(s, &ev), 0);
	ck_assert_int_eq(stream_seek(s, N + 1), -EINVAL);
	ck_assert_int_eq(stream_seek(s, 0), 0);
	ck_assert_int_eq(stream_next(s, &ev), 1);
	stream_reader_close(s);
	gen_stop(&g);
	free(all);
}
END_TEST

static unsigned char *load(size_t *len)
{
	int fd = openat(dirfd_, "stream", O_RDONLY);
	struct stat st;

	fstat(fd, &st);
	unsigned char *p = malloc((size_t)st.st_size);

	*len = (size_t)st.st_size;
	ck_assert_int_eq(read(fd, p, *len), (ssize_t)*len);
	close(fd);
	return p;
}

static void store(const void *p, size_t len)
{
	int fd = openat(dirfd_, "stream", O_WRONLY | O_TRUNC | O_CREAT, 0600);

	ck_assert_int_eq(write(fd, p, len), (ssize_t)len);
	close(fd);
}

START_TEST(every_flip_is_found)
{
	size_t len;
	int end;

	ring_close(write_events(13, 3000, false, 3000));
	unsigned char *p = load(&len);

	for (size_t i = 0; i < len; i += i < 200 ? 1 : 311) {
		char line[256];

		p[i] ^= 0x10;
		store(p, len);
		p[i] ^= 0x10;
		/* Everything delivered before the fault was good, and it never looks like an orderly end. */
		ck_assert_uint_lt(read_events(13, false, NULL, true, &end, line), 3000);
		ck_assert_msg(end == -EBADMSG, "byte %zu: %d", i, end);
		ck_assert_ptr_nonnull(strstr(line, "damaged at event"));
		ck_assert_ptr_null(strchr(line, '\n'));
	}
	free(p);
}
END_TEST

START_TEST(every_cut_is_a_torn_tail)
{
	size_t len, frame;
	int end;

	ring_close(write_events(13, 3000, false, 3000));
	unsigned char *p = load(&len);
	unsigned last = 0;

	for (size_t n = sizeof(struct stream_head); n < len; n += n < 300 ? 1 : 997) {
		char line[256];

		store(p, n);
		unsigned got = read_events(13, false, NULL, true, &end, line);

		ck_assert_uint_ge(got, last);
		last = got;
		ck_assert_msg(n == sizeof(struct stream_head) || end == -ENODATA || end == 0, "length %zu: %d", n, end);
		if (end)
			ck_assert_ptr_nonnull(strstr(line, "cut at event"));
	}
	/* Cut where a frame ends: only an event that lacks data can tell. */
	frame = sizeof(struct stream_head) + sizeof(struct frame_head) +
		((struct frame_head *)(p + sizeof(struct stream_head)))->comp_len;
	ck_assert_uint_lt(frame, len);
	store(p, frame);
	unsigned open = (unsigned)((struct frame_head *)(p + sizeof(struct stream_head)))->open;
	unsigned events = ((struct frame_head *)(p + sizeof(struct stream_head)))->nevents;

	ck_assert_uint_eq(read_events(13, false, NULL, true, &end, NULL), events - (open > 0));
	ck_assert_int_eq(end, open ? -ENODATA : 0);
	free(p);
}
END_TEST

START_TEST(an_event_without_its_data_is_not_there)
{
	struct stream_writer *w;
	struct ring *r;
	struct event ev = { .type = REC_SYSCALL, .tid = 1 };
	struct stream_reader *s;

	ck_assert_int_eq(ring_create(ring_path, 1 << 20, &r), 0);
	ck_assert_int_eq(stream_writer_open(dirfd_, "stream", &w), 0);
	ck_assert_int_eq(ring_event(r, &ev), 0);
	ev.ndata = 2;
	ck_assert_int_eq(ring_event(r, &ev), 0);
	ck_assert_int_eq(ring_data(r, 1, "x", 1, DATA_MEMORY), 0);
	drain(r, w);
	ck_assert_int_eq(stream_writer_close(w), 0);
	ring_close(r);
	for (int ring = 0; ring < 2; ring++) {
		ck_assert_int_eq(stream_reader_open(dirfd_, "stream", ring ? "ring" : NULL, &s), 0);
		ck_assert_uint_eq(stream_events(s), 1);
		ck_assert_int_eq(stream_end(s), -ENODATA);
		ck_assert_int_eq(stream_next(s, &ev), 1);
		ck_assert_int_eq(stream_next(s, &ev), -ENODATA);
		ck_assert_str_eq(stream_reader_error(s), "recording cut at event 1: its data is not all there");
		stream_reader_close(s);
	}
}
END_TEST

/* The same stream as format 2 had it. */
static unsigned char *without_differences(const unsigned char *p, size_t len, size_t *newlen)
{
	unsigned char *out = malloc(4 * len + FRAME_COMP_MAX), *raw = malloc(FRAME_RAW_MAX);
	struct stream_head *h = (struct stream_head *)out;
	size_t to = sizeof(*h);

	memcpy(out, p, sizeof(*h));
	h->format = 2;
	h->sum = stream_head_sum(h);
	for (size_t at = sizeof(*h); at < len;) {
		struct frame_head f;

		memcpy(&f, p + at, sizeof(f));
		at += sizeof(f);
		ck_assert_uint_eq(f.flags, FRAME_DIFF);
		ck_assert_uint_eq(ZSTD_decompress(raw, FRAME_RAW_MAX, p + at, f.comp_len), f.raw_len);
		at += f.comp_len;
		frame_undiff(raw, f.raw_len, f.first_event);
		f.flags = 0;
		f.comp_len = (uint32_t)ZSTD_compress(out + to + sizeof(f), FRAME_COMP_MAX, raw, f.raw_len, 1);
		f.payload_sum = XXH3_64bits(out + to + sizeof(f), f.comp_len);
		f.head_sum = frame_head_sum(&f);
		memcpy(out + to, &f, sizeof(f));
		to += sizeof(f) + f.comp_len;
	}
	free(raw);
	*newlen = to;
	return out;
}

START_TEST(frames_without_differences)
{
	size_t len, old_len;
	int end;

	ring_close(write_events(16, 5000, false, 5000));
	unsigned char *p = load(&len), *old = without_differences(p, len, &old_len);

	store(old, old_len);
	ck_assert_uint_eq(read_events(16, false, NULL, true, &end, NULL), 5000);
	ck_assert_int_eq(end, 0);
	free(old);
	free(p);
}
END_TEST

START_TEST(newer_format)
{
	size_t len;
	int end;
	char line[256];

	ring_close(write_events(15, 10, false, 10));
	unsigned char *p = load(&len);
	struct stream_head *h = (struct stream_head *)p;

	h->format = TRACE_FORMAT + 1;
	h->sum = stream_head_sum(h);
	store(p, len);
	read_events(15, false, NULL, true, &end, line);
	ck_assert_int_eq(end, -EPROTO);
	ck_assert_ptr_nonnull(strstr(line, "newer"));
	h->format = TRACE_FORMAT_OLDEST - 1;
	h->sum = stream_head_sum(h);
	store(p, len);
	read_events(15, false, NULL, true, &end, line);
	ck_assert_int_eq(end, -EPROTO);
	ck_assert_ptr_nonnull(strstr(line, "older"));
	free(p);
}
END_TEST

START_TEST(writer_refuses_what_are_no_records)
{
	struct stream_writer *w;
	struct stream_reader *s;
	struct event ev;
	struct ring *r;
	const void *p;
	char copy[4096];

	ck_assert_int_eq(ring_create(ring_path, 1 << 20, &r), 0);
	ev = (struct event){ .type = REC_TSC, .tid = 3 };
	ck_assert_int_eq(ring_event(r, &ev), 0);
	ck_assert_int_eq(ring_event(r, &ev), 0);
	size_t n = ring_peek(r, &p);

	memcpy(copy, p, n);
	/* Cut off, wrong size, data that belongs to no event, an index twice. */
	for (int i = 0; i < 4; i++) {
		struct rec_event *e = (struct rec_event *)copy;

		memcpy(copy, p, n);
		if (i == 1)
			e->head.size += 4;
		if (i == 2)
			e->head.type = REC_DATA;
		if (i == 3)
			e->index = 1;
		ck_assert_int_eq(stream_writer_open(dirfd_, "stream", &w), 0);
		ck_assert_int_eq(stream_write(w, copy, i ? n : n - 8), -EBADMSG);
		ck_assert_int_eq(stream_write(w, p, n), -EBADMSG);
		ck_assert_int_eq(stream_writer_close(w), -EBADMSG);
		ck_assert_int_eq(stream_reader_open(dirfd_, "stream", NULL, &s), 0);
		ck_assert_int_eq(stream_next(s, &ev), 0);
		stream_reader_close(s);
		unlinkat(dirfd_, "stream", 0);
	}
	ring_close(r);
}
END_TEST

START_TEST(missing_and_odd_files)
{
	struct stream_reader *s;

	ck_assert_int_eq(stream_reader_open(dirfd_, "stream", NULL, &s), -ENOENT);
	ck_assert_ptr_null(s);
	ck_assert_int_eq(mkdirat(dirfd_, "stream", 0700), 0);
	ck_assert_int_eq(stream_reader_open(dirfd_, "stream", NULL, &s), -EINVAL);
	ck_assert_int_eq(unlinkat(dirfd_, "stream", AT_REMOVEDIR), 0);
	ck_assert_int_eq(symlinkat("/dev/zero", dirfd_, "stream"), 0);
	ck_assert_int_eq(stream_reader_open(dirfd_, "stream", NULL, &s), -ELOOP);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trace");
	TCase *t = tcase_create("stream");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, leftover_ring);
	tcase_add_test(t, written_not_consumed);
	tcase_add_test(t, seek_everywhere);
	tcase_add_test(t, every_flip_is_found);
	tcase_add_test(t, every_cut_is_a_torn_tail);
	tcase_add_test(t, an_event_without_its_data_is_not_there);
	tcase_add_test(t, frames_without_differences);
	tcase_add_test(t, newer_format);
	tcase_add_test(t, writer_refuses_what_are_no_records);
	tcase_add_test(t, missing_and_odd_files);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
