/* The texts of /proc/self: which file an opened object is, and what is exchanged in it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/procfs.h"
#include "tests/unit/unit.h"

static const struct { const char *path; enum proc_entry entry; long pid, number; } paths[] = {
	{ "/proc/12/maps", PROC_MAPS, 12, -1 },
	{ "/proc/12/task/34/smaps", PROC_SMAPS, 12, -1 },
	{ "/srv/jail/proc/7/status", PROC_STATUS, 7, -1 },
	{ "(unreachable)/proc/7/stat", PROC_STAT, 7, -1 },
	{ "/7/cmdline", PROC_CMDLINE, 7, -1 },
	{ "/proc/12/fd", PROC_FD_DIR, 12, -1 },
	{ "/proc/12/task/13/fdinfo", PROC_FDINFO_DIR, 12, -1 },
	{ "/proc/12/fdinfo/65537", PROC_FDINFO, 12, 65537 },
	{ "/proc/12/mem", PROC_MEM, 12, -1 },
	{ "/proc/12/fd/3", PROC_OTHER, 0, 0 },
	{ "/proc/stat", PROC_OTHER, 0, 0 },
	{ "/proc/self/maps", PROC_OTHER, 0, 0 },
	{ "/proc/net/stat", PROC_OTHER, 0, 0 },
	{ "/proc/12/net/stat", PROC_OTHER, 0, 0 },
	{ "/proc/12/task", PROC_TASK_DIR, 12, -1 },
	{ "/proc/12/task/13", PROC_OTHER, 0, 0 },
	{ "/proc/99999999999999999999/maps", PROC_OTHER, 0, 0 },
	{ "/proc/12/maps (deleted)", PROC_OTHER, 0, 0 },
	{ "maps", PROC_OTHER, 0, 0 },
	{ "", PROC_OTHER, 0, 0 },
};

START_TEST(test_parse)
{
	long pid = -5, number = -5;

	ck_assert_int_eq(proc_entry_parse(paths[_i].path, &pid, &number), paths[_i].entry);
	if (paths[_i].entry == PROC_OTHER)
		return;
	ck_assert_int_eq(pid, paths[_i].pid);
	ck_assert_int_eq(number, paths[_i].number);
}
END_TEST

START_TEST(test_parse_long)
{
	char path[2 * PATH_MAX];
	long pid, number;

	memset(path, 'a', sizeof(path));
	strcpy(path + sizeof(path) - 9, "/12/maps");
	ck_assert_int_eq(proc_entry_parse(path, &pid, &number), PROC_OTHER);
}
END_TEST

static char *text;
static size_t len;

static FILE *begin(void)
{
	free(text);
	text = NULL;
	return open_memstream(&text, &len);
}

START_TEST(test_status)
{
	const struct proc_view v = { .size = 8 << 20, .data = 12 << 10, .sigblk = 1ULL << 63, .sigcgt = 0x10, .fdsize = 64,
		.threads = 3 };
	FILE *f = begin();

	proc_patch_status(f, "Name:\tVmSize:\nFDSize:\t131072\nVmSize:\t  999999 kB\nVmRSS:\t     100 kB\n"
			  "VmData:\t 7 kB\nThreads:\t4\nSigBlk:\t0000000000000000\nSigCgt:\tffffffffffffffff\nSeccomp:\t0\n", &v);
	fclose(f);
	ck_assert_str_eq(text, "Name:\tVmSize:\nFDSize:\t64\nVmSize:\t    8192 kB\nVmRSS:\t     100 kB\n"
			 "VmData:\t      12 kB\nThreads:\t3\nSigBlk:\t8000000000000000\nSigCgt:\t0000000000000010\nSeccomp:\t0\n");
}
END_TEST

START_TEST(test_stat)
{
	const struct proc_view v = { .threads = 20, .size = 23, .start_code = 26, .end_code = 27, .start_stack = 28, .sigblk = ~0ULL,
		.sigign = 33, .sigcgt = 34, .start_data = 45, .end_data = 46, .start_brk = 47, .arg_start = 48,
		.arg_end = 49, .env_start = 50, .env_end = 51 };
	char in[1024] = "77 (a) b) 1 2 3) S", *at = in + strlen(in);
	FILE *f = begin();

	for (int i = 4; i <= 52; i++)
		at += sprintf(at, " -%d", i);
	strcpy(at, "\n");
	proc_patch_stat(f, in, &v);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "77 (a) b) 1 2 3) S -4 -5 "));
	ck_assert_ptr_nonnull(strstr(text, " -19 20 -21 -22 23 -24 -25 26 27 28 -29 -30 -31 2147483647 33 34 -35 "));
	ck_assert_ptr_nonnull(strstr(text, " -44 45 46 47 48 49 50 51 -52\n"));
}
END_TEST

START_TEST(test_stat_odd)
{
	const struct proc_view v = { .size = 5 };
	FILE *f = begin();

	proc_patch_stat(f, "no name", &v);
	proc_patch_stat(f, "1 (x)", &v);
	fclose(f);
	ck_assert_str_eq(text, "no name1 (x)");
}
END_TEST

START_TEST(test_limits)
{
	static const char in[] =
		"Limit                     Soft Limit           Hard Limit           Units     \n"
		"Max data size             unlimited            unlimited            bytes     \n"
		"Max open files            1024                 4096                 files     \n"
		"Max address space         999                  unlimited            bytes     \n";
	struct fdtable *t = calloc(1, sizeof(*t));
	FILE *f = begin();

	proc_patch_limits(f, in, t);
	fclose(f);
	ck_assert_str_eq(text, in);
	t->limit[RLIMIT_AS].set = true;
	t->limit[RLIMIT_AS].guest = (struct rlimit){ 5000, RLIM_INFINITY };
	f = begin();
	proc_patch_limits(f, in, t);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "Max open files            1024                 4096                 files     \n"
				     "Max address space         5000                 unlimited            bytes     \n"));
	ck_assert_ptr_null(strstr(text, "999"));
	free(t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("procfs");
	TCase *c = tcase_create("texts");

	tcase_add_loop_test(c, test_parse, 0, sizeof(paths) / sizeof(paths[0]));
	tcase_add_test(c, test_parse_long);
	tcase_add_test(c, test_status);
	tcase_add_test(c, test_stat);
	tcase_add_test(c, test_stat_odd);
	tcase_add_test(c, test_limits);
	suite_add_tcase(s, c);
	return unit_run(s);
}
