/* The grammar of --inject, and which invocations it means. */
#include <asm/unistd_64.h>
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/inject.h"
#include "tests/unit/unit.h"

static struct inject in;
static char why[200];

static void setup(void)
{
	memset(&in, 0, sizeof(in));
}

static bool add(const char *text)
{
	why[0] = '\0';
	return inject_add(&in, text, why, sizeof(why));
}

START_TEST(good_rules)
{
	ck_assert(add("openat,open:errno=ENOENT"));
	ck_assert(in.rule[0].has_result && in.rule[0].result == -ENOENT && in.rule[0].step == 1 && in.rule[0].last == UINT64_MAX);
	ck_assert(add("read:retval=7:when=3"));
	ck_assert(in.rule[1].result == 7 && in.rule[1].first == 3 && in.rule[1].last == 3);
	ck_assert(add("write:signal=USR1:delay=5ms:when=2+3"));
	ck_assert(in.rule[2].signal == SIGUSR1 && in.rule[2].delay_ns == 5000000 && in.rule[2].first == 2 && in.rule[2].step == 3);
	ck_assert(add("close:error=5:when=2..9+2"));
	ck_assert(in.rule[3].result == -5 && in.rule[3].last == 9 && in.rule[3].step == 2);
	ck_assert(add("getpid:delay=10"));
	ck_assert_uint_eq(in.rule[4].delay_ns, 10000);
	ck_assert(add("getpid:retval=0x10:signal=SIGTERM:when=4+"));
	ck_assert(in.rule[5].result == 16 && in.rule[5].last == UINT64_MAX && in.rule[5].first == 4);
	ck_assert_uint_eq(in.n, 6);
}
END_TEST

START_TEST(bad_rules)
{
	static const char *const bad[] = {
		"", ":", "openat", "openat:", "openat:when=1", "nosuchcall:errno=EIO", "openat,:errno=EIO", ",openat:errno=EIO",
		"openat:errno=", "openat:errno=EFOO", "openat:errno=0", "openat:errno=-5", "openat:errno=4096", "openat:errno=5x",
		"openat:errno=ERESTARTSYS", "openat:errno=512", "openat:errno=EIO:errno=EIO", "openat:errno=EIO:retval=1",
		"openat:retval=-1", "openat:retval=", "openat:retval=1x", "openat:retval=99999999999999999999", "openat:signal=SIGFOO",
		"openat:signal=0", "openat:signal=65", "openat:signal=1:signal=2", "openat:delay=", "openat:delay=1y", "openat:delay=0",
		"openat:delay=99999999999999999999", "openat:delay=4000s", "openat:errno=EIO:when=", "openat:errno=EIO:when=0",
		"openat:errno=EIO:when=a", "openat:errno=EIO:when=1+0", "openat:errno=EIO:when=3..2", "openat:errno=EIO:when=1..",
		"openat:errno=EIO:when=1x", "openat:errno=EIO:when=1+2+3", "openat:errno=EIO:what=1", "openat:errno=EIO:", "exit:errno=EIO",
		"exit_group:retval=1", "ioctl$TCGETS:errno=EIO", "openat errno=EIO",
		"openat:errno=EIOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOOO",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(!add(bad[i]), "%s", bad[i]);
		ck_assert_msg(*why, "%s", bad[i]);
		ck_assert_uint_eq(in.n, 0);
	}
	for (int i = 0; i < INJECT_RULES; i++)
		ck_assert(add("getpid:retval=1"));
	ck_assert(!add("getpid:retval=1"));
}
END_TEST

/* The invocations of 1 to 12 that a rule hits, as text. */
static const char *hits(const char *when)
{
	static char found[13];
	char rule[64];

	setup();
	snprintf(rule, sizeof(rule), "getpid:errno=EIO%s%s", *when ? ":when=" : "", when);
	ck_assert_msg(add(rule), "%s: %s", rule, why);
	for (int i = 0; i < 12; i++) {
		struct inject_verdict v = inject_decide(&in, __NR_getpid, 5), other = inject_decide(&in, __NR_getuid, 5);

		ck_assert(!other.has_result);
		found[i] = v.has_result ? 'x' : '.';
	}
	return found;
}

START_TEST(invocations)
{
	ck_assert_str_eq(hits(""), "xxxxxxxxxxxx");
	ck_assert_str_eq(hits("3"), "..x.........");
	ck_assert_str_eq(hits("3+"), "..xxxxxxxxxx");
	ck_assert_str_eq(hits("3+4"), "..x...x...x.");
	ck_assert_str_eq(hits("3..5"), "..xxx.......");
	ck_assert_str_eq(hits("3..9+3"), "..x..x..x...");
	ck_assert_str_eq(hits("1..1"), "x...........");
	ck_assert_str_eq(hits("18446744073709551615+"), "............");
}
END_TEST

START_TEST(each_process_counts_for_itself)
{
	setup();
	ck_assert(add("getpid:errno=EIO:when=2"));
	ck_assert(!inject_decide(&in, __NR_getpid, 5).has_result);
	ck_assert(!inject_decide(&in, __NR_getpid, 6).has_result);
	ck_assert(inject_decide(&in, __NR_getpid, 6).has_result);
}
END_TEST

START_TEST(rules_together)
{
	struct inject_verdict v;

	setup();
	ck_assert(add("getpid:signal=9:when=1") && add("getpid:retval=3") && add("getpid:retval=4:delay=1"));
	v = inject_decide(&in, __NR_getpid, 1);
	ck_assert(v.has_result && v.result == 3 && v.signal == 9 && v.delay_ns == 1000);
	v = inject_decide(&in, 0xffffffff00000000ULL | __NR_getpid, 1); /* the kernel looks at 32 bits */
	ck_assert(v.has_result && !v.signal);
	ck_assert(!inject_decide(&in, 0x7fffffff, 1).has_result);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("inject");
	TCase *c = tcase_create("inject");

	tcase_add_checked_fixture(c, setup, NULL);
	tcase_add_test(c, good_rules);
	tcase_add_test(c, bad_rules);
	tcase_add_test(c, invocations);
	tcase_add_test(c, each_process_counts_for_itself);
	tcase_add_test(c, rules_together);
	suite_add_tcase(suite, c);
	return unit_run(suite);
}
