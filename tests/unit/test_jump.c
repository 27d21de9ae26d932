/* Jump patches: which sites, what is written, what each place in a stub is, and that code from here to there is all right. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "guestlib/abi.h"
#include "tests/unit/unit.h"
#include "vmm/insn.h"
#include "vmm/jump.h"

#define LIBRARY 0x7efff6ed3345ULL

/* How far before the `syscall` X starts; 0: nowhere. */
static unsigned shape(const char *bytes, size_t len, unsigned starts)
{
	struct jump_site s;

	return jump_find(&s, LIBRARY, (const uint8_t *)bytes + len, len, (uint16_t)starts) ? s.len : 0;
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
	ck_assert_uint_eq(SHAPE("\x48\x8d\x54\x24\x08", AT(5)), 5);           /* lea 8(%rsp),%rdx */
	/* mov $202,%eax; xor $-128,%sil: a futex */
	ck_assert_uint_eq(SHAPE("\xb8\xca\0\0\0\x40\x80\xf6\x80", AT(9) | AT(4)), 9);
	/* cmpb $0,0x1000(%rip); je +0x17; xor %eax,%eax: read */
	ck_assert_uint_eq(SHAPE("\x80\x3d\0\x10\0\0\0\x74\x17\x31\xc0", AT(11) | AT(4) | AT(2)), 11);
}
END_TEST

START_TEST(what_is_no_shape)
{
	ck_assert_uint_eq(SHAPE("\x89\xf8", AT(2)), 0);                       /* too short: mov %edi,%eax */
	ck_assert_uint_eq(SHAPE("\x8b\x7c\x24\x10\x89\xf8", AT(6) | AT(2)), 0);
	ck_assert_uint_eq(SHAPE("\xe8\0\0\0\0", AT(5)), 0);                   /* call */
	ck_assert_uint_eq(SHAPE("\x0f\x84\0\0\0\0", AT(6)), 0);               /* a branch first */
	ck_assert_uint_eq(SHAPE("\xb8\x6e\0\0\0\xeb\0", AT(7) | AT(2)), 0);   /* a jump between */
	ck_assert_uint_eq(SHAPE("\xb8\x6e\0\0\0\x9d", AT(6) | AT(1)), 0);     /* popf */
	ck_assert_uint_eq(SHAPE("\xb8\x6e\0\0\0\x0f\x05", AT(7) | AT(2)), 0); /* another syscall */
	ck_assert_uint_eq(SHAPE("\xb8\x6e\0\0\0\x48\x0f\x05", AT(8) | AT(3)), 0);
	ck_assert_uint_eq(SHAPE("\xb8\x6e\0\0\0\xf3\xa4", AT(7) | AT(2)), 0); /* may be half done */
	ck_assert_uint_eq(SHAPE("\xb8\x6e\0\0", AT(5)), 0);                   /* its first byte is on another page */
	ck_assert_uint_eq(SHAPE("", 0), 0);
}
END_TEST

/* What stands there by its bytes must be what was found by following the code. */
START_TEST(an_instruction_or_not)
{
	ck_assert_uint_eq(SHAPE("\x41\xb8\x01\0\0\0", AT(6)), 6);             /* mov $1,%r8d, not mov $1,%eax */
	ck_assert_uint_eq(SHAPE("\xc7\x43\xb8\x01\0\0\0", AT(7)), 7);         /* movl $1,-0x48(%rbx) */
	ck_assert_uint_eq(SHAPE("\xb8\x6e\0\0\0", 0), 0);                     /* nothing is known */
	ck_assert_uint_eq(SHAPE("\xb8\x6e\0\0\0", AT(5) | AT(3)), 0);         /* somebody jumps into it */
	ck_assert_uint_eq(SHAPE("\xb8\x6e\0\0\0\x31\xc0", AT(7) | AT(2) | AT(1)), 0);
	ck_assert_uint_eq(SHAPE("\x90\x90\xb8\x6e\0\0\0", AT(5) | AT(6) | AT(7)), 5);
	ck_assert_uint_eq(SHAPE("\xb8\x6e\0\0\0", JUMP_ANY), 5);
	ck_assert_uint_eq(SHAPE("\x89\xf8", JUMP_ANY), 0);
}
END_TEST

static struct jump_site site_of(uint64_t call, const char *bytes, size_t len)
{
	struct jump_site s = { .addr = call - len, .stub = JUMP_BASE + 3 * JUMP_SLOT, .len = (uint8_t)len };

	memcpy(s.code, bytes, len);
	ck_assert(jump_decode(&s));
	return s;
}

#define SYSCALL_3 "\x4c\x8b\x4c\x24\x08"
#define READ "\x80\x3d\0\x10\0\0\0\x74\x17\x31\xc0"
#define SITE(call, bytes) site_of(call, bytes, sizeof(bytes) - 1)

static uint64_t target(const uint8_t *code, size_t len, uint64_t at, unsigned kind)
{
	struct insn i;

	ck_assert_int_eq(insn_decode(code, len, at, &i), 0);
	ck_assert_uint_eq(i.kind, kind);
	return kind == INSN_JUMP ? i.target : at + i.len;
}

START_TEST(patch_leads_to_the_stub)
{
	struct jump_site s = SITE(LIBRARY, SYSCALL_3);
	uint8_t out[JUMP_X_MAX];

	ck_assert(jump_patch(&s, out));
	ck_assert_uint_eq(target(out, 5, s.addr, INSN_JUMP), s.stub);
	s = SITE(LIBRARY, READ);
	ck_assert(jump_patch(&s, out));
	ck_assert_uint_eq(target(out, 5, s.addr, INSN_JUMP), s.stub);
	ck_assert(out[5] == 0x90 && out[6] == 0x90);
}
END_TEST

/* The numbers come from a trace. */
START_TEST(patches_that_cannot_be)
{
	struct jump_site s = SITE(0x560000001000, SYSCALL_3);
	uint8_t out[JUMP_X_MAX];

	ck_assert(!jump_patch(&s, out)); /* too far */
	s = SITE(LIBRARY, SYSCALL_3);
	s.stub++;
	ck_assert(!jump_patch(&s, out));
	s.stub = JUMP_BASE + JUMP_SIZE;
	ck_assert(!jump_patch(&s, out));
	s = SITE(GUEST_TOP - 3, SYSCALL_3);
	ck_assert(!jump_patch(&s, out));
	/* What it reads is too far from the stub: just within reach of the program. */
	s = SITE(JUMP_BASE - 0x7f000000, "\x80\x3d\0\0\0\x80\0\x31\xc0");
	ck_assert(!jump_patch(&s, out));
	s = SITE(LIBRARY, SYSCALL_3);
	s.len = 4;
	ck_assert(!jump_decode(&s));
	s.len = JUMP_X_MAX + 1;
	ck_assert(!jump_decode(&s));
	s.len = 0;
	ck_assert(!jump_decode(&s));
}
END_TEST

START_TEST(direct_stub_goes_back)
{
	struct jump_site s = SITE(LIBRARY, SYSCALL_3);
	uint8_t code[JUMP_SLOT], at[JUMP_INSNS + 1];
	unsigned n = jump_stub(&s, true, code, at);

	ck_assert(!memcmp(code, s.code, 5));
	ck_assert_uint_eq(target(code + 5, n - 5, s.stub + 5, INSN_JUMP), LIBRARY);
	/* Only X is done elsewhere, with the same operand. */
	s = SITE(LIBRARY, READ);
	n = jump_stub(&s, true, code, at);
	ck_assert(code[0] == 0x80 && code[1] == 0x3d && at[1] == 7 && n == 12);
	ck_assert_uint_eq(target(code + 7, n - 7, s.stub + 7, INSN_JUMP), s.addr + 7);
}
END_TEST

static void enters_guestlib(const struct jump_site *s)
{
	uint8_t code[JUMP_SLOT], at[JUMP_INSNS + 1];
	unsigned n = jump_stub(s, false, code, at), tail = at[s->n];
	int32_t rel;

	ck_assert_uint_le(n, JUMP_SLOT);
	ck_assert(!memcmp(code + tail, "\x48\x8d\x0d", 3)); /* lea rel(%rip),%rcx */
	memcpy(&rel, code + tail + 3, 4);
	ck_assert_uint_eq(s->stub + tail + 7 + (uint64_t)(int64_t)rel, LIBRARY + 2);
	ck_assert_uint_eq(target(code + tail + 7, n - tail - 7, s->stub + tail + 7, INSN_JUMP), SWITCHLESS_BASE + ABI_SW_JUMP);
}

START_TEST(stub_enters_guestlib)
{
	struct jump_site s = SITE(LIBRARY, SYSCALL_3);
	uint8_t code[JUMP_SLOT], at[JUMP_INSNS + 1];
	struct insn i;
	int32_t disp;

	enters_guestlib(&s);
	s = SITE(LIBRARY, "\xb8\x6e\0\0\0\x74\x01\x75\x02\x70\x03\x7c\x04"); /* as long as can be */
	enters_guestlib(&s);
	s = SITE(LIBRARY, READ);
	enters_guestlib(&s);
	jump_stub(&s, false, code, at);
	memcpy(&disp, code + 2, 4);
	ck_assert_uint_eq(s.stub + 7 + (uint64_t)(int64_t)disp, s.addr + 7 + 0x1000);
	ck_assert_int_eq(insn_decode(code + at[1], JUMP_SLOT - at[1], s.stub + at[1], &i), 0);
	ck_assert(i.kind == INSN_BRANCH && i.cond == 4 && i.target == s.addr + 9 + 0x17);
	ck_assert(!memcmp(code + at[2], "\x31\xc0", 2) && at[2] == 13 && at[3] == 15);
}
END_TEST

/* Far away: X in a pad, the rest in the stub. */
static uint64_t far_target(const uint8_t *code, unsigned n, uint64_t base)
{
	uint64_t to;
	int32_t disp;

	ck_assert(code[n] == 0xff && code[n + 1] == 0x25); /* jmp *disp(%rip) */
	memcpy(&disp, code + n + 2, 4);
	ck_assert_uint_eq((base + n + 6 + (unsigned)disp) % 8, 0);
	memcpy(&to, code + n + 6 + disp, 8);
	return to;
}

START_TEST(pads)
{
	uint8_t out[JUMP_X_MAX], pad[JUMP_PAD_MAX], code[JUMP_SLOT], at[JUMP_INSNS + 1];
	struct jump_site s = SITE(0x401005, "\x80\x3d\0\x10\0\0\0\x31\xc0");
	struct guest_regs r = { .rflags = 0x246 };

	s.pad = 0x401f08;
	ck_assert(jump_patch(&s, out));
	ck_assert_uint_eq(target(out, 5, s.addr, INSN_JUMP), s.pad);
	ck_assert_uint_le(jump_pad(&s, pad), JUMP_PAD_MAX);
	ck_assert_uint_eq(far_target(pad, 7, s.pad), s.stub);
	jump_stub(&s, true, code, at);
	ck_assert_uint_eq(far_target(code, 0, s.stub), s.addr + 7);
	jump_stub(&s, false, code, at);
	ck_assert(!memcmp(code, "\x31\xc0\x48\xb9\x07\x10\x40\0\0\0\0\0\xe9", 13));
	r.rip = s.pad;
	ck_assert(jump_explain(&s, false, &r) == JUMP_BEFORE && r.rip == s.addr);
	r.rip = s.pad + 7;
	ck_assert(jump_explain(&s, false, &r) == JUMP_AFTER && r.rip == s.addr + 7);
	r.rip = s.stub;
	ck_assert(jump_explain(&s, false, &r) == JUMP_AFTER && r.rip == s.addr + 7);
	r.rip = s.stub;
	ck_assert(jump_explain(&s, true, &r) == JUMP_AFTER && r.rip == s.addr + 7);
	r.rip = s.stub + 2;
	ck_assert(jump_explain(&s, false, &r) == JUMP_AFTER && r.rip == 0x401005);
	r.rip = s.stub + 12;
	r.rcx = 0x401007;
	ck_assert(jump_explain(&s, false, &r) == JUMP_CALLED && r.rip == 0x401007 && r.r11 == 0x246);
	/* Its own reach, and the stub's. */
	s.pad = 0x90000000;
	ck_assert(!jump_patch(&s, out));
	s.pad = 0x401f09;
	ck_assert(!jump_patch(&s, out));
	s = SITE(0x401005, "\xb8\0\0\0\0\x74\x10");
	s.pad = 0x401f08;
	ck_assert(!jump_patch(&s, out));
}
END_TEST

static enum jump_at explain(const struct jump_site *s, bool direct, uint64_t off, struct guest_regs *r)
{
	*r = (struct guest_regs){ .rflags = 0x246, .r11 = 1, .rcx = LIBRARY + 2, .rip = s->stub + off };
	return jump_explain(s, direct, r);
}

START_TEST(places_in_a_stub)
{
	struct jump_site s = SITE(LIBRARY, READ);
	struct guest_regs r;

	for (unsigned direct = 0; direct < 2; direct++) {
		ck_assert_int_eq(explain(&s, direct, 0, &r), JUMP_BEFORE);
		ck_assert(r.rip == s.addr && r.r11 == 1);
		ck_assert_int_eq(explain(&s, direct, 7, &r), JUMP_AFTER);
		ck_assert(r.rip == s.addr + 7 && r.r11 == 1);
		/* Only a program that goes there by itself can be elsewhere. */
		ck_assert_int_eq(explain(&s, direct, 1, &r), JUMP_NOWHERE);
		ck_assert_uint_eq(r.rip, s.stub + 1);
		ck_assert_int_eq(explain(&s, direct, 27, &r), JUMP_NOWHERE);
	}
	ck_assert_int_eq(explain(&s, false, 13, &r), JUMP_AFTER);
	ck_assert(r.rip == s.addr + 9 && r.r11 == 1);
	ck_assert_int_eq(explain(&s, false, 15, &r), JUMP_AFTER);
	ck_assert(r.rip == LIBRARY && r.r11 == 1);
	ck_assert_int_eq(explain(&s, true, 15, &r), JUMP_NOWHERE);
	ck_assert_int_eq(explain(&s, false, 22, &r), JUMP_CALLED);
	ck_assert(r.rip == LIBRARY + 2 && r.r11 == 0x246);
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
	tcase_add_test(c, pads);
	suite_add_tcase(s, c);
	return unit_run(s);
}
