/* Jump patches: which sites, what is written, what each place in a stub is, and that code from here to there is all right. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "guestlib/abi.h"
#include "tests/unit/unit.h"
#include "vmm/insn.h"
#include "vmm/jump.h"

#define LIBRARY 0x7efff6ed3345ULL

static unsigned shape(const char *bytes, size_t len, unsigned starts)
{
	return jump_shape((const uint8_t *)bytes + len, len, (uint16_t)starts, NULL);
}

#define SHAPE(bytes, starts) shape(bytes, sizeof(bytes) - 1, starts)
#define AT(n) (1u << (n))

START_TEST(shapes_of_libraries)
{
	ck_assert_uint_eq(SHAPE("\xb8\x6e\0\0\0", AT(5)), 5);                 /* mov $110,%eax */
	ck_assert_uint_eq(SHAPE("\xbf\x6e\0\0\0", AT(5)), 5);                 /* mov $110,%edi */
	ck_assert_uint_eq(SHAPE("\x48\xc7\xc0\x0f\0\0\0", AT(7)), 7);         /* mov $15,%rax */
	ck_assert_uint_eq(SHAPE("\x41\xba\x08\0\0\0", AT(6)), 6);             /* mov $8,%r10d */
	ck_assert_uint_eq(SHAPE("\x4c\x8b\x4c\x24\x08", AT(5)), 5);           /* mov 8(%rsp),%r9 */
	ck_assert_uint_eq(SHAPE("\x48\x8b\x74\x24\x10", AT(5)), 5);           /* mov 16(%rsp),%rsi */
	ck_assert_uint_eq(SHAPE("\x48\x8d\x54\x24\x08", AT(5)), 5);           /* lea 8(%rsp),%rdx */
	ck_assert_uint_eq(SHAPE("\x48\x8d\xb3\x20\x01\0\0", AT(7)), 7);       /* lea 0x120(%rbx),%rsi */
}
END_TEST

START_TEST(what_is_no_shape)
{
	ck_assert_uint_eq(SHAPE("\x89\xf8", AT(2)), 0);                       /* too short: mov %edi,%eax */
	ck_assert_uint_eq(SHAPE("\x8b\x7c\x24\x10", AT(4)), 0);               /* mov 16(%rsp),%edi */
	ck_assert_uint_eq(SHAPE("\x48\x8d\x35\0\0\0\0", AT(7)), 0);           /* depends on its place: lea 0(%rip),%rsi */
	ck_assert_uint_eq(SHAPE("\x48\x8b\x05\0\0\0\0", AT(7)), 0);
	ck_assert_uint_eq(SHAPE("\xe8\0\0\0\0", AT(5)), 0);                   /* call */
	ck_assert_uint_eq(SHAPE("\x05\x01\0\0\0", AT(5)), 0);                 /* add $1,%eax: flags */
	ck_assert_uint_eq(SHAPE("\xb8\x6e\0\0", AT(5)), 0);                   /* its first byte is on another page */
}
END_TEST

/* What stands there by its bytes must be what was found by following the code. */
START_TEST(an_instruction_or_not)
{
	ck_assert_uint_eq(SHAPE("\x41\xb8\x01\0\0\0", AT(6)), 6);             /* mov $1,%r8d, not mov $1,%eax */
	ck_assert_uint_eq(SHAPE("\xc7\x43\xb8\x01\0\0\0", AT(7)), 0);         /* movl $1,-0x48(%rbx) */
	ck_assert_uint_eq(SHAPE("\xb8\x6e\0\0\0", 0), 0);                     /* nothing is known */
	ck_assert_uint_eq(SHAPE("\xb8\x6e\0\0\0", AT(5) | AT(3)), 0);         /* somebody jumps into it */
	ck_assert_uint_eq(SHAPE("\x90\x90\xb8\x6e\0\0\0", AT(5) | AT(6) | AT(7)), 5);
}
END_TEST

static struct jump_site site_at(uint64_t addr)
{
	return (struct jump_site){ .addr = addr, .stub = JUMP_BASE + 3 * JUMP_SLOT, .len = 5, .code = "\x4c\x8b\x4c\x24\x08" };
}

static uint64_t target(const uint8_t *code, size_t len, uint64_t at, unsigned kind)
{
	struct insn i;

	ck_assert_int_eq(insn_decode(code, len, at, &i), 0);
	ck_assert_uint_eq(i.kind, kind);
	return kind == INSN_JUMP ? i.target : at + i.len;
}

START_TEST(patch_leads_to_the_stub)
{
	struct jump_site s = site_at(LIBRARY);
	uint8_t out[JUMP_X_MAX];

	ck_assert(jump_patch(&s, out));
	ck_assert_uint_eq(target(out, s.len, s.addr, INSN_JUMP), s.stub);
	s.len = 7;
	ck_assert(jump_patch(&s, out));
	ck_assert(out[5] == 0x90 && out[6] == 0x90);
}
END_TEST

/* The numbers come from a trace. */
START_TEST(patches_that_cannot_be)
{
	struct jump_site s = site_at(0x560000001000);
	uint8_t out[JUMP_X_MAX];

	ck_assert(!jump_patch(&s, out)); /* too far */
	s = site_at(LIBRARY);
	s.stub++;
	ck_assert(!jump_patch(&s, out));
	s.stub = JUMP_BASE + JUMP_SIZE;
	ck_assert(!jump_patch(&s, out));
	s = site_at(GUEST_TOP - 8);
	ck_assert(!jump_patch(&s, out));
	s = site_at(LIBRARY);
	s.len = 4;
	ck_assert(!jump_patch(&s, out));
	s.len = JUMP_X_MAX + 1;
	ck_assert(!jump_patch(&s, out));
}
END_TEST

START_TEST(direct_stub_goes_back)
{
	struct jump_site s = site_at(LIBRARY);
	uint8_t code[JUMP_SLOT];
	unsigned n = jump_stub(&s, true, code);

	ck_assert(!memcmp(code, s.code, s.len));
	ck_assert_uint_eq(target(code + s.len, n - s.len, s.stub + s.len, INSN_JUMP), s.addr + s.len);
}
END_TEST

START_TEST(stub_enters_guestlib)
{
	struct jump_site s = site_at(LIBRARY);
	uint8_t code[JUMP_SLOT];
	unsigned n;
	int32_t rel;

	for (s.len = 5; s.len <= JUMP_X_MAX; s.len++) {
		n = jump_stub(&s, false, code);
		ck_assert_uint_le(n, JUMP_SLOT);
		ck_assert(!memcmp(code, s.code, s.len));
		ck_assert(!memcmp(code + s.len, "\x48\x8d\x0d", 3)); /* lea rel(%rip),%rcx */
		memcpy(&rel, code + s.len + 3, 4);
		ck_assert_uint_eq(s.stub + s.len + 7 + (uint64_t)(int64_t)rel, s.addr + s.len + 2);
		ck_assert_uint_eq(target(code + s.len + 7, n - s.len - 7, s.stub + s.len + 7, INSN_JUMP),
				  SWITCHLESS_BASE + ABI_SW_JUMP);
	}
}
END_TEST

START_TEST(places_in_a_stub)
{
	struct jump_site s = site_at(LIBRARY);
	struct guest_regs r = { .rflags = 0x246, .r11 = 1, .rcx = 2 };

	r.rip = s.stub;
	ck_assert_int_eq(jump_explain(&s, &r), JUMP_BEFORE);
	ck_assert(r.rip == s.addr && r.r11 == 1 && r.rcx == 2);
	r.rip = s.stub + s.len;
	ck_assert_int_eq(jump_explain(&s, &r), JUMP_AFTER);
	ck_assert(r.rip == s.addr + s.len && r.r11 == 1 && r.rcx == 2);
	r.rip = s.stub + s.len + 7;
	r.rcx = s.addr + s.len + 2;
	ck_assert_int_eq(jump_explain(&s, &r), JUMP_CALLED);
	ck_assert(r.rip == s.addr + s.len + 2 && r.r11 == 0x246);
	/* Only a program that goes there by itself can be elsewhere. */
	r.rip = s.stub + 1;
	ck_assert_int_eq(jump_explain(&s, &r), JUMP_NOWHERE);
	ck_assert_uint_eq(r.rip, s.stub + 1);
	r.rip = s.stub + s.len + 12;
	ck_assert_int_eq(jump_explain(&s, &r), JUMP_NOWHERE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("jump");
	TCase *c = tcase_create("jump");

	tcase_add_test(c, shapes_of_libraries);
	tcase_add_test(c, what_is_no_shape);
	tcase_add_test(c, an_instruction_or_not);
	tcase_add_test(c, patch_leads_to_the_stub);
	tcase_add_test(c, patches_that_cannot_be);
	tcase_add_test(c, direct_stub_goes_back);
	tcase_add_test(c, stub_enters_guestlib);
	tcase_add_test(c, places_in_a_stub);
	suite_add_tcase(s, c);
	return unit_run(s);
}
