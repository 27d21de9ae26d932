/* Chaos: decisions from a seed, and the instructions that are places. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "record/chaos.h"
#include "syscall-emu/process.h"
#include "tests/unit/unit.h"
#include "vmm/access.h"

static struct chaos begin(uint64_t seed)
{
	struct chaos c;

	process_self.chaos = true;
	process_self.seed = seed;
	chaos_begin(&c);
	return c;
}

START_TEST(a_seed_is_a_way)
{
	unsigned ways[4] = { 0 };

	for (uint64_t seed = 0; seed < 400; seed++) {
		struct chaos c = begin(seed), again = begin(seed);

		ck_assert_int_eq(memcmp(&c, &again, sizeof(c)), 0);
		ck_assert_uint_le(c.nchanges, CHAOS_CHANGES_MAX);
		for (unsigned i = 1; i < c.nchanges; i++)
			ck_assert_uint_le(c.change[i - 1], c.change[i]);
		ways[c.way]++;
	}
	ck_assert_uint_eq(ways[CHAOS_OFF], 0);
	ck_assert(ways[CHAOS_TIME] > 5 && ways[CHAOS_PRIORITIES] > 100 && ways[CHAOS_WALK] > 100);
	process_self.chaos = false;
	chaos_begin(&(struct chaos){ 0 });
}
END_TEST

START_TEST(a_change_lowers_the_rank)
{
	struct chaos c = { .way = CHAOS_PRIORITIES, .nchanges = 1, .change = { 3 }, .lowest = 1000 };
	unsigned rank = 5000;

	ck_assert(!chaos_place(&c, &rank, 4000));
	ck_assert(!chaos_place(&c, &rank, 4000));
	ck_assert(chaos_place(&c, &rank, 4000));
	ck_assert_uint_lt(rank, 1000);
	rank = 5000;
	ck_assert(!chaos_place(&c, &rank, 4000));
	ck_assert(chaos_place(&c, &rank, 6000));
}
END_TEST

/* Who spins without end gives way at last. */
START_TEST(nobody_runs_for_ever)
{
	struct chaos c = { .way = CHAOS_PRIORITIES, .lowest = 1000 };
	unsigned rank = 5000, n = 0;

	while (!chaos_place(&c, &rank, 1))
		ck_assert_uint_lt(n++, 10000);
	ck_assert_uint_lt(rank, 5000);
}
END_TEST

START_TEST(everybody_is_chosen)
{
	bool chosen[10] = { false };

	process_self.seed = 1;
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t n = chaos_choose(10);

		ck_assert_uint_lt(n, 10);
		chosen[n] = true;
	}
	for (unsigned i = 0; i < 10; i++)
		ck_assert(chosen[i]);
	ck_assert_uint_eq(chaos_choose(0), 0);
}
END_TEST

static struct insn_access decode(const char *code, size_t len)
{
	struct insn_access a;

	ck_assert_int_eq(insn_access_decode((const uint8_t *)code, len, 0x1000, &a), 0);
	return a;
}

#define DECODE(code) decode(code, sizeof(code) - 1)

START_TEST(accesses)
{
	struct guest_regs r = { .rax = 0x10000, .rbx = 8, .rip = 0x1000, .rsp = 0x7000 };
	struct insn_access a = DECODE("\x8b\x05\x10\x00\x00\x00"); /* mov 0x10(%rip), %eax */

	ck_assert(a.memory && !a.writes && !a.thread_local && !a.jumps);
	ck_assert_uint_eq(insn_access_address(&a, &r), 0x1016);
	a = DECODE("\x89\x44\xd8\x04"); /* mov %eax, 4(%rax,%rbx,8) */
	ck_assert(a.memory && a.writes);
	ck_assert_uint_eq(insn_access_address(&a, &r), 0x10044);
	a = DECODE("\xf0\x0f\xb1\x10"); /* lock cmpxchg %edx, (%rax) */
	ck_assert(a.memory && a.writes);
	a = DECODE("\x64\x8b\x04\x25\x28\x00\x00\x00"); /* mov %fs:0x28, %eax */
	ck_assert(a.memory && a.thread_local);
	a = DECODE("\xff\x25\x00\x10\x00\x00"); /* jmp *0x1000(%rip) */
	ck_assert(a.memory && a.jumps);
	ck_assert(!DECODE("\x48\x8d\x05\x10\x00\x00\x00").memory); /* lea */
	ck_assert(!DECODE("\x0f\x1f\x40\x00").memory);             /* nop 0(%rax) */
	ck_assert(!DECODE("\x55").memory);                         /* push %rbp */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("chaos");
	TCase *c = tcase_create("chaos");

	tcase_add_test(c, a_seed_is_a_way);
	tcase_add_test(c, a_change_lowers_the_rank);
	tcase_add_test(c, nobody_runs_for_ever);
	tcase_add_test(c, everybody_is_chosen);
	tcase_add_test(c, accesses);
	suite_add_tcase(suite, c);
	return unit_run(suite);
}
