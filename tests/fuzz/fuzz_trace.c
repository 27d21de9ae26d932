/*
 * Fuzzes what reads traces: the stream reader, the left-behind ring and the manifest.
 *
 * Built with -DLIBFUZZER and clang -fsanitize=fuzzer it is a libFuzzer target. Built alone it makes good inputs itself,
 * mutates them in a reproducible way for SECONDS_TO_FUZZ (default 2) from FUZZ_SEED, and reports in TAP; an abort
 * ends it with a non-zero status. `fuzz_trace FILE...` runs single inputs again.
 *
 * An input: one byte says what it is (enum kind), the rest is the file. Checksums are repaired for some, as
 * nothing behind them would ever be reached otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/trace_gen.h"
#include "trace/manifest.h"
#include "trace/ring_file.h"
#include "trace/stream_file.h"

/* RECORDS: the input is records, to be put in a frame with right checksums. */
enum kind { STREAM, STREAM_REPAIRED, RECORDS, RING, MANIFEST, KINDS };

#define INPUT_MAX (4u << 20)

static void die(const char *what)
{
	fprintf(stderr, "fuzz_trace: %s: %s\n", what, strerror(errno));
	abort();
}

static int file_with(const void *p, size_t len)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd < 0 || (len && write(fd, p, len) != (ssize_t)len))
		die("memfd");
	return fd;
}

/* What a reader's user would do, and what must hold whatever the file says. */
static void read_all(int fd, int ring_fd)
{
	struct stream_reader *s = NULL;
	struct event ev;
	struct event_data d;
	uint64_t n = 0, sum = 0;
	int ret = stream_reader_fdopen(fd, ring_fd, &s);

	if (!s)
		return;
	while ((ret = stream_next(s, &ev)) == 1) {
		if (ev.index != n++ || ev.annex_len > EVENT_ANNEX_MAX)
			abort();
		for (uint32_t i = 0; i < ev.annex_len; i++)
			sum += ((const unsigned char *)ev.annex)[i];
		while (n % 3 && stream_data(s, &d) == 1) {
			for (uint32_t i = 0; i < d.len; i++)
				sum += ((const unsigned char *)d.bytes)[i];
		}
	}
	if (n > stream_events(s) || (ret == 0) != !stream_reader_error(s)[0] || (ret == 0 && n != stream_events(s)))
		abort();
	for (uint64_t i = 0; i < 5; i++) {
		if (!stream_seek(s, stream_events(s) * i / 5) && stream_next(s, &ev) == 1 &&
		    ev.index != stream_events(s) * i / 5)
			abort();
	}
	stream_reader_close(s);
	__asm__ volatile("" ::"r"(sum));
}

static void repair(unsigned char *p, size_t len)
{
	size_t off = sizeof(struct stream_head);
	struct stream_head h;
	struct frame_head f;

	if (len < off)
		return;
	memcpy(&h, p, sizeof(h));
	h.sum = stream_head_sum(&h);
	memcpy(p, &h, sizeof(h));
	while (len - off >= sizeof(f)) {
		memcpy(&f, p + off, sizeof(f));
		size_t rest = len - off - sizeof(f);

		if (f.comp_len > rest)
			f.comp_len = (uint32_t)rest;
		f.payload_sum = XXH3_64bits(p + off + sizeof(f), f.comp_len);
		f.head_sum = frame_head_sum(&f);
		memcpy(p + off, &f, sizeof(f));
		off += sizeof(f) + f.comp_len;
	}
}

static void fuzz_stream(const uint8_t *p, size_t len, bool right)
{
	unsigned char *copy = malloc(len + 1);

	memcpy(copy, p, len);
	if (right)
		repair(copy, len);
	int fd = file_with(copy, len);

	read_all(fd, -1);
	close(fd);
	free(copy);
}

/* A file header and one frame whose header says what the first bytes say. */
static void fuzz_records(const uint8_t *p, size_t len)
{
	static unsigned char out[sizeof(struct stream_head) + sizeof(struct frame_head) + FRAME_COMP_MAX];
	struct stream_head h = { .magic = STREAM_MAGIC, .format = TRACE_FORMAT, .header = sizeof(h) };
	struct frame_head f = { .magic = FRAME_MAGIC };

	if (len < 8)
		return;
	f.nevents = (uint32_t)(p[0] | p[1] << 8 | p[2] << 16);
	f.open = p[3];
	f.flags = p[4] & FRAME_FLAGS;
	p += 8;
	len = (len - 8) & ~(size_t)7;
	if (len > FRAME_RAW_MAX)
		len = FRAME_RAW_MAX;
	f.raw_len = (uint32_t)len;
	unsigned char *at = out + sizeof(h) + sizeof(f);
	size_t n = ZSTD_compress(at, FRAME_COMP_MAX, p, len, 1);

	f.comp_len = (uint32_t)n;
	f.payload_sum = XXH3_64bits(at, n);
	f.head_sum = frame_head_sum(&f);
	h.sum = stream_head_sum(&h);
	memcpy(out, &h, sizeof(h));
	memcpy(out + sizeof(h), &f, sizeof(f));
	int fd = file_with(out, sizeof(h) + sizeof(f) + n);

	read_all(fd, -1);
	close(fd);

	/* The writer sees such bytes too when a ring was damaged. */
	struct stream_writer *w;
	static char path[64];

	if (!path[0]) {
		snprintf(path, sizeof(path), "/dev/shm/sandrec-fuzz-%d", (int)getpid());
		if (access("/dev/shm", W_OK))
			snprintf(path, sizeof(path), "/tmp/sandrec-fuzz-%d", (int)getpid());
	}
	unlink(path);
	if (stream_writer_open(AT_FDCWD, path, &w))
		die(path);
	int written = stream_write(w, p, len);

	stream_writer_close(w);
	fd = open(path, O_RDONLY);
	unlink(path);
	struct stream_reader *s;

	/* What the writer accepts is a stream. */
	if (fd < 0 || stream_reader_fdopen(fd, -1, &s) || (!written && stream_end(s) == -EBADMSG))
		abort();
	stream_reader_close(s);
	close(fd);
}

static void fuzz_ring(const uint8_t *p, size_t len)
{
	struct stream_head h = { .magic = STREAM_MAGIC, .format = TRACE_FORMAT, .header = sizeof(h) };
	int ring = file_with(p, len);

	/* Mutations are of a ring's beginning; its size must fit to get further. */
	if (len >= RING_HEADER && ftruncate(ring, RING_HEADER + RING_SIZE_MIN))
		die("ftruncate");
	h.sum = stream_head_sum(&h);
	int fd = file_with(&h, sizeof(h));

	read_all(fd, ring);
	close(fd);
	close(ring);
}

static void fuzz_manifest(const uint8_t *p, size_t len)
{
	static struct manifest m;
	char why[200] = "?";
	int ret = manifest_parse((const char *)p, len, &m, why, sizeof(why));

	if ((ret != 0) != (why[0] != 0) || strchr(why, '\n') || (!ret && (!m.argv || !m.nprocs)))
		abort();
	manifest_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	if (!len || len > INPUT_MAX)
		return 0;
	switch (p[0] % KINDS) {
	case STREAM:
	case STREAM_REPAIRED:
		fuzz_stream(p + 1, len - 1, p[0] % KINDS == STREAM_REPAIRED);
		break;
	case RECORDS:
		fuzz_records(p + 1, len - 1);
		break;
	case RING:
		fuzz_ring(p + 1, len - 1);
		break;
	default:
		fuzz_manifest(p + 1, len - 1);
	}
	return 0;
}

#ifndef LIBFUZZER

struct input {
	uint8_t *p;
	size_t len;
};

static struct input slurp(const char *path, uint8_t kind)
{
	int fd = open(path, O_RDONLY);
	off_t size = lseek(fd, 0, SEEK_END);
	struct input in = { malloc((size_t)size + 1), (size_t)size + 1 };

	if (fd < 0 || !in.p || pread(fd, in.p + 1, (size_t)size, 0) != size)
		die(path);
	in.p[0] = kind;
	close(fd);
	return in;
}

/* Good files, small enough that a mutation hits something that matters. */
static void make_inputs(struct input in[KINDS])
{
	char dir[] = "/tmp/sandrec-fuzz-XXXXXX", path[64];
	static char *argv[] = { "a\xff", "b", NULL };
	static struct manifest_proc proc = { .number = 1, .pid = 1 };
	static struct manifest m = { .format = TRACE_FORMAT, .argv = argv, .envp = argv, .cpu.n = 3, .nprocs = 1,
				     .procs = &proc };
	struct stream_writer *w;
	struct ring *r;
	struct gen g;
	const void *p;

	if (!mkdtemp(dir))
		die(dir);
	int dirfd = open(dir, O_RDONLY | O_DIRECTORY);

	snprintf(path, sizeof(path), "%s/ring", dir);
	if (ring_create(path, RING_SIZE_MIN, &r) || stream_writer_open(dirfd, "stream", &w) || manifest_write(dirfd, &m))
		die("making inputs");
	gen_start(&g, 42, false);
	for (int i = 0; i < 60; i++) {
		gen_next(&g);
		gen_put(&g, r);
	}
	size_t n = ring_peek(r, &p);

	in[RING] = slurp(path, RING);
	in[RING].len = 1 + RING_HEADER + n;
	in[RECORDS] = (struct input){ calloc(1, 9 + n), 9 + n };
	in[RECORDS].p[0] = RECORDS;
	in[RECORDS].p[1] = 60;
	memcpy(in[RECORDS].p + 9, p, n);
	for (size_t done = 0; done < n;) {
		struct rec_head head;
		size_t take = 0;

		while (done + take < n && take < n / 3)
			take += record_size((const char *)p + done + take, n - done - take, &head);
		if (stream_write(w, (const char *)p + done, take))
			die("stream_write");
		done += take;
	}
	stream_writer_close(w);
	ring_close(r);
	snprintf(path, sizeof(path), "%s/stream", dir);
	in[STREAM] = slurp(path, STREAM);
	in[STREAM_REPAIRED] = slurp(path, STREAM_REPAIRED);
	snprintf(path, sizeof(path), "%s/" MANIFEST_NAME, dir);
	in[MANIFEST] = slurp(path, MANIFEST);
	unlinkat(dirfd, "stream", 0);
	unlinkat(dirfd, "ring", 0);
	unlinkat(dirfd, MANIFEST_NAME, 0);
	close(dirfd);
	rmdir(dir);
	gen_stop(&g);
}

static const uint64_t odd_values[] = {
	0, 1, 7, 8, 0x7f, 0xff, 0x8000, 0xffff, 0x10000, 0x10008, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff8,
	1ull << 40, INT64_MAX, 1ull << 63, UINT64_MAX, UINT64_MAX - 7,
};

static void mutate(struct gen *g, struct input *in)
{
	uint64_t r = gen_random(g);
	size_t at = 1 + gen_random(g) % (in->len - 1), n = gen_random(g) % 64;
	uint64_t v = odd_values[gen_random(g) % (sizeof(odd_values) / sizeof(odd_values[0]))];
	size_t width = 1ull << r % 4;

	/* Headers are where the decisions are. */
	if (r & 0x100)
		at = 1 + at % (in->len < 400 ? in->len - 1 : 399);
	if (in->p[0] == RING && (r & 0x600))
		at = r & 0x200 ? 1 + at % 280 / 8 * 8 : 1 + RING_HEADER + at % (in->len - 1 - RING_HEADER) / 8 * 8;
	if (in->p[0] == RECORDS && (r & 0x200))
		at = 9 + at % (in->len - 9) / 8 * 8;
	switch (r >> 16 & 7) {
	case 0:
		in->p[at] ^= (uint8_t)(1 << (r >> 20 & 7));
		break;
	case 1:
		in->len = at + 1;
		break;
	case 2: /* a piece moves */
		if (at + n < in->len)
			memmove(in->p + at, in->p + 1 + gen_random(g) % (in->len - n - 1), n);
		break;
	case 3:
		in->p[at] = (uint8_t)(r >> 24);
		break;
	default:
		if (at + width <= in->len)
			memcpy(in->p + at, &v, width);
	}
}

int main(int argc, char **argv)
{
	struct input good[KINDS];
	unsigned long runs = 0;
	struct gen g;

	if (argc > 1)
		return fuzz_files(argc - 1, argv + 1, INPUT_MAX);
	printf("1..1\n");
	fflush(stdout);
	make_inputs(good);
	gen_start(&g, fuzz_seed(), false);
	for (int i = 0; i < KINDS; i++)
		LLVMFuzzerTestOneInput(good[i].p, good[i].len);
	for (; fuzz_goes_on(runs, 500); runs++) {
		const struct input *from = &good[runs % KINDS];
		struct input in = { malloc(from->len), from->len };

		memcpy(in.p, from->p, from->len);
		for (uint64_t n = 1 + gen_random(&g) % 5; n && in.len > 1 + RING_HEADER * (in.p[0] == RING) + 64; n--)
			mutate(&g, &in);
		fuzz_exact(in.p, in.len);
		free(in.p);
	}
	printf("ok 1 - %lu mutated inputs\n", runs);
	for (int i = 0; i < KINDS; i++)
		free(good[i].p);
	gen_stop(&g);
	return 0;
}

#endif
