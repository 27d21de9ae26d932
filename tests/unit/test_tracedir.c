/* Trace directories: names, the latest link, look-up, listing, and removal that never leaves the directory. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "trace/manifest.h"
#include "trace/tracedir.h"

static char top[] = "/tmp/sandrec-dir-XXXXXX";
static char root[200], path[PATH_MAX], why[300];

static void setup(void)
{
	strcpy(top + strlen(top) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	snprintf(root, sizeof(root), "%s/a/b", top);
	setenv("SANDREC_TRACE_DIR", root, 1);
	ck_assert_int_eq(chdir(top), 0);
}

static void teardown(void)
{
	char command[400];

	ck_assert_int_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	ck_assert_int_eq(system(command), 0);
}

static void create(const char *want, const char *prog, const char *expected)
{
	static struct manifest m = { .format = TRACE_FORMAT };
	int fd = tracedir_create(want, prog, path, sizeof(path));
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(fstatat(fd, TRACE_FILES_DIR, &st, 0), 0);
	ck_assert_int_eq(manifest_write(fd, &m), 0);
	close(fd);
	if (expected)
		ck_assert_str_eq(strrchr(path, '/') + 1, expected);
}

static int opens(const char *name, const char *expected)
{
	int fd = tracedir_open(name, path, sizeof(path));

	if (fd < 0)
		return fd;
	close(fd);
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, expected) ? 1 : 0;
}

START_TEST(root_rules)
{
	char buf[100];

	ck_assert_int_eq(tracedir_root(buf, sizeof(buf), 0), 0);
	ck_assert_str_eq(buf, root);
	ck_assert_int_ne(access(buf, F_OK), 0);
	ck_assert_int_eq(tracedir_root(buf, 5, 0), -ENAMETOOLONG);
	unsetenv("SANDREC_TRACE_DIR");
	setenv("XDG_DATA_HOME", "/x", 1);
	setenv("HOME", "/h", 1);
	ck_assert_int_eq(tracedir_root(buf, sizeof(buf), 0), 0);
	ck_assert_str_eq(buf, "/x/sandrec");
	setenv("XDG_DATA_HOME", "relative", 1);
	ck_assert_int_eq(tracedir_root(buf, sizeof(buf), 0), 0);
	ck_assert_str_eq(buf, "/h/.local/share/sandrec");
	unsetenv("XDG_DATA_HOME");
	unsetenv("HOME");
	ck_assert_int_eq(tracedir_root(buf, sizeof(buf), 0), -ENOENT);
}
END_TEST

START_TEST(names)
{
	struct stat st;

	create(NULL, "/bin/ls", "ls-1");
	ck_assert_int_eq(stat(root, &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0700);
	create(NULL, "ls", "ls-2");
	create(NULL, "ls-2", "ls-2-1");
	create(NULL, "..", "_.-1");
	create(NULL, "a\nb", "a_b-1");
	create(NULL, "dir/", "_-1");
	ck_assert_int_eq(opens(NULL, "_-1"), 0);
	ck_assert_int_eq(opens("ls-1", "ls-1"), 0);
	ck_assert_int_eq(opens("ls-3", ""), -ENOENT);
	ck_assert_int_eq(opens("./ls-1", ""), -ENOENT);
	char long_name[1000];

	memset(long_name, 'x', sizeof(long_name));
	long_name[999] = 0;
	create(NULL, long_name, NULL);
}
END_TEST

START_TEST(wanted_directory)
{
	char target[PATH_MAX], expected[PATH_MAX];

	create("mine", "ls", NULL);
	ck_assert_str_eq(path, "mine");
	ck_assert_int_eq(opens(NULL, "mine"), 0);
	ck_assert_int_eq(opens("mine", "mine"), 0);
	ck_assert_int_eq(tracedir_create("mine", "ls", path, sizeof(path)), -EEXIST);
	ck_assert_int_eq(mkdir("empty", 0755), 0);
	create("empty", "ls", NULL);
	ck_assert_int_eq(tracedir_create("no/such", "ls", path, sizeof(path)), -ENOENT);

	/* Found from another directory. */
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(opens(NULL, "empty"), 0);
	snprintf(expected, sizeof(expected), "%s/latest-trace", root);
	ssize_t n = readlink(expected, target, sizeof(target) - 1);

	ck_assert_int_gt(n, 0);
	target[n] = 0;
	snprintf(expected, sizeof(expected), "%s/empty", top);
	ck_assert_str_eq(target, expected);
}
END_TEST

static char seen[1000];

static int note(const char *p, const char *name, void *arg)
{
	ck_assert_int_eq(access(p, F_OK), 0);
	strcat(strcat(seen, name), " ");
	return arg && !strcmp(arg, name) ? 7 : 0;
}

START_TEST(listing)
{
	ck_assert_int_eq(tracedir_each(note, NULL), 0);
	for (int i = 0; i < 11; i++)
		create(NULL, "p", NULL);
	create(NULL, "a", NULL);
	snprintf(path, sizeof(path), "%s/not-a-trace", root);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/stream-only", root);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	strcat(path, "/events.12");
	close(open(path, O_CREAT | O_WRONLY, 0600));
	seen[0] = 0;
	ck_assert_int_eq(tracedir_each(note, NULL), 0);
	ck_assert_str_eq(seen, "a-1 p-1 p-2 p-3 p-4 p-5 p-6 p-7 p-8 p-9 p-10 p-11 stream-only ");
	seen[0] = 0;
	ck_assert_int_eq(tracedir_each(note, "p-2"), 7);
	ck_assert_str_eq(seen, "a-1 p-1 p-2 ");
}
END_TEST

START_TEST(removal)
{
	char outside[300], link[600], trace[PATH_MAX];

	snprintf(outside, sizeof(outside), "%s/outside", top);
	ck_assert_int_eq(mkdir(outside, 0700), 0);
	snprintf(link, sizeof(link), "%s/keep", outside);
	close(open(link, O_CREAT | O_WRONLY, 0600));

	create(NULL, "p", "p-1");
	strcpy(trace, path);
	snprintf(link, sizeof(link), "%s/files/link", trace);
	ck_assert_int_eq(symlink(outside, link), 0);
	snprintf(link, sizeof(link), "%s/ring.1", trace);
	ck_assert_int_eq(symlink("../../../outside/keep", link), 0);

	ck_assert_int_lt(tracedir_remove("latest-trace", why, sizeof(why)), 0);
	ck_assert_int_eq(tracedir_remove(outside, why, sizeof(why)), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "not a trace"));
	ck_assert_int_eq(tracedir_remove("p-7", why, sizeof(why)), -ENOENT);
	ck_assert_int_eq(tracedir_remove("", why, sizeof(why)), -EINVAL);
	ck_assert_int_eq(tracedir_remove(NULL, why, sizeof(why)), -EINVAL);
	snprintf(link, sizeof(link), "%s/alias", top);
	ck_assert_int_eq(symlink(trace, link), 0);
	strcat(link, "/");
	ck_assert_int_lt(tracedir_remove(link, why, sizeof(why)), 0);

	ck_assert_int_eq(tracedir_remove("p-1", why, sizeof(why)), 0);
	ck_assert_int_ne(access(trace, F_OK), 0);
	snprintf(link, sizeof(link), "%s/keep", outside);
	ck_assert_int_eq(access(link, F_OK), 0);
	/* The latest link went with it. */
	ck_assert_int_eq(opens(NULL, ""), -ENOENT);
	snprintf(link, sizeof(link), "%s/latest-trace", root);
	ck_assert_int_eq(readlink(link, trace, sizeof(trace)), -1);
}
END_TEST

START_TEST(created_at_once)
{
	int status;

	for (int i = 0; i < 6; i++) {
		if (fork())
			continue;
		for (int k = 0; k < 10; k++) {
			int fd = tracedir_create(NULL, "p", path, sizeof(path));

			if (fd < 0)
				_exit(1);
			close(fd);
		}
		_exit(0);
	}
	for (int i = 0; i < 6; i++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	create(NULL, "p", "p-61");
	ck_assert_int_eq(opens(NULL, "p-61"), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tracedir");
	TCase *t = tcase_create("tracedir");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, root_rules);
	tcase_add_test(t, names);
	tcase_add_test(t, wanted_directory);
	tcase_add_test(t, listing);
	tcase_add_test(t, removal);
	tcase_add_test(t, created_at_once);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
