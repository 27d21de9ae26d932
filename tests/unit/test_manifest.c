/* The manifest: strings of any bytes come back; damage is refused with a line that says what. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "trace/escape.h"
#include "trace/manifest.h"

static char dir[] = "/tmp/sandrec-manifest-XXXXXX";
static int dirfd_;
static char why[200];

static void setup(void)
{
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY);
}

static void teardown(void)
{
	unlinkat(dirfd_, MANIFEST_NAME, 0);
	close(dirfd_);
	ck_assert_int_eq(rmdir(dir), 0);
}

static char all_bytes[256];
static char *argv[] = { "prog", "", "back\\slash \\x41 \"quoted\"\n\t\x01\x7f", all_bytes,
			"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
			"\xed\xa0\x80\xc0\x80\xf5\x80\x80\x80\xe2\x82", NULL };
static char *envp[] = { NULL };

static struct manifest sample(void)
{
	static struct manifest_proc procs[] = {
		{ .number = 1, .pid = 100, .ppid = 99, .comm = "a\xff" "b", .ended = true, .status = 139, .events = 1234567890123 },
		{ .number = 7, .parent = 1, .pid = 100, .ppid = 100, .comm = NULL, .status = -1 },
	};
	struct manifest m = {
		.format = TRACE_FORMAT, .sandrec = "0.1", .host = "h", .kernel = "6.1", .cwd = "/tmp/\x80", .clock = "none",
		.argv = argv, .envp = envp, .start = { 1700000000, 999999999 }, .end = { -1, 0 }, .complete = true,
		.cut = "disk full", .nprocs = 2, .procs = procs,
		.cpu = { .xcr0 = 0x7, .xsave_size = 832, .patch = 5, .n = CPUID_MAX },
	};

	for (int i = 1; i < 256; i++)
		all_bytes[i - 1] = (char)i;
	for (uint32_t i = 0; i < CPUID_MAX; i++)
		m.cpu.e[i] = (struct kvm_cpuid_entry2){ .function = i * 0x01010101, .index = i, .flags = i & 1,
							.eax = ~i, .ebx = UINT32_MAX, .ecx = i << 24, .edx = 7 };
	return m;
}

START_TEST(round_trip)
{
	static struct manifest m, got;

	m = sample();
	ck_assert_int_eq(manifest_write(dirfd_, &m), 0);
	ck_assert_int_eq(manifest_write(dirfd_, &m), 0);
	ck_assert_msg(manifest_read(dirfd_, &got, why, sizeof(why)) == 0, "%s", why);
	ck_assert_int_eq(got.format, TRACE_FORMAT);
	ck_assert_str_eq(got.cwd, m.cwd);
	ck_assert_str_eq(got.cut, m.cut);
	for (int i = 0; argv[i]; i++)
		ck_assert_str_eq(got.argv[i], argv[i]);
	ck_assert_ptr_null(got.argv[sizeof(argv) / sizeof(argv[0]) - 1]);
	ck_assert_ptr_null(got.envp[0]);
	ck_assert_int_eq(got.start.tv_nsec, 999999999);
	ck_assert_int_eq(got.end.tv_sec, -1);
	ck_assert(got.complete);
	ck_assert_uint_eq(got.cpu.n, CPUID_MAX);
	ck_assert_mem_eq(got.cpu.e, m.cpu.e, sizeof(m.cpu.e));
	ck_assert_uint_eq(got.cpu.xcr0, 7);
	ck_assert_uint_eq(got.cpu.xsave_size, 832);
	ck_assert_uint_eq(got.cpu.patch, 5);
	ck_assert_uint_eq(got.nprocs, 2);
	ck_assert_str_eq(got.procs[0].comm, "a\xff" "b");
	ck_assert_uint_eq(got.procs[0].events, 1234567890123);
	ck_assert_ptr_null(got.procs[1].comm);
	ck_assert_int_eq(got.procs[1].status, -1);
	ck_assert_int_eq(got.procs[1].number, 7);
	ck_assert_int_eq(got.procs[1].parent, 1);
	manifest_free(&got);

	struct stat st;

	ck_assert_int_eq(fstatat(dirfd_, MANIFEST_NAME, &st, 0), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0600);
	/* No temporary file is left: teardown's rmdir would fail. */
}
END_TEST

START_TEST(escapes)
{
	char *e = escape_bytes("a\\b\xff\xc3\xa4"), *u = unescape_text(e);

	ck_assert_str_eq(e, "a\\\\b\\xff\xc3\xa4");
	ck_assert_str_eq(u, "a\\b\xff\xc3\xa4");
	free(e);
	free(u);
	const char *const bad[] = { "\\", "\\x", "\\x1", "\\xG0", "\\xFF", "\\n", "\\x00" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!unescape_text(bad[i]) && errno == EINVAL, "%s", bad[i]);
}
END_TEST

static char *text_of(size_t *len)
{
	static struct manifest m;
	static char buf[200000];

	m = sample();
	ck_assert_int_eq(manifest_write(dirfd_, &m), 0);
	int fd = openat(dirfd_, MANIFEST_NAME, O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	ck_assert_int_gt(n, 0);
	close(fd);
	buf[n] = 0;
	*len = (size_t)n;
	return buf;
}

/* The text with the first `from` replaced, parsed. */
static int parse_with(const char *from, const char *to)
{
	static struct manifest m;
	static char changed[200000];
	size_t len;
	char *text = text_of(&len), *at = strstr(text, from);

	ck_assert_msg(at != NULL, "%s", from);
	snprintf(changed, sizeof(changed), "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	int ret = manifest_parse(changed, strlen(changed), &m, why, sizeof(why));

	if (ret)
		ck_assert_ptr_null(m.argv);
	manifest_free(&m);
	return ret;
}

START_TEST(damage)
{
	static const struct { const char *from, *to, *says; int want; } t[] = {
		{ "\"format\": 3", "\"format\": 4", "newer", -EPROTO },
		{ "\"format\": 3", "\"format\": 1", "older", -EPROTO },
		{ "\"format\": 3", "\"format\": 0", "format", -EBADMSG },
		{ "\"format\": 3", "\"format\": \"1\"", "format", -EBADMSG },
		{ "\"format\": 3", "\"format\": 3, \"format\": 3", "no JSON", -EBADMSG },
		{ "\"format\": 3", "\"unknown\": [{}], \"format\": 3", "", 0 },
		{ "\"complete\": true", "\"complete\": 1", "complete", -EBADMSG },
		{ "\"complete\": true", "\"other\": 1", "complete", -EBADMSG },
		{ "\"prog\"", "17", "argv", -EBADMSG },
		{ "\"prog\"", "\"\\\\q\"", "argv", -EBADMSG },
		{ "\"prog\"", "null", "argv", -EBADMSG },
		{ "999999999", "1000000000", "start", -EBADMSG },
		{ "\"number\": 1", "\"number\": 0", "number", -EBADMSG },
		{ "\"parent\": 1", "\"parent\": -1", "parent", -EBADMSG },
		{ "\"pid\": 100", "\"pid\": 0", "pid", -EBADMSG },
		{ "\"pid\": 100", "\"pid\": 4294967296", "pid", -EBADMSG },
		{ "\"events\": 1234567890123", "\"events\": -1", "events", -EBADMSG },
		{ "\"xsave_size\": 832", "\"xsave_size\": 4294967296", "xsave_size", -EBADMSG },
		{ "\"leaves\": [", "\"leaves\": [[0,0,0,0,0,0,0],", "cpu", -EBADMSG },
		{ "4294967295", "4294967296", "leaves", -EBADMSG },
		{ "\"cut\": \"disk full\"", "\"cut\": []", "cut", -EBADMSG },
		{ "\"kernel\": \"6.1\"", "\"kernel\": null", "", 0 },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		int ret = parse_with(t[i].from, t[i].to);

		ck_assert_msg(ret == t[i].want, "%s: %d %s", t[i].to, ret, why);
		ck_assert_msg(strstr(why, t[i].says) && !strchr(why, '\n'), "%s: %s", t[i].to, why);
	}
}
END_TEST

START_TEST(no_prefix_is_a_manifest)
{
	static struct manifest m;
	size_t len;
	char *text = text_of(&len);

	for (size_t n = 0; n < len - 2; n += n < 100 ? 1 : 97)
		ck_assert_int_eq(manifest_parse(text, n, &m, why, sizeof(why)), -EBADMSG);
}
END_TEST

START_TEST(files)
{
	static struct manifest m;

	ck_assert_int_eq(manifest_read(dirfd_, &m, why, sizeof(why)), -ENOENT);
	ck_assert_int_eq(symlinkat("/dev/zero", dirfd_, MANIFEST_NAME), 0);
	ck_assert_int_lt(manifest_read(dirfd_, &m, why, sizeof(why)), 0);
	unlinkat(dirfd_, MANIFEST_NAME, 0);

	/* Larger than any honest one: not even read. */
	int fd = openat(dirfd_, MANIFEST_NAME, O_RDWR | O_CREAT, 0600);

	ck_assert_int_eq(ftruncate(fd, 1LL << 40), 0);
	close(fd);
	ck_assert_int_eq(manifest_read(dirfd_, &m, why, sizeof(why)), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(why, "too large"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("manifest");
	TCase *t = tcase_create("manifest");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, escapes);
	tcase_add_test(t, damage);
	tcase_add_test(t, no_prefix_is_a_manifest);
	tcase_add_test(t, files);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
