/* Announcing writes to other processes: who is told what, and what happens to announcements that nobody takes. */
#include <check.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/poke.h"
#include "tests/unit/unit.h"

static struct tree_pokes *pokes;
static unsigned taken;
static uint64_t first_addr, bytes;

static void setup(void)
{
	pokes = mmap(NULL, sizeof(*pokes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(pokes, MAP_FAILED);
	taken = 0;
	bytes = 0;
}

static void piece(void *arg, uint64_t addr, uint64_t len)
{
	(void)arg;
	if (!taken++)
		first_addr = addr;
	bytes += len;
}

START_TEST(test_told)
{
	uint32_t seen = 0;

	ck_assert(!poke_news(pokes, &seen));
	poke_begin(pokes, getpid() + 1, 0x1000, 8);
	ck_assert(!poke_news(pokes, &seen));
	ck_assert_uint_eq(seen, 1);
	poke_begin(pokes, getpid(), 0x2000, 16);
	poke_begin(pokes, getpid(), 0x3000, 0); /* nothing */
	poke_end(pokes);
	ck_assert(poke_news(pokes, &seen));
	poke_take(pokes, piece, NULL);
	ck_assert_uint_eq(taken, 1);
	ck_assert_uint_eq(first_addr, 0x2000);
	ck_assert_uint_eq(bytes, 16);
	ck_assert(!poke_news(pokes, &seen));
}
END_TEST

/* Writes to processes that are not recorded do not fill the table for good. */
START_TEST(test_many)
{
	uint32_t seen = 0;

	for (unsigned i = 0; i < 3 * TREE_POKES; i++) {
		poke_begin(pokes, getpid() + 1, i, 1);
		poke_end(pokes);
	}
	poke_begin(pokes, getpid(), 0x5000, 5);
	poke_end(pokes);
	ck_assert(poke_news(pokes, &seen));
	poke_take(pokes, piece, NULL);
	ck_assert_uint_eq(taken, 1);
	ck_assert_uint_eq(first_addr, 0x5000);
}
END_TEST

/* One under way is waited for; not for a writer that is gone. */
START_TEST(test_under_way)
{
	pid_t self = getpid(), pid = fork();
	int status;

	if (pid == 0) {
		poke_begin(pokes, self, 0x1000, 1);
		usleep(50000);
		pokes->poke[0].addr = 0x1111;
		poke_end(pokes);
		poke_begin(pokes, self, 0x2000, 1);
		_exit(0);
	}
	while (!__atomic_load_n(&pokes->n, __ATOMIC_SEQ_CST))
		usleep(100);
	poke_take(pokes, piece, NULL);
	ck_assert_uint_eq(first_addr, 0x1111);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	poke_take(pokes, piece, NULL);
	ck_assert_uint_eq(taken, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("poke");
	TCase *c = tcase_create("poke");

	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, test_told);
	tcase_add_test(c, test_many);
	tcase_add_test(c, test_under_way);
	suite_add_tcase(s, c);
	return unit_run(s);
}
