/* Differences of sequences: known ones, and random ones against the textbook's quadratic method. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/align.h"
#include "tests/unit/unit.h"

static uint64_t state = 1;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* The runs must leave the same elements on both sides, in order; returns how many are in runs. */
static size_t check_runs(const uint64_t *a, size_t na, const uint64_t *b, size_t nb)
{
	struct align_run *r;
	size_t n, i = 0, k = 0, edits = 0;

	ck_assert_int_eq(align(a, na, b, nb, &r, &n), 0);
	for (size_t at = 0; at < n; at++) {
		ck_assert(r[at].na || r[at].nb);
		for (; i < r[at].a; i++, k++)
			ck_assert(k < r[at].b && a[i] == b[k]);
		ck_assert_uint_eq(k, r[at].b);
		i += r[at].na;
		k += r[at].nb;
		edits += r[at].na + r[at].nb;
	}
	for (; i < na && k < nb; i++, k++)
		ck_assert(a[i] == b[k]);
	ck_assert(i == na && k == nb);
	free(r);
	return edits;
}

static size_t shortest(const uint64_t *a, size_t na, const uint64_t *b, size_t nb)
{
	size_t *row = calloc(nb + 1, sizeof(*row)), result;

	for (size_t i = 0; i < na; i++) {
		size_t diagonal = 0;

		for (size_t k = 0; k < nb; k++) {
			size_t up = row[k + 1];

			row[k + 1] = a[i] == b[k] ? diagonal + 1 : up > row[k] ? up : row[k];
			diagonal = up;
		}
	}
	result = na + nb - 2 * row[nb];
	free(row);
	return result;
}

static size_t of_text(const char *x, const char *y)
{
	uint64_t a[64], b[64];

	for (size_t i = 0; x[i]; i++)
		a[i] = (unsigned char)x[i];
	for (size_t i = 0; y[i]; i++)
		b[i] = (unsigned char)y[i];
	return check_runs(a, strlen(x), b, strlen(y));
}

START_TEST(known)
{
	ck_assert_uint_eq(of_text("", ""), 0);
	ck_assert_uint_eq(of_text("abc", "abc"), 0);
	ck_assert_uint_eq(of_text("", "abc"), 3);
	ck_assert_uint_eq(of_text("abc", ""), 3);
	ck_assert_uint_eq(of_text("abc", "xyz"), 6);
	ck_assert_uint_eq(of_text("abcabba", "cbabac"), 5);
	ck_assert_uint_eq(of_text("openreadclose", "openreadreadclose"), 4);
	ck_assert_uint_eq(of_text("a", "b"), 2);
	ck_assert_uint_eq(of_text("ab", "b"), 1);
	ck_assert_uint_eq(of_text("ab", "a"), 1);
	ck_assert_uint_eq(of_text("ab", "ba"), 2);
}
END_TEST

START_TEST(one_run_for_a_replacement)
{
	uint64_t a[] = { 1, 2, 3, 4 }, b[] = { 1, 9, 8, 4 };
	struct align_run *r;
	size_t n;

	ck_assert_int_eq(align(a, 4, b, 4, &r, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert(r->a == 1 && r->na == 2 && r->b == 1 && r->nb == 2);
	free(r);
}
END_TEST

START_TEST(random_is_shortest)
{
	uint64_t a[80], b[80];

	for (int round = 0; round < 20000; round++) {
		size_t na = next() % 80, nb = next() % 80;
		uint64_t letters = 1 + next() % 12;

		for (size_t i = 0; i < na; i++)
			a[i] = next() % letters;
		for (size_t i = 0; i < nb; i++)
			b[i] = round % 2 && i < na ? a[i] : next() % letters;
		ck_assert_uint_eq(check_runs(a, na, b, nb), shortest(a, na, b, nb));
	}
}
END_TEST

/* Nothing in common, and much: the limit on rounds has to end both, with a right result. */
START_TEST(large)
{
	size_t n = 30000;
	uint64_t *a = calloc(n, sizeof(*a)), *b = calloc(n, sizeof(*b));

	for (size_t i = 0; i < n; i++) {
		a[i] = i;
		b[i] = n + i;
	}
	ck_assert_uint_eq(check_runs(a, n, b, n), 2 * n);
	for (size_t i = 0; i < n; i++) {
		a[i] = next() % 50;
		b[i] = next() % 50;
	}
	check_runs(a, n, b, n);
	memcpy(b, a, n * sizeof(*a));
	b[10] = b[20000] = 999;
	ck_assert_uint_eq(check_runs(a, n, b, n - 1), 5);
	free(a);
	free(b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("align");
	TCase *c = tcase_create("align");

	tcase_set_timeout(c, 120);
	tcase_add_test(c, known);
	tcase_add_test(c, one_run_for_a_replacement);
	tcase_add_test(c, random_is_shortest);
	tcase_add_test(c, large);
	suite_add_tcase(suite, c);
	return unit_run(suite);
}
