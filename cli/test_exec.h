/*
 * `test --exec`: a changed program in the world of a recording, and what it did differently.
 */
#ifndef SANDREC_TEST_EXEC_H
#define SANDREC_TEST_EXEC_H

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses of test_exec(). */
enum { TEST_EXEC_SAME = 0, TEST_EXEC_DIFFERENT = 1, TEST_EXEC_IMPOSSIBLE = 2 };

/*
 * In a child process, which ends with it: runs program with the answers of trace, recorded as made, and compares the two.
 * What there is to say goes to descriptor said.
 */
_Noreturn void test_exec(const char *program, const char *trace, const char *made, int said);

/* The new recording becomes the expected one. 0 or a negative errno. */
int test_exec_update(const char *trace, const char *made);

#endif
