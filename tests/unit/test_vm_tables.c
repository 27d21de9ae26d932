/* Guest page tables: permissions really seen, narrowing, large entries and their splitting, cheap denial. */
#include <errno.h>
#include <time.h>

#include "tests/unit/vmm_guest.h"

#define AREA 0x200000000000ULL
#define BLOCK PAGE_SIZE_2M

/* Each access is followed by a system call, so that a run ends either way. */
GUEST_CODE(read_it, "mov (%rdi), %al\n mov $1, %eax\n syscall");
GUEST_CODE(write_it, "mov %bl, (%rdi)\n mov $2, %eax\n syscall");
GUEST_CODE(call_it, "call *%rdi\n mov $3, %eax\n syscall");

/* 0: done; else the page fault's error code. The access is one of PROT_READ, WRITE, EXEC. */
static uint32_t access_at(uint64_t addr, int how)
{
	if (how == PROT_READ)
		LOAD(read_it);
	else if (how == PROT_WRITE)
		LOAD(write_it);
	else
		LOAD(call_it);
	g.r->rdi = addr;
	g.r->rbx = 0xc3; /* `ret`, for call_it */
	if (guest_run() == VCPU_SYSCALL)
		return 0;
	ck_assert_int_eq(g.exit.stop, VCPU_EXCEPTION);
	ck_assert_uint_eq(g.exit.vector, 14);
	ck_assert_uint_eq(g.exit.cr2, addr);
	return g.exit.error;
}

static uint32_t expected(int prot, int how)
{
	uint32_t error = 4 | (how == PROT_WRITE) * 2 | (how == PROT_EXEC) * 0x10;

	if (!prot)
		return error;
	if (how == PROT_READ || (prot & how))
		return 0;
	return error | 1;
}

static void check_page(uint64_t addr, int prot)
{
	static const int how[] = { PROT_READ, PROT_WRITE, PROT_EXEC };

	ck_assert_int_eq(vm_query(g.vm, addr), prot ? prot | PROT_READ : -1);
	for (unsigned i = 0; i < 3; i++) {
		uint32_t got = access_at(addr, how[i]), want = expected(prot, how[i]);

		ck_assert_msg(got == want, "%#lx prot %d access %d: error %#x, expected %#x", addr, prot, how[i], got, want);
	}
}

/* A change of permissions in the order the contract asks for. */
static void change(uint64_t at, uint64_t len, int from, int to, bool huge)
{
	void *p = (void *)(uintptr_t)at;

	if (from & ~to) /* what is lost goes first, in the guest */
		ck_assert_int_eq(vm_allow(g.vm, at, len, from & to, huge), 0);
	ck_assert_int_eq(mprotect(p, len, to), 0);
	if (to & ~from)
		ck_assert_int_eq(vm_allow(g.vm, at, len, to, huge), 0);
}

static void fill_with_ret(uint64_t at, uint64_t len)
{
	memset((void *)(uintptr_t)at, 0xc3, len);
}

START_TEST(test_every_change_is_seen)
{
	static const int prots[] = { 0, PROT_READ, RW, RX, RWX };

	guest_map(AREA, 0x10000, RWX, false);
	fill_with_ret(AREA, 0x10000);
	for (unsigned i = 0; i < 5; i++)
		for (unsigned k = 0; k < 5; k++) {
			change(AREA, 0x10000, RWX, prots[i], false);
			check_page(AREA + 0x5000, prots[i]);
			change(AREA, 0x10000, prots[i], prots[k], false);
			check_page(AREA + 0x5000, prots[k]);
			check_page(AREA + 0x6008, prots[k]);
			change(AREA, 0x10000, prots[k], RWX, false);
			fill_with_ret(AREA, 0x10000);
		}
}
END_TEST

START_TEST(test_unmapping_is_seen)
{
	guest_map(AREA, 0x4000, RW, false);
	check_page(AREA + 0x1000, RW);
	ck_assert_int_eq(vm_deny(g.vm, AREA + 0x1000, 0x1000), 0);
	ck_assert_int_eq(munmap((void *)(AREA + 0x1000), 0x1000), 0);
	check_page(AREA + 0x1000, 0);
	check_page(AREA, RW);
	check_page(AREA + 0x2000, RW);
	/* New memory at the same place is zero, not what a stale translation would show. */
	fill_with_ret(AREA, 0x1000);
	guest_map(AREA + 0x1000, 0x1000, RW, false);
	LOAD(read_it);
	g.r->rdi = AREA + 0x1000;
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	ck_assert_int_eq(*(char *)(AREA + 0x1000), 0);
	check_page(AREA + 0x1000, RW);
}
END_TEST

START_TEST(test_dontneed_and_remap_are_seen)
{
	guest_map(AREA, 0x2000, RW, false);
	check_page(AREA, RW);
	ck_assert_int_eq(*(uint8_t *)AREA, 0xc3);
	ck_assert_int_eq(madvise((void *)AREA, 0x2000, MADV_DONTNEED), 0);
	LOAD(write_it);
	g.r->rdi = AREA + 1;
	g.r->rbx = 7;
	expect_syscall(2);
	ck_assert_int_eq(*(uint8_t *)AREA, 0);
	ck_assert_int_eq(*(uint8_t *)(AREA + 1), 7);
	ck_assert_ptr_eq(mmap((void *)AREA, 0x2000, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), (void *)AREA);
	*(uint8_t *)(AREA + 2) = 9;
	LOAD(write_it);
	g.r->rdi = AREA + 3;
	g.r->rbx = 8;
	expect_syscall(2);
	ck_assert_int_eq(memcmp((void *)AREA, "\0\0\x09\x08", 4), 0);
}
END_TEST

START_TEST(test_large_entries)
{
	struct vm_stats before, after;

	before = vm_stats(g.vm);
	guest_map(AREA, 64 * BLOCK, RW, true);
	after = vm_stats(g.vm);
	ck_assert_uint_le(after.tables - before.tables, 2); /* no leaf tables */
	if (_i)
		madvise((void *)AREA, 64 * BLOCK, MADV_HUGEPAGE);
	for (uint64_t at = AREA; at < AREA + 64 * BLOCK; at += BLOCK / 2 + PAGE_SIZE_4K)
		check_page(at, RW);
	/* Whole blocks lose and gain permissions in place. */
	change(AREA + 2 * BLOCK, 2 * BLOCK, RW, PROT_READ, true);
	check_page(AREA + 2 * BLOCK + 0x3000, PROT_READ);
	check_page(AREA + 4 * BLOCK - 0x1000, PROT_READ);
	check_page(AREA + 4 * BLOCK, RW);
	change(AREA + 2 * BLOCK, 2 * BLOCK, PROT_READ, RW, true);
	check_page(AREA + 2 * BLOCK + 0x3000, RW);
	ck_assert_uint_eq(vm_stats(g.vm).tables, after.tables);
	/* Part of a block: one table. */
	change(AREA + 8 * BLOCK + 0x10000, 0x5000, RW, 0, true);
	ck_assert_uint_eq(vm_stats(g.vm).tables, after.tables + 1);
	check_page(AREA + 8 * BLOCK + 0x10000, 0);
	check_page(AREA + 8 * BLOCK + 0x14000, 0);
	check_page(AREA + 8 * BLOCK + 0x15000, RW);
	check_page(AREA + 8 * BLOCK + 0xf000, RW);
	check_page(AREA + 9 * BLOCK - 8, RW);
}
END_TEST

#define NPAGES 2048u /* four blocks */

static int model[NPAGES];

static uint64_t page_at(unsigned i)
{
	return AREA + i * PAGE_SIZE_4K;
}

static void random_change(unsigned *seed)
{
	static const int prots[] = { 0, PROT_READ, RW, RW, RX, RWX };
	unsigned from = (unsigned)rand_r(seed) % NPAGES, n, to, end;

	switch (rand_r(seed) % 3) {
	case 0:
		n = 1 + (unsigned)rand_r(seed) % 8;
		break;
	case 1:
		n = 1 + (unsigned)rand_r(seed) % 700;
		break;
	default:
		from &= ~511u;
		n = 512;
	}
	end = from + n < NPAGES ? from + n : NPAGES;
	to = (unsigned)prots[rand_r(seed) % 6];
	while (from < end) {
		unsigned run = from + 1;

		while (run < end && model[run] == model[from])
			run++;
		change(page_at(from), (run - from) * PAGE_SIZE_4K, model[from], (int)to, rand_r(seed) & 1);
		for (; from < run; from++)
			model[from] = (int)to;
	}
}

static void random_checks(unsigned *seed)
{
	static const int how[] = { PROT_READ, PROT_WRITE, PROT_EXEC };

	for (unsigned i = 0; i < 40; i++) {
		unsigned page = (unsigned)rand_r(seed) % NPAGES;
		int h = how[rand_r(seed) % 3];
		uint32_t got = access_at(page_at(page), h), want = expected(model[page], h);

		ck_assert_msg(got == want, "page %u prot %d access %d: error %#x, expected %#x", page, model[page], h, got, want);
	}
}

/* Random changes of random ranges against a model; with and without huge pages on the host. */
START_TEST(test_random_changes)
{
	unsigned seed = 1000 + (unsigned)_i;

	guest_map(AREA, NPAGES * PAGE_SIZE_4K, RWX, false);
	if (_i & 1)
		madvise((void *)AREA, NPAGES * PAGE_SIZE_4K, MADV_HUGEPAGE);
	fill_with_ret(AREA, NPAGES * PAGE_SIZE_4K);
	/* Start again from large entries, which must not be executable. */
	guest_teardown();
	munmap((void *)CODE, PAGE_SIZE_4K);
	munmap((void *)DATA, PAGE_SIZE_4K);
	guest_setup();
	ck_assert_int_eq(mprotect((void *)AREA, NPAGES * PAGE_SIZE_4K, RW), 0);
	ck_assert_int_eq(vm_allow(g.vm, AREA, NPAGES * PAGE_SIZE_4K, RW, true), 0);
	for (unsigned i = 0; i < NPAGES; i++)
		model[i] = RW;
	random_checks(&seed);
	for (unsigned i = 0; i < 60; i++) {
		random_change(&seed);
		random_checks(&seed);
	}
}
END_TEST

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

START_TEST(test_denying_nothing_is_cheap)
{
	struct vm_stats before = vm_stats(g.vm), after;
	double t = seconds();

	for (unsigned i = 0; i < 1000; i++)
		ck_assert_int_eq(vm_deny(g.vm, AREA, 1ULL << 44), 0);
	t = seconds() - t;
	after = vm_stats(g.vm);
	ck_assert_uint_eq(before.tables, after.tables);
	ck_assert_uint_eq(before.slots, after.slots);
	ck_assert_msg(t < 2, "1000 denials of 16 TiB took %.3f s", t);
	ck_assert_int_eq(vm_deny(g.vm, GUEST_MIN, GUEST_TOP - GUEST_MIN), 0);
	ck_assert_int_eq(vm_query(g.vm, CODE), -1);
}
END_TEST

START_TEST(test_big_ranges)
{
	double t = seconds();

	/* Present entries need no memory behind them. */
	ck_assert_int_eq(vm_allow(g.vm, AREA, 8ULL << 30, RW, false), 0);
	t = seconds() - t;
	ck_assert_msg(t < 5, "8 GiB in pages of 4 KiB took %.3f s", t);
	ck_assert_int_eq(vm_query(g.vm, AREA + (8ULL << 30) - 1), RW);
	ck_assert_int_eq(vm_query(g.vm, AREA + (8ULL << 30)), -1);
	ck_assert_int_eq(vm_deny(g.vm, AREA, 8ULL << 30), 0);
	ck_assert_int_eq(vm_query(g.vm, AREA + (4ULL << 30)), -1);
}
END_TEST

START_TEST(test_bad_ranges)
{
	ck_assert_int_eq(vm_allow(g.vm, AREA + 1, 0x1000, RW, false), -EINVAL);
	ck_assert_int_eq(vm_allow(g.vm, AREA, 0x1001, RW, false), -EINVAL);
	ck_assert_int_eq(vm_allow(g.vm, GUEST_TOP - 0x1000, 0x2000, RW, false), -EINVAL);
	ck_assert_int_eq(vm_allow(g.vm, GUEST_TOP, 0x1000, RW, false), -EINVAL);
	ck_assert_int_eq(vm_allow(g.vm, AREA, -AREA, RW, false), -EINVAL);
	ck_assert_int_eq(vm_allow(g.vm, 0, 0x1000, RW, false), -EINVAL);
	ck_assert_int_eq(vm_deny(g.vm, GUESTLIB_BASE, 0x1000), -EINVAL);
	ck_assert_int_eq(vm_allow(g.vm, AREA, 0, RW, false), 0);
	ck_assert_int_eq(vm_query(g.vm, GUESTLIB_BASE), -1);
}
END_TEST

static int vm_number;

static int note_number(int fd)
{
	vm_number = fd;
	return fd;
}

/* KVM names a VM by this number in a place of its own: images of a process must not have the same. */
START_TEST(test_numbers_of_images)
{
	struct kvm_host h = g.host;
	struct vm *vm;

	kvm_fd_hide = note_number;
	for (h.image = 0; h.image < KVM_IMAGES; h.image++) {
		ck_assert_int_eq(vm_create(&h, &g.cpu, &vm), 0);
		ck_assert_uint_eq((unsigned)vm_number % KVM_IMAGES, h.image);
		ck_assert_int_eq(vm_own_fd(vm), vm_number);
		vm_destroy(vm);
	}
	kvm_fd_hide = NULL;
}
END_TEST

START_TEST(test_slots_are_few)
{
	unsigned before = vm_stats(g.vm).slots;

	guest_map(AREA, 1ULL << 20, RW, false);
	guest_map(AREA + (2ULL << 20), 1ULL << 20, RW, false);
	ck_assert_uint_eq(vm_stats(g.vm).slots, before + 1);
	/* Across a window's edge; the last window before GUEST_TOP. */
	guest_map(AREA + (64ULL << 20) - 0x1000, 0x2000, RW, false);
	guest_map(GUEST_TOP - 0x1000, 0x1000, RW, false);
	check_page(AREA + (64ULL << 20) - 0x1000, RW);
	check_page(AREA + (64ULL << 20), RW);
	check_page(GUEST_TOP - 8, RW);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vm tables");
	TCase *t = tcase_create("tables");

	tcase_add_checked_fixture(t, guest_setup, guest_teardown);
	tcase_set_timeout(t, 240);
	tcase_add_test(t, test_every_change_is_seen);
	tcase_add_test(t, test_unmapping_is_seen);
	tcase_add_test(t, test_dontneed_and_remap_are_seen);
	tcase_add_loop_test(t, test_large_entries, 0, 2);
	tcase_add_loop_test(t, test_random_changes, 0, 6);
	tcase_add_test(t, test_denying_nothing_is_cheap);
	tcase_add_test(t, test_big_ranges);
	tcase_add_test(t, test_bad_ranges);
	tcase_add_test(t, test_numbers_of_images);
	tcase_add_test(t, test_slots_are_few);
	suite_add_tcase(s, t);
	return vmm_main(s);
}
