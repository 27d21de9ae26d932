/* Whether a processor is idle, from what /proc says. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "syscall-emu/processors.h"
#include "tests/unit/unit.h"

static char dir[] = "/tmp/sandrec-processors.XXXXXX";
static int proc = -1;

static void make_proc(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	proc = open(dir, O_PATH | O_DIRECTORY);
	ck_assert_int_ge(proc, 0);
}

static void remove_proc(void)
{
	unlinkat(proc, "loadavg", 0);
	close(proc);
	rmdir(dir);
}

static bool idle_when(const char *loadavg)
{
	int fd = openat(proc, "loadavg", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	dprintf(fd, "%s", loadavg);
	close(fd);
	return processors_idle(proc);
}

START_TEST(by_who_runs_now)
{
	int n = get_nprocs();
	char text[64];

	snprintf(text, sizeof(text), "99.00 99.00 99.00 %d/500 1234\n", n);
	ck_assert(!idle_when(text)); /* us and as many others as there are other processors */
	snprintf(text, sizeof(text), "0.00 0.00 0.00 %d/500 1234\n", n + 5);
	ck_assert(!idle_when(text));
	if (n > 1) {
		snprintf(text, sizeof(text), "99.00 99.00 99.00 %d/500 1234\n", n - 1);
		ck_assert(idle_when(text));
	}
}
END_TEST

/* What it says then is the machine's load, which may cross the line, but not to and fro: none of these was believed. */
START_TEST(by_the_last_minute)
{
	static const char *const useless[] = { "", "\n", "1 2 3", "1 2 3 x/4 5", "1 2 3 0/4 5", "1 2 3 -7/4 5" };
	bool before = processors_idle(proc); /* no file */
	unsigned changes = 0;

	for (size_t i = 0; i < sizeof(useless) / sizeof(useless[0]); i++) {
		bool now = idle_when(useless[i]);

		changes += now != before;
		before = now;
	}
	ck_assert_uint_le(changes, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("processors");
	TCase *c = tcase_create("processors");

	tcase_add_checked_fixture(c, make_proc, remove_proc);
	tcase_add_test(c, by_who_runs_now);
	tcase_add_test(c, by_the_last_minute);
	suite_add_tcase(suite, c);
	return unit_run(suite);
}
