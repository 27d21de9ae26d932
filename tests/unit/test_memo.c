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

/* "Nothing of interest in this part of the file": by which file it is, so never for one that may change unseen. */
START_TEST(clean_text)
{
	int fd = open("/bin/sh", O_RDONLY), fresh = memfd_create("fresh", 0);

	ck_assert(fd >= 0 && fresh >= 0);
	ck_assert_int_eq(ftruncate(fresh, 8192), 0);
	text_cache_found_clean(fd, 0, 4096, 1); /* there is nowhere to put it yet */
	text_cache_share(m);
	ck_assert(!text_cache_clean(fd, 0, 4096, 1));
	text_cache_found_clean(fd, 0, 4096, 1);
	ck_assert(text_cache_clean(fd, 0, 4096, 1));
	ck_assert(!text_cache_clean(fd, 4096, 4096, 1));
	ck_assert(!text_cache_clean(fd, 0, 8192, 1));
	ck_assert(!text_cache_clean(fd, 0, 4096, 3));
	ck_assert(!text_cache_clean(-1, 0, 4096, 1));
	text_cache_found_clean(fresh, 0, 4096, 1);
	ck_assert(!text_cache_clean(fresh, 0, 4096, 1));
	text_cache_share(NULL);
	close(fd);
	close(fresh);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("memo");
	TCase *t = tcase_create("memo");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, clean_text);
	tcase_add_test(t, put_and_get);
	tcase_add_test(t, many_writers);
	suite_add_tcase(s, t);
	return unit_run(s);
}
