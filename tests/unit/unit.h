/* What every program of Check tests ends with. Check prints TAP when the Makefile asks for it (CK_TAP_LOG_FILE_NAME). */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <check.h>

/* Runs the suite; the value is main()'s. */
static inline int unit_run(Suite *s)
{
	SRunner *r = srunner_create(s);
	int failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

#endif
