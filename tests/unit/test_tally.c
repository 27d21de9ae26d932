/* Counting events: sums by call, thread and process; hostile numbers. */
#include <asm/unistd_64.h>
#include <check.h>
#include <errno.h>
#include <stdlib.h>

#include "cli/tally.h"
#include "tests/unit/unit.h"

static struct tally t;
static struct memory mem;

static void setup(void)
{
	tally_free(&t);
	memory_free(&mem);
}

static void called(int process, int tid, uint64_t time_ns, uint64_t nr, int64_t result)
{
	struct event ev = { .type = REC_SYSCALL, .tid = tid, .time_ns = time_ns, .result = result };

	ev.regs.rax = nr;
	ck_assert(tally_event(&t, process, &ev, &mem));
}

static const struct tally_call *find(const char *name)
{
	for (size_t i = 0; i < t.ncalls; i++)
		if (!strcmp(t.call[i].name, name))
			return &t.call[i];
	ck_abort_msg("%s was not counted", name);
}

START_TEST(sums)
{
	called(1, 7, 1000, __NR_read, 10);
	called(1, 7, 1500, __NR_read, -EAGAIN);
	called(1, 8, 1600, __NR_write, 3);
	called(1, 7, 2500, __NR_read, 5);
	called(2, 7, 2600, __NR_getpid, 7);
	ck_assert_uint_eq(t.events, 5);
	ck_assert_uint_eq(t.ncalls, 3);
	ck_assert_uint_eq(t.nthreads, 3);
	ck_assert_uint_eq(find("read")->sum.calls, 3);
	ck_assert_uint_eq(find("read")->sum.errors, 1);
	ck_assert_uint_eq(find("read")->sum.moved, 15);
	ck_assert_uint_eq(find("read")->sum.ns, 1500);
	ck_assert_uint_eq(find("getpid")->sum.moved, 0);
	ck_assert_uint_eq(t.sum.calls, 5);
	ck_assert_uint_eq(tally_process(&t, 1).events, 4);
	ck_assert_uint_eq(tally_process(&t, 1).sum.moved, 18);
	ck_assert_uint_eq(tally_process(&t, 1).first_ns, 1000);
	ck_assert_uint_eq(tally_process(&t, 1).last_ns, 2500);
	ck_assert_uint_eq(tally_process(&t, 3).events, 0);
}
END_TEST

START_TEST(recorded_bytes)
{
	struct event ev = { .type = REC_SYSCALL, .tid = 1, .annex = "abcd", .annex_len = 4 };

	ck_assert(memory_add(&mem, &(struct event_data){ 0x1000, 6, DATA_MEMORY, "123456" }));
	ck_assert(tally_event(&t, 1, &ev, &mem));
	ck_assert_uint_eq(t.sum.recorded, 10);
	ev.type = REC_TSC;
	ck_assert(tally_event(&t, 1, &ev, &mem));
	ck_assert_uint_eq(t.sum.recorded, 10);
	ck_assert_uint_eq(t.kind[REC_TSC], 1);
}
END_TEST

START_TEST(order)
{
	called(1, 1, 10, __NR_getuid, 0);
	called(1, 1, 20, __NR_write, 5);
	called(1, 1, 22, __NR_read, -EIO);
	called(1, 1, 24, __NR_read, 50);
	tally_sort_calls(&t, TALLY_NAME);
	ck_assert_str_eq(t.call[0].name, "getuid");
	tally_sort_calls(&t, TALLY_TIME);
	ck_assert_str_eq(t.call[0].name, "write");
	tally_sort_calls(&t, TALLY_CALLS);
	ck_assert_str_eq(t.call[0].name, "read");
	tally_sort_calls(&t, TALLY_ERRORS);
	ck_assert_str_eq(t.call[0].name, "read");
	ck_assert_str_eq(t.call[1].name, "getuid");
	tally_sort_calls(&t, TALLY_MOVED);
	ck_assert_str_eq(t.call[0].name, "read");
	called(1, 1, 30, __NR_getuid, 0); /* found again after sorting */
	ck_assert_uint_eq(t.ncalls, 3);
	ck_assert_uint_eq(find("getuid")->sum.calls, 2);
	ck_assert(tally_event(&t, 1, &(struct event){ .type = REC_SYSCALL, .flags = REC_F_SERVED, .tid = 1,
						      .regs.rax = __NR_write }, &mem));
	ck_assert_uint_eq(find("write")->sum.served, 1);
	tally_sort_calls(&t, TALLY_OUTSIDE);
	ck_assert_str_eq(t.call[2].name, "write");
}
END_TEST

/* A trace may name any number, and time may run backwards in it. */
START_TEST(hostile)
{
	for (uint64_t nr = 1000; nr < 7000; nr++)
		called(1, (int)(nr % 300), 10000 - nr, nr, 0);
	ck_assert_uint_eq(find("syscall_0x3e8")->sum.calls, 1);
	ck_assert_uint_eq(find("(others)")->sum.calls, 6000 - 4096);
	ck_assert_uint_eq(t.sum.calls, 6000);
	ck_assert_uint_eq(t.sum.ns, 0);
	struct event ev = { .type = 255, .tid = -1 };

	ck_assert(tally_event(&t, 1, &ev, &mem));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tally");
	TCase *c = tcase_create("tally");

	tcase_add_checked_fixture(c, setup, setup);
	tcase_add_test(c, sums);
	tcase_add_test(c, recorded_bytes);
	tcase_add_test(c, order);
	tcase_add_test(c, hostile);
	suite_add_tcase(suite, c);
	return unit_run(suite);
}
