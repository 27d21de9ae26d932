/* The parts of the guest's address space that Linux cannot be asked about: filling, faults, the stack, content. */
#include <signal.h>

#include "tests/unit/mm_test.h"
#include "tests/unit/unit.h"
#include "vmm/cleanup.h"

/* ---- filling ---- */

static int fault(uint64_t addr, uint32_t error)
{
	int sig = 0, code = 0;

	return mm_fault(mm, addr, error, &sig, &code) ? 0 : sig * 100 + code;
}

static uint64_t filled(uint64_t start, uint64_t end)
{
	uint64_t n = 0;

	for (; start < end; start += PAGE_SIZE_4K)
		n += __wrap_vm_query(NULL, start) >= 0;
	return n * PAGE_SIZE_4K;
}

#define RW (PROT_READ | PROT_WRITE)
#define KIB 1024ULL
#define MIB (1024 * KIB)

static uint64_t anonymous(uint64_t len, int prot)
{
	int64_t at = call(do_mmap, 0, len, (uint64_t)prot, MAP_PRIVATE | MAP_ANONYMOUS, 0);

	ck_assert_int_gt(at, 0);
	return (uint64_t)at;
}

START_TEST(test_fill)
{
	uint64_t small = anonymous(256 * KIB, RW), none = anonymous(64 * KIB, PROT_NONE),
			large = anonymous(64 * MIB, RW);
	uint64_t was;

	ck_assert_uint_eq(filled(small, small + 256 * KIB), 256 * KIB);
	ck_assert_uint_eq(filled(none, none + 64 * KIB), 0);
	ck_assert_uint_eq(filled(large, large + 64 * MIB), 0);
	/* Upwards in doubling chunks, until a stretch that starts afresh. */
	for (uint64_t at = large, faults = 0; at < large + 32 * MIB; at += PAGE_SIZE_4K) {
		if (__wrap_vm_query(NULL, at) >= 0)
			continue;
		ck_assert_uint_lt(++faults, 16);
		ck_assert_int_eq(fault(at, 6), 0);
		ck_assert_int_ge(__wrap_vm_query(NULL, at), 0);
	}
	was = filled(large, large + 64 * MIB);
	ck_assert_uint_lt(was, 48 * MIB);
	ck_assert_int_eq(fault(large + 60 * MIB, 6), 0);
	ck_assert_uint_eq(filled(large, large + 64 * MIB), was + 64 * KIB);
	/* Downwards too. */
	for (uint64_t at = large + 60 * MIB, faults = 0; at > large + 50 * MIB; at -= PAGE_SIZE_4K)
		if (__wrap_vm_query(NULL, at) < 0) {
			ck_assert_uint_lt(++faults, 12);
			ck_assert_int_eq(fault(at, 6), 0);
		}
	/* A change of protection leaves unfilled parts unfilled. */
	was = filled(large, large + 64 * MIB);
	ck_assert_int_eq(mm_protect(mm, large, 64 * MIB, PROT_READ), 0);
	ck_assert_uint_eq(filled(large, large + 64 * MIB), was);
	check_entries();
}
END_TEST

START_TEST(test_faults)
{
	uint64_t ro = anonymous(4096, PROT_READ), rw = anonymous(4096, RW), none = anonymous(4096, PROT_NONE);

	ck_assert_int_eq(fault(ro, 6), SIGSEGV * 100 + SEGV_ACCERR);
	ck_assert_int_eq(fault(ro, 4), 0);
	ck_assert_int_eq(fault(rw + 4095, 0x15), SIGSEGV * 100 + SEGV_ACCERR);
	ck_assert_int_eq(fault(none, 4), SIGSEGV * 100 + SEGV_ACCERR);
	ck_assert_int_eq(fault(AREA, 4), SIGSEGV * 100 + SEGV_MAPERR);
	ck_assert_int_eq(fault(0, 4), SIGSEGV * 100 + SEGV_MAPERR);
	ck_assert_int_eq(fault(GUESTLIB_BASE, 5), SIGSEGV * 100 + SEGV_MAPERR);
	ck_assert_int_eq(fault(0xffff800000000000ULL, 5), SIGSEGV * 100 + SEGV_MAPERR);
	/* A write-only mapping can be read, an execute-only one too. */
	ck_assert_int_eq(mm_protect(mm, rw, 4096, PROT_WRITE), 0);
	ck_assert_int_eq(fault(rw, 4), 0);
	ck_assert_int_eq(mm_protect(mm, rw, 4096, PROT_EXEC), 0);
	ck_assert_int_eq(fault(rw, 4), 0);
	ck_assert_int_eq(fault(rw, 6), SIGSEGV * 100 + SEGV_ACCERR);
	/* Again and again at a page that is filled: never a signal. */
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(fault(ro, 4), 0);
}
END_TEST

START_TEST(test_grow)
{
	const uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, gap = STACK_GUARD_GAP;
	uint64_t at = AREA + 16 * MIB;

	ck_assert_int_eq(call(do_mmap, at, 4096, RW, flags | MAP_GROWSDOWN, 0), (int64_t)at);
	ck_assert_int_eq(fault(at - 8, 6), 0);
	ck_assert_ptr_nonnull(mm_find(mm, at - 4096));
	ck_assert_int_eq(*(volatile char *)(at - 8), 0);
	/* Not closer than the gap to what lies below, not beyond the limit. */
	ck_assert_int_eq(call(do_mmap, at - 4 * MIB, 4096, RW, flags, 0), (int64_t)(at - 4 * MIB));
	ck_assert_int_eq(fault(at - 4 * MIB + 4096 + gap - 1, 6), SIGSEGV * 100 + SEGV_MAPERR);
	ck_assert_int_eq(fault(at - 4 * MIB + 4096 + gap, 6), 0);
	ck_assert_int_eq(call(do_munmap, at - 4 * MIB, 4096, 0, 0, 0), 0);
	ck_assert_int_eq(fault(at - 9 * MIB, 6), SIGSEGV * 100 + SEGV_MAPERR);
	check_entries();
}
END_TEST

START_TEST(test_stack)
{
	uint64_t top, start;
	const struct vma *v;

	ck_assert_int_eq(mm_make_stack(mm, 8 * MIB, RW, &top), 0);
	ck_assert_uint_eq(top, GUEST_STACK_TOP);
	memset((void *)(top - 4096), 1, 4096);
	ck_assert_int_eq(mm_stack_used(mm, top - 4096), 0);
	v = mm_find(mm, top - 1);
	ck_assert_str_eq(v->name, "[stack]");
	start = v->start;
	ck_assert_uint_eq(start, top - 4096 - 128 * KIB);
	/* The kernel may write below what has been given out, and growth must keep that. */
	*(volatile char *)(top - 4 * MIB) = 42;
	ck_assert_int_eq(fault(top - 4 * MIB, 6), 0);
	ck_assert_int_eq(*(volatile char *)(top - 4 * MIB), 42);
	ck_assert_int_eq(fault(top - 8 * MIB, 6), 0);
	ck_assert_int_eq(fault(top - 8 * MIB - 1, 6), SIGSEGV * 100 + SEGV_MAPERR);
	check_entries();
}
END_TEST

START_TEST(test_stack_replaced)
{
	uint64_t top;

	ck_assert_int_eq(mm_make_stack(mm, 8 * MIB, RW, &top), 0);
	ck_assert_int_eq(mm_stack_used(mm, top - 4096), 0);
	/* Something of the guest's own in the stack's room: growth ends above it. */
	ck_assert_int_eq(call(do_mmap, top - 6 * MIB, 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0),
			 (int64_t)(top - 6 * MIB));
	*(volatile char *)(top - 6 * MIB) = 7;
	ck_assert_int_eq(fault(top - 4 * MIB, 6), 0);
	ck_assert_int_eq(fault(top - 6 * MIB + 8192, 6), SIGSEGV * 100 + SEGV_MAPERR);
	ck_assert_int_eq(*(volatile char *)(top - 6 * MIB), 7);
	ck_assert_int_eq(mm_unmap(mm, top - 4 * MIB, 4 * MIB), 0);
	ck_assert_ptr_null(mm_find(mm, top - 1));
	check_entries();
}
END_TEST

START_TEST(test_executable_stack)
{
	uint64_t top;

	ck_assert_int_eq(mm_make_stack(mm, 8 * MIB, RW, &top), 0);
	ck_assert_int_eq(mm_stack_used(mm, top - 4096), 0);
	ck_assert_int_eq(call(do_mprotect, top - 4096, 4096, RW | PROT_EXEC | PROT_GROWSDOWN, 0, 0), 0);
	ck_assert_int_eq(mm_find(mm, top - 1)->prot, RW | PROT_EXEC);
	ck_assert_int_eq(fault(top - 2 * MIB, 6), 0);
	ck_assert_int_eq(fault(top - 2 * MIB, 0x14), 0);
	check_entries();
}
END_TEST

/* ---- content ---- */

START_TEST(test_advice)
{
	uint64_t at = anonymous(1 * MIB, RW);
	static const int harmless[] = { MADV_NORMAL, MADV_RANDOM, MADV_WILLNEED, MADV_HUGEPAGE, MADV_MERGEABLE,
					MADV_DONTDUMP,
					20, 21, MADV_POPULATE_WRITE, MADV_WIPEONFORK, MADV_KEEPONFORK };

	memset((void *)at, 9, 1 * MIB);
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		ck_assert_int_eq(call(do_madvise, at, 1 * MIB, (uint64_t)harmless[i], 0, 0), 0);
		ck_assert_int_eq(*(volatile char *)at, 9);
	}
	ck_assert_int_eq(call(do_madvise, at, 4096, MADV_DONTNEED, 0, 0), 0);
	ck_assert_int_eq(*(volatile char *)at, 0);
	ck_assert_int_eq(*(volatile char *)(at + 4096), 9);
	ck_assert_int_eq(call(do_madvise, at, 1 * MIB, MADV_FREE, 0, 0), 0);
	ck_assert_int_eq(*(volatile char *)(at + 1 * MIB - 1), 0);
	ck_assert_int_eq(call(do_madvise, at, 4096, 12345, 0, 0), -EINVAL);
	ck_assert_int_eq(call(do_madvise, at, 4096, 102, 0, 0), -EINVAL);
	ck_assert_int_eq(call(do_madvise, at + 1, 4096, MADV_DONTNEED, 0, 0), -EINVAL);
	ck_assert_int_eq(call(do_madvise, at, 0, MADV_DONTNEED, 0, 0), 0);
	ck_assert_int_eq(call(do_madvise, at, 4096, MADV_REMOVE, 0, 0), -EINVAL);
	check_entries();
}
END_TEST

START_TEST(test_mremap_content)
{
	uint64_t above = anonymous(4096, PROT_NONE), a = anonymous(64 * KIB, RW), block = anonymous(64 * KIB, RW), b;

	ck_assert_uint_eq(a + 64 * KIB, above);
	ck_assert_uint_eq(block + 64 * KIB, a); /* merged natively: one mapping that the host may hold as two */
	for (uint64_t i = 0; i < 128 * KIB; i += 4096)
		*(volatile uint64_t *)(block + i) = i;
	b = (uint64_t)call(do_mremap, block, 128 * KIB, 1 * MIB, MREMAP_MAYMOVE, 0);
	ck_assert_int_gt((int64_t)b, 0);
	ck_assert_ptr_null(mm_find(mm, a));
	for (uint64_t i = 0; i < 128 * KIB; i += 4096)
		ck_assert_uint_eq(*(volatile uint64_t *)(b + i), i);
	ck_assert_uint_eq(*(volatile uint64_t *)(b + 512 * KIB), 0);
	check_entries();
}
END_TEST

START_TEST(test_brk)
{
	uint64_t start = AREA + 0x123, heap, end;

	mm_set_brk(mm, start);
	heap = AREA + 0x1000;
	ck_assert_int_eq(call(do_brk, 0, 0, 0, 0, 0), (int64_t)heap);
	ck_assert_int_eq(call(do_brk, heap + 100, 0, 0, 0, 0), (int64_t)heap + 100);
	*(volatile char *)heap = 1;
	ck_assert_str_eq(mm_find(mm, heap)->name, "[heap]");
	ck_assert_int_eq(call(do_brk, heap + 1 * MIB, 0, 0, 0, 0), (int64_t)(heap + 1 * MIB));
	ck_assert_int_eq(*(volatile char *)heap, 1);
	mm_heap(mm, &start, &end);
	ck_assert_uint_eq(start, heap);
	ck_assert_uint_eq(end, heap + 1 * MIB);
	ck_assert_int_eq(call(do_brk, heap, 0, 0, 0, 0), (int64_t)heap);
	ck_assert_ptr_null(mm_find(mm, heap));
	ck_assert_int_eq(call(do_brk, heap + 4096, 0, 0, 0, 0), (int64_t)heap + 4096);
	ck_assert_int_eq(*(volatile char *)heap, 0);
	/* Into something else: refused with the old value. */
	ck_assert_int_eq(call(do_mmap, heap + 8192, 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0),
			 (int64_t)heap + 8192);
	ck_assert_int_eq(call(do_brk, heap + 16384, 0, 0, 0, 0), (int64_t)heap + 4096);
	ck_assert_int_eq(call(do_brk, GUEST_TOP + 1, 0, 0, 0, 0), (int64_t)heap + 4096);
}
END_TEST

START_TEST(test_poke)
{
	uint64_t a = anonymous(8192, PROT_READ), none = anonymous(4096, PROT_NONE);

	ck_assert_int_eq(mm_poke(mm, a + 4090, "abcdefghijkl", 12), 0);
	ck_assert_int_eq(memcmp((void *)(a + 4090), "abcdefghijkl", 12), 0);
	ck_assert_int_eq(mm_poke(mm, none, "xyz", 3), 0);
	ck_assert_int_eq(mm_protect(mm, none, 4096, PROT_READ), 0);
	ck_assert_int_eq(memcmp((void *)none, "xyz", 3), 0);
	ck_assert_int_eq(mm_poke(mm, AREA, "x", 1), -EFAULT);
	ck_assert_int_eq(mm_poke(mm, a + 8190, "abc", 3), mm_find(mm, a + 8192) ? 0 : -EFAULT);
}
END_TEST

START_TEST(test_maps_text)
{
	struct map_source src = { .fd = -1, .dev = 0xfe01, .ino = 77, .path = "/a\nb" };
	struct mm_request r = { .addr = AREA, .len = 4096, .prot = PROT_READ, .flags = MAP_PRIVATE | MAP_FIXED,
				.src = &src };
	cleanup_free char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	src.fd = memfd_create("x", 0);
	ck_assert_int_eq(ftruncate(src.fd, 8192), 0);
	src.offset = 4096;
	ck_assert_int_eq(mm_map(mm, &r), (int64_t)AREA);
	close(src.fd);
	ck_assert_int_eq(call(do_mmap, AREA + 4096, 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0),
			 (int64_t)AREA + 4096);
	mm_print_maps(mm, out);
	fclose(out);
	ck_assert_str_eq(text, "300000000000-300000001000 r--p 00001000 fe:01 77                         /a\\012b\n"
			 "300000001000-300000002000 rw-p 00000000 00:00 0 \n");
}
END_TEST

/* Thousands of mappings, and all of it given back. */
START_TEST(test_many)
{
	const uint64_t flags = MAP_PRIVATE | MAP_ANONYMOUS;

	for (int i = 0; i < 8000; i++)
		ck_assert_int_gt(call(do_mmap, 0, 4096, i & 1 ? PROT_NONE : PROT_READ, flags, 0), 0);
	ck_assert_uint_eq(mm->n, 8000);
	for (uint64_t at = mm->mmap_top - 8000 * 4096ULL; at < mm->mmap_top; at += 8192)
		ck_assert_int_eq(mm_unmap(mm, at, 4096), 0);
	ck_assert_uint_eq(mm->n, 4000);
	ck_assert_int_eq(call(do_mmap, 0, 4096, RW, flags, 0), (int64_t)(mm->mmap_top - 8192));
	ck_assert_int_eq(call(do_mmap, 0, 8192, RW, flags, 0), (int64_t)(mm->mmap_top - 8001 * 4096ULL));
	ck_assert_int_eq(call(do_mmap, 0, 4096, RW, flags, 0), (int64_t)(mm->mmap_top - 4 * 4096));
}
END_TEST

int main(int argc, char **argv)
{
	Suite *s = suite_create("mm_fill");
	TCase *c = tcase_create("mm_fill");

	(void)argc;
	double_no_randomisation(argv);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, test_fill);
	tcase_add_test(c, test_faults);
	tcase_add_test(c, test_grow);
	tcase_add_test(c, test_stack);
	tcase_add_test(c, test_stack_replaced);
	tcase_add_test(c, test_executable_stack);
	tcase_add_test(c, test_advice);
	tcase_add_test(c, test_mremap_content);
	tcase_add_test(c, test_brk);
	tcase_add_test(c, test_poke);
	tcase_add_test(c, test_maps_text);
	tcase_add_test(c, test_many);
	suite_add_tcase(s, c);
	return unit_run(s);
}
