/* Packs: what goes in comes out, by name; damage is found; parts of directories and packs are the same to readers. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "trace/pack.h"
#include "trace/pack_file.h"
#include "trace/parts.h"

static int file, part_fd;
static struct pack *pack;

static void setup(void)
{
	file = memfd_create("pack", MFD_CLOEXEC);
	part_fd = memfd_create("part", MFD_CLOEXEC);
	pack = NULL;
}

static void teardown(void)
{
	pack_close(pack);
	close(file);
	close(part_fd);
}

static void fill(size_t len, unsigned seed)
{
	char *b = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		b[i] = (char)(i * seed >> 7);
	ck_assert_int_eq(ftruncate(part_fd, 0), 0);
	ck_assert_int_eq(pwrite(part_fd, b, len, 0), (ssize_t)len);
	free(b);
}

static void add(struct pack_writer *w, const char *name, size_t len, bool compress)
{
	fill(len, 77);
	ck_assert_int_eq(pack_add(w, name, part_fd, 0, len, compress), 0);
}

static void make(void)
{
	struct pack_writer *w;

	ck_assert_int_eq(pack_writer_create(file, &w), 0);
	add(w, "manifest", 300, true);
	add(w, "events.2", 5000000, false);
	add(w, "events.1", 0, false);
	add(w, "files/abc", 3000001, true);
	add(w, "files/empty", 0, true);
	fill(10, 1);
	ck_assert_int_eq(pack_add(w, "events.2", part_fd, 0, 10, false), -EEXIST);
	ck_assert_int_eq(pack_add(w, "", part_fd, 0, 10, false), -EINVAL);
	ck_assert_int_eq(pack_writer_finish(w), 0);
}

static void same(const struct trace_part *p, size_t len)
{
	char *a = malloc(len + 1), *b = malloc(len + 1);

	fill(len, 77);
	ck_assert_uint_eq(p->size, len);
	ck_assert_int_eq(pread(p->fd, a, len, (off_t)p->at), (ssize_t)len);
	ck_assert_int_eq(pread(part_fd, b, len, 0), (ssize_t)len);
	ck_assert_int_eq(memcmp(a, b, len), 0);
	free(a);
	free(b);
}

static int count(void *n, const char *name)
{
	(void)name;
	++*(int *)n;
	return 0;
}

START_TEST(what_goes_in_comes_out)
{
	static const struct { const char *name; size_t len; bool whole; } parts[] = {
		{ "events.1", 0, false }, { "events.2", 5000000, false }, { "files/abc", 3000001, true },
		{ "files/empty", 0, true }, { "manifest", 300, true },
	};
	struct trace_part p;
	char why[100];
	int n = 0;

	make();
	ck_assert(pack_is(file));
	ck_assert_int_eq(trace_parts_check(file, why, sizeof(why)), 0);
	ck_assert(trace_is_packed(file));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		ck_assert_int_eq(trace_part_open(file, parts[i].name, &p), 0);
		ck_assert(p.whole == parts[i].whole);
		same(&p, parts[i].len);
		trace_part_close(&p);
	}
	ck_assert_int_eq(trace_part_open(file, "events.3", &p), -ENOENT);
	ck_assert_int_eq(trace_part_open(file, "", &p), -ENOENT);
	ck_assert_int_eq(trace_parts_each(file, count, &n), 0);
	ck_assert_int_eq(n, 3);
	ck_assert_uint_eq(trace_part_bytes(file, "events.2"), 5000000);
	ck_assert_uint_lt(trace_part_bytes(file, "files/abc"), 3000001);
}
END_TEST

START_TEST(a_directory_is_the_same)
{
	char dir[] = "/tmp/test_pack.XXXXXX", path[64];
	struct trace_part p;
	int fd, out, n = 0;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	out = openat(fd, "events.1", O_WRONLY | O_CREAT, 0600);
	ck_assert_int_eq(write(out, "12345", 5), 5);
	close(out);
	ck_assert_int_eq(symlinkat("events.1", fd, "link"), 0);
	ck_assert_int_eq(trace_part_open(fd, "events.1", &p), 0);
	ck_assert(p.whole && p.size == 5 && p.at == 0);
	trace_part_close(&p);
	ck_assert_int_eq(trace_part_open(fd, "link", &p), -ELOOP);
	ck_assert_int_eq(trace_part_open(fd, ".", &p), -EINVAL);
	ck_assert_int_eq(trace_part_open(fd, "none", &p), -ENOENT);
	ck_assert_int_eq(trace_parts_each(fd, count, &n), 0);
	ck_assert_int_eq(n, 2);
	ck_assert(!trace_is_packed(fd) && !pack_is(fd));
	unlinkat(fd, "events.1", 0);
	unlinkat(fd, "link", 0);
	close(fd);
	snprintf(path, sizeof(path), "%s", dir);
	rmdir(path);
}
END_TEST

static int open_it(void)
{
	const char *why;

	pack_close(pack);
	pack = NULL;
	return pack_open(file, &pack, &why);
}

static void flip(off_t at)
{
	unsigned char c;

	ck_assert_int_eq(pread(file, &c, 1, at), 1);
	c ^= 16;
	ck_assert_int_eq(pwrite(file, &c, 1, at), 1);
}

START_TEST(damage_is_found)
{
	const struct pack_part *part;
	struct pack_head h;
	struct stat st;

	make();
	ck_assert_int_eq(pread(file, &h, sizeof(h), 0), sizeof(h));
	ck_assert_int_eq(fstat(file, &st), 0);
	for (off_t at = 8; at < (off_t)sizeof(h); at++) {
		flip(at);
		ck_assert_int_lt(open_it(), 0);
		flip(at);
	}
	for (off_t at = (off_t)h.index_at; at < st.st_size; at += 7) {
		flip(at);
		ck_assert_int_eq(open_it(), -EBADMSG);
		flip(at);
	}
	ck_assert_int_eq(open_it(), 0);
	part = pack_find(pack, "files/abc");
	ck_assert_int_eq(pack_check(file, part), 0);
	flip((off_t)(part->at + part->stored / 2));
	ck_assert_int_eq(pack_check(file, part), -EBADMSG);
	ck_assert_int_eq(pack_extract(file, part), -EBADMSG);
	part = pack_find(pack, "events.2");
	flip((off_t)part->at + 4000000);
	ck_assert_int_eq(pack_check(file, part), -EBADMSG);
	ck_assert_int_eq(ftruncate(file, st.st_size - 1), 0);
	ck_assert_int_eq(open_it(), -EBADMSG);
	ck_assert_int_eq(ftruncate(file, 20), 0);
	ck_assert_int_eq(open_it(), -EBADMSG);
}
END_TEST

START_TEST(newer_formats_are_named)
{
	uint32_t format = PACK_FORMAT + 1;

	make();
	ck_assert_int_eq(pwrite(file, &format, sizeof(format), offsetof(struct pack_head, format)), sizeof(format));
	ck_assert_int_eq(open_it(), -EPROTO);
}
END_TEST

START_TEST(unfinished_is_no_pack)
{
	struct pack_writer *w;

	ck_assert_int_eq(pack_writer_create(file, &w), 0);
	add(w, "manifest", 300, true);
	pack_writer_abandon(w);
	ck_assert(!pack_is(file));
	ck_assert_int_eq(open_it(), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pack");
	TCase *t = tcase_create("pack");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, what_goes_in_comes_out);
	tcase_add_test(t, a_directory_is_the_same);
	tcase_add_test(t, damage_is_found);
	tcase_add_test(t, newer_formats_are_named);
	tcase_add_test(t, unfinished_is_no_pack);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
