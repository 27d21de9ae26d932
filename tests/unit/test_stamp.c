/* Time stamps from the counter: as the clock says, never backwards, and what makes it be asked again. */
#include <string.h>
#include <time.h>

#include "tests/unit/unit.h"
#include "trace/stamp.h"

#define MS 1000000ULL

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* A counter of two ticks in a nanosecond. */
static struct stamp measured(void)
{
	struct stamp s = { 0 };

	stamp_anchor(&s, 500 * MS, 1000 * MS, 3);
	stamp_anchor(&s, 520 * MS, 1040 * MS, 3);
	return s;
}

START_TEST(scales)
{
	struct stamp s = measured();
	uint64_t ns = 0;

	ck_assert(stamp_scaled(&s, 1040 * MS, 3, &ns));
	ck_assert_uint_eq(ns, 520 * MS);
	ck_assert(stamp_scaled(&s, 1040 * MS + 1000, 3, &ns));
	ck_assert_uint_eq(ns, 520 * MS + 500);
}
END_TEST

START_TEST(asks_again)
{
	struct stamp s = { 0 };
	uint64_t ns;

	ck_assert(!stamp_scaled(&s, 0, 0, &ns));
	stamp_anchor(&s, 500 * MS, 1000 * MS, 3);
	ck_assert(!stamp_scaled(&s, 1000 * MS + 10, 3, &ns));
	/* Too soon for a rate. */
	stamp_anchor(&s, 501 * MS, 1002 * MS, 3);
	ck_assert(!stamp_scaled(&s, 1002 * MS + 10, 3, &ns));
	s = measured();
	ck_assert(!stamp_scaled(&s, 1040 * MS + 10, 4, &ns));    /* another processor */
	ck_assert(!stamp_scaled(&s, 1040 * MS - 10, 3, &ns));    /* the counter was set back */
	ck_assert(!stamp_scaled(&s, 1040 * MS + 2 * MS, 3, &ns)); /* a millisecond later */
	ck_assert(!stamp_scaled(&s, 1040 * MS + (1ULL << 60), 3, &ns));
}
END_TEST

START_TEST(another_processor)
{
	struct stamp s = measured();
	uint64_t ns;

	stamp_anchor(&s, 530 * MS, 77, 5);
	ck_assert(stamp_scaled(&s, 77 + 200, 5, &ns));
	ck_assert_uint_eq(ns, 530 * MS + 100);
	ck_assert(!stamp_scaled(&s, 1040 * MS, 3, &ns));
}
END_TEST

/* The machine has slept, or moved to another one: the rate that was known is nothing worth. */
START_TEST(another_rate)
{
	struct stamp s = measured();
	uint64_t ns;

	stamp_anchor(&s, 540 * MS, 1120 * MS, 3);
	ck_assert(!stamp_scaled(&s, 1120 * MS + 10, 3, &ns));
	stamp_anchor(&s, 550 * MS, 1160 * MS, 3);
	ck_assert(stamp_scaled(&s, 1160 * MS + 400, 3, &ns));
	ck_assert_uint_eq(ns, 550 * MS + 100);
}
END_TEST

static void as_the_clock(bool counter)
{
	struct stamp s = { 0 };
	uint64_t begin = now(), last = 0;

	do {
		uint64_t before = now(), ns = stamp_now(&s, counter), after = now();

		ck_assert_uint_ge(ns, last);
		ck_assert_msg(ns <= after + 20000, "%lu ns ahead", ns - after);
		ck_assert_msg(ns + MS >= before, "%lu ns behind", before - ns);
		last = ns;
	} while (last < begin + 60 * MS);
}

START_TEST(with_the_counter)
{
	as_the_clock(true);
}
END_TEST

START_TEST(without_the_counter)
{
	as_the_clock(false);
}
END_TEST

START_TEST(never_backwards)
{
	struct stamp s = { .last_ns = now() + 1000000000000 };

	ck_assert_uint_eq(stamp_now(&s, true), s.last_ns);
	ck_assert_uint_eq(stamp_now(&s, false), s.last_ns);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stamp");
	TCase *tc = tcase_create("stamp");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, scales);
	tcase_add_test(tc, asks_again);
	tcase_add_test(tc, another_processor);
	tcase_add_test(tc, another_rate);
	tcase_add_test(tc, with_the_counter);
	tcase_add_test(tc, without_the_counter);
	tcase_add_test(tc, never_backwards);
	suite_add_tcase(s, tc);
	return unit_run(s);
}
