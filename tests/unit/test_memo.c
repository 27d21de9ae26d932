/* The table that processes share: what is put in comes out whole or not at all. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "syscall-emu/text_cache.h"
#include "tests/unit/unit.h"
#include "vmm/memo.h"

static struct memo *m;

static void setup(void)
{
	m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(m, MAP_FAILED);
}

static void teardown(void)
{
	munmap(m, sizeof(*m));
}

START_TEST(put_and_get)
{
	static unsigned char big[MEMO_BYTES + 1], got[MEMO_BYTES];
	const uint64_t key[2] = { 5, 6 }, other[2] = { 5, 7 }, rival[2] = { 5 + MEMO_SLOTS, 6 }, none[2] = { 0, 0 };

	memset(big, 7, sizeof(big));
	ck_assert_uint_eq(memo_get(m, key, got), 0);
	ck_assert_uint_eq(memo_get(m, none, got), 0);
	memo_put(m, key, "hello", 5);
	ck_assert_uint_eq(memo_get(m, key, got), 5);
	ck_assert_int_eq(memcmp(got, "hello", 5), 0);
	ck_assert_uint_eq(memo_get(m, other, got), 0);
	memo_put(m, key, big, sizeof(big));
	ck_assert_uint_eq(memo_get(m, key, got), 5);
	memo_put(m, key, big, MEMO_BYTES);
	ck_assert_uint_eq(memo_get(m, key, got), MEMO_BYTES);
	ck_assert_int_eq(memcmp(got, big, MEMO_BYTES), 0);
	memo_put(m, rival, "x", 1);
	ck_assert_uint_eq(memo_get(m, key, got), 0);
	ck_assert_uint_eq(memo_get(m, rival, got), 1);
}
END_TEST

/* Writers of one slot, each of whose entries is one byte repeated, and killed at any moment. Where all take turns on one processor the
 * slot is in work for most of them: something is found only after a writer gave way between two entries. */
START_TEST(many_writers)
{
	static unsigned char bytes[MEMO_BYTES], got[MEMO_BYTES];
	const uint64_t key[2] = { 1, 1 };
	pid_t pid[3];
	size_t found = 0;

	for (int i = 0; i < 3; i++) {
		pid[i] = fork();
		ck_assert_int_ge(pid[i], 0);
		for (unsigned n = (unsigned)i; !pid[i]; n += 3) {
			memset(bytes, (int)n, sizeof(bytes));
			memo_put(m, key, bytes, 1 + n % MEMO_BYTES);
		}
	}
	for (int i = 0; i < 20000 || !found; i++) {
		size_t len = memo_get(m, key, got);

		for (size_t k = 1; k < len; k++)
			ck_assert_uint_eq(got[k], got[0]);
		found += len > 0;
	}
	for (int i = 0; i < 3; i++) {
		kill(pid[i], SIGKILL);
		ck_assert_int_eq(waitpid(pid[i], NULL, 0), pid[i]);
	}
	ck_assert_uint_gt(found, 0);
}
END_TEST

static bool known(const struct text_source *x)
{
	struct text_cache fresh = { 0 };
	const struct text_found *f = text_cache_known(&fresh, x);
	bool yes = f && f->len == 4096 && f->n == 0;

	text_cache_free(&fresh);
	return yes;
}

/* "Nothing of interest in this part of the file": by which file it is, so never for one that may change unseen. */
START_TEST(clean_text)
{
	int fd = open("/bin/sh", O_RDONLY), tmp = memfd_create("fresh", 0);
	struct text_source x = { .mapped = 4096, .len = 4096, .kinds = 1, .fd = fd }, y = x;
	struct text_cache c = { 0 };

	ck_assert(fd >= 0 && tmp >= 0);
	ck_assert_int_eq(ftruncate(tmp, 8192), 0);
	ck_assert_ptr_null(text_cache_known(&c, &x));
	text_cache_clean(&c, &x);
	ck_assert_ptr_nonnull(text_cache_known(&c, &x));
	ck_assert(!known(&x)); /* there was nowhere to put it for others */
	text_cache_share(m);
	text_cache_clean(&c, &x);
	ck_assert(known(&x));
	ck_assert(!known((y.offset = 4096, &y)));
	ck_assert(!known((y = x, y.mapped = 8192, &y)));
	ck_assert(!known((y = x, y.from = 16, &y)));
	ck_assert(!known((y = x, y.kinds = 3, &y)));
	ck_assert(!known((y = x, y.fd = -1, &y)));
	y = (struct text_source){ .mapped = 4096, .len = 4096, .kinds = 1, .fd = tmp };
	text_cache_clean(&c, &y);
	ck_assert(!known(&y));
	text_cache_share(NULL);
	text_cache_free(&c);
	close(fd);
	close(tmp);
}
END_TEST

/* Something was found: others take it without the bytes. */
START_TEST(found_text)
{
	static uint8_t code[4096] = { 0xb8, 0, 0, 0, 0, 0x0f, 0xa2, 0xc3 };
	int fd = open("/bin/sh", O_RDONLY);
	struct text_source x = { .code = code, .mapped = 8192, .len = sizeof(code), .kinds = TEXT_ALL, .fd = fd };
	struct text_cache a = { 0 }, b = { 0 };
	const struct text_found *f, *g;

	ck_assert_int_ge(fd, 0);
	text_cache_share(m);
	f = text_cache_scan(&a, &x);
	ck_assert_ptr_nonnull(f);
	x.code = NULL;
	g = text_cache_known(&b, &x);
	ck_assert_ptr_nonnull(g);
	ck_assert_uint_eq(g->len, sizeof(code));
	ck_assert_uint_eq(g->n + g->unproven, 1);
	ck_assert_uint_eq(g->n, f->n);
	ck_assert_uint_eq(g->unproven, f->unproven);
	text_cache_share(NULL);
	text_cache_free(&a);
	text_cache_free(&b);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("memo");
	TCase *t = tcase_create("memo");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, clean_text);
	tcase_add_test(t, found_text);
	tcase_add_test(t, put_and_get);
	tcase_add_test(t, many_writers);
	suite_add_tcase(s, t);
	return unit_run(s);
}
