/*
 * What `sandrec test` says: TAP on the standard output as the results come in, in order, and a JUnit file at the end.
 */
#ifndef SANDREC_CLI_TEST_REPORT_H
#define SANDREC_CLI_TEST_REPORT_H

#include <stdbool.h>
#include <stddef.h>

enum test_verdict { TEST_PENDING, TEST_PASSED, TEST_FAILED };

struct test_case {
	char *name;              /* of the recording, as the user gave it */
	enum test_verdict verdict;
	char *why;               /* one line when it failed */
	char *said;              /* what the replay printed about it; may be NULL */
	double seconds;
};

void test_report_plan(size_t n);
/* All that is known in a row from *shown on; moves it on. */
void test_report_tap(const struct test_case *t, size_t n, size_t *shown);
void test_report_summary(const struct test_case *t, size_t n, double seconds);

/* 0 or a negative errno. */
int test_report_junit(const char *path, const struct test_case *t, size_t n, double seconds);

#endif
