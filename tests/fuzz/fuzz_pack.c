/*
 * Fuzzes the reader of packed traces: no crash, no read outside the file, and what is given out is as large as the index
 * says. Built with -DLIBFUZZER and clang -fsanitize=fuzzer it is a libFuzzer target. Built alone it makes good packs,
 * mutates them in a reproducible way for SECONDS_TO_FUZZ (default 2) from FUZZ_SEED, and reports in TAP.
 *
 * Checksums are repaired for half of the inputs (the first byte says so), as nothing behind them would be reached.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"
#include "trace/manifest.h"
#include "trace/pack.h"
#include "trace/pack_file.h"
#include "trace/parts.h"
#include "trace/stream.h"

#define INPUT_MAX (1u << 20)
#define PARTS_READ 16

static void die(const char *what)
{
	fprintf(stderr, "fuzz_pack: %s: %s\n", what, strerror(errno));
	abort();
}

/* Sums of the header and of the index, and of the parts where the index makes sense. */
static void repair(uint8_t *b, size_t size)
{
	struct pack_head h;

	if (size < sizeof(h))
		return;
	memcpy(&h, b, sizeof(h));
	memcpy(h.magic, PACK_MAGIC, sizeof(h.magic));
	if (h.index_at <= size && h.index_len <= size - h.index_at) {
		for (uint64_t off = h.index_at; h.index_at + h.index_len - off >= sizeof(struct pack_entry);) {
			struct pack_entry e;

			memcpy(&e, b + off, sizeof(e));
			if (e.at <= size && e.stored <= size - e.at)
				e.sum = XXH3_64bits(b + e.at, e.stored);
			memcpy(b + off, &e, sizeof(e));
			if (e.name_len > PACK_NAME_MAX || h.index_at + h.index_len - off < sizeof(e) + ((e.name_len + 7) & ~7u))
				break;
			off += sizeof(e) + ((e.name_len + 7) & ~7u);
		}
		h.index_sum = XXH3_64bits(b + h.index_at, h.index_len);
	}
	h.sum = pack_head_sum(&h);
	memcpy(b, &h, sizeof(h));
}

static void read_part(int fd, const struct pack_part *part)
{
	struct stream_reader *r = NULL;
	struct trace_part opened;
	struct event ev;
	struct stat st;
	int got = pack_extract(fd, part);

	if (got >= 0) {
		if (fstat(got, &st) || (uint64_t)st.st_size != part->size)
			die("a part has another size than the index says");
		close(got);
	}
	pack_check(fd, part);
	if (trace_part_open(fd, part->name, &opened) == 0) {
		if (opened.size != part->size)
			die("a part has two sizes");
		trace_part_close(&opened);
	}
	stream_reader_open(fd, part->name, part->name, &r);
	for (int i = 0; r && i < 100 && stream_next(r, &ev) == 1; i++)
		;
	stream_reader_close(r);
}

static int note_name(void *arg, const char *name)
{
	(void)arg;
	return strchr(name, '/') || strlen(name) > PACK_NAME_MAX ? -1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *b = malloc(size + 1);
	int fd = memfd_create("input", MFD_CLOEXEC);
	struct manifest m;
	struct pack *p;
	const char *why;
	char line[200];

	if (!b || fd < 0 || !size)
		die("input");
	memcpy(b, data + 1, size - 1);
	if (data[0] & 1)
		repair(b, size - 1);
	if (write(fd, b, size - 1) != (ssize_t)(size - 1))
		die("write");
	pack_is(fd);
	if (pack_open(fd, &p, &why) == 0) {
		for (size_t i = 0; i < pack_count(p); i++) {
			if (pack_find(p, pack_nth(p, i)->name) != pack_nth(p, i))
				die("a part is not found by its name");
			if (i < PARTS_READ)
				read_part(fd, pack_nth(p, i));
		}
		pack_find(p, "nothing of this name");
		pack_close(p);
		if (trace_parts_each(fd, note_name, NULL) < 0)
			die("a name that cannot be");
	}
	manifest_read(fd, &m, line, sizeof(line));
	manifest_free(&m);
	free(b);
	close(fd);
	return 0;
}

#ifndef LIBFUZZER

/* A pack of a few parts of random bytes; its length. */
static size_t make(uint8_t *buf, size_t room)
{
	static const char *const names[] = { "manifest", "events.1", "ring.1", "files/0123", "events.22" };
	int out = memfd_create("pack", MFD_CLOEXEC), in = memfd_create("part", MFD_CLOEXEC);
	struct pack_writer *w;
	uint8_t bytes[4096];
	ssize_t n;

	if (out < 0 || in < 0 || pack_writer_create(out, &w))
		die("make");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t len = fuzz_next() % sizeof(bytes);

		for (size_t k = 0; k < len; k++)
			bytes[k] = fuzz_next() % 3 ? 'a' : (uint8_t)fuzz_next();
		if (pwrite(in, bytes, len, 0) != (ssize_t)len || pack_add(w, names[i], in, 0, len, fuzz_next() & 1))
			die("pack_add");
	}
	if (pack_writer_finish(w))
		die("pack_writer_finish");
	n = pread(out, buf, room, 0);
	close(out);
	close(in);
	if (n < 0)
		die("read");
	return (size_t)n;
}

static size_t mutate(uint8_t *b, size_t len)
{
	static const uint64_t odd[] = { 0, 1, 63, 64, 0x7fffffff, 0xffffffff, UINT64_MAX, INT64_MAX, 1ull << 40, 255, 4096 };
	struct pack_head h;

	for (uint64_t n = fuzz_next() % 4; n; n--) {
		memcpy(&h, b, sizeof(h));
		/* The index is where the decisions are. */
		size_t at = fuzz_next() % 3 && h.index_at < len ? h.index_at + fuzz_next() % (len - h.index_at) : fuzz_next() % len;
		uint64_t v = odd[fuzz_next() % (sizeof(odd) / sizeof(odd[0]))];

		if (fuzz_next() % 2)
			b[at] = (uint8_t)fuzz_next();
		else if ((at &= ~7ull) + 8 <= len)
			memcpy(b + at, &v, 8);
	}
	return fuzz_next() % 8 ? len : fuzz_next() % len + 1;
}

int main(int argc, char **argv)
{
	static uint8_t buf[INPUT_MAX + 1];
	unsigned long runs = 0;

	if (argc > 1)
		return fuzz_files(argc - 1, argv + 1, sizeof(buf));
	printf("1..1\n");
	fflush(stdout);
	for (; fuzz_goes_on(runs, 200); runs++) {
		size_t len = mutate(buf + 1, make(buf + 1, INPUT_MAX));

		buf[0] = fuzz_next() % 4 != 0;
		LLVMFuzzerTestOneInput(buf, len + 1);
	}
	printf("ok 1 - %lu packs\n", runs);
	return 0;
}

#endif
