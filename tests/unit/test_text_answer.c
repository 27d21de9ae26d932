/* Constants in place of cpuid: which code has the shape, and what the stubs do when they run. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "syscall-emu/text_answer.h"
#include "tests/unit/unit.h"

#define CODE(name, text)                                                                         \
	__asm__(".pushsection .rodata\n" #name ": " text "\n" #name "_end: .popsection");       \
	extern const uint8_t name[], name##_end[]

#define ROOM 4096
#define STUB 1024

static const struct cpu_table amd = {
	.n = 4,
	.e = {
		{ .function = 0, .eax = 13, .ebx = 0x68747541, .ecx = 0x444d4163, .edx = 0x69746e65 },
		{ .function = 1, .eax = 0x11223344, .ebx = 0x55667788, .ecx = 0x99aabbcc, .edx = 0xddeeff00 },
		{ .function = 7, .index = 0, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = 1, .ebx = 2, .ecx = 3, .edx = 4 },
		{ .function = 7, .index = 1, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = 5, .ebx = 6, .ecx = 7, .edx = 8 },
	},
};

static const struct cpu_table intel = {
	.n = 2,
	.e = {
		{ .function = 0, .eax = 1, .ebx = 0x756e6547, .ecx = 0x6c65746e, .edx = 0x49656e69 },
		{ .function = 1, .eax = 0x11223344, .ebx = 0x55667788, .ecx = 0x99aabbcc, .edx = 0xddeeff00 },
	},
};

static struct text_found found;

static void one_function(void *arg, struct text_place *place, size_t n)
{
	(void)arg;
	for (size_t i = 0; i < n; i++)
		place[i].start = 0;
}

/* The first cpuid of code, as a scan finds it. */
static const struct text_hit *scan(const uint8_t *code, size_t len)
{
	struct text_input in = { .code = code, .len = len, .kinds = TEXT_BIT(TEXT_CPUID), .functions = one_function };

	free(found.hit);
	ck_assert_int_eq(text_scan(&in, &found), 0);
	ck_assert_uint_ge(found.n, 1);
	return &found.hit[0];
}

#define HAS_SHAPE(table, name) text_answer_make(table, name, scan(name, (size_t)(name##_end - name)), STUB, &(struct text_answer){ 0 })

CODE(leaf1, "mov $1, %eax; cpuid; ret");
CODE(leaf7, "mov $7, %eax; cpuid; ret");
CODE(leaf7_0, "mov $7, %eax; xor %ecx, %ecx; cpuid; ret");
CODE(leaf5, "mov $0x80000005, %eax; cpuid; ret");
CODE(other_register, "mov $1, %r8d; cpuid; ret");
CODE(other_place, "movl $1, -0x48(%rbp); cpuid; ret"); /* c7 45 b8 imm32 */
CODE(copied, "mov $1, %eax; mov %esi, %ecx; cpuid; ret");
CODE(other_clear, "mov $1, %eax; xor %edx, %edx; cpuid; ret");
CODE(near_end, "cpuid; ret");

START_TEST(test_shapes)
{
	ck_assert(HAS_SHAPE(&amd, leaf1));
	ck_assert(HAS_SHAPE(&intel, leaf1));
	ck_assert(!HAS_SHAPE(&amd, leaf7));
	ck_assert(HAS_SHAPE(&amd, leaf7_0));
	ck_assert(HAS_SHAPE(&amd, leaf5)); /* zeros */
	ck_assert(!HAS_SHAPE(&intel, leaf5)); /* what the last basic leaf shows */
	ck_assert(!HAS_SHAPE(&amd, other_register));
	ck_assert(!HAS_SHAPE(&amd, other_place));
	ck_assert(!HAS_SHAPE(&amd, copied));
	ck_assert(!HAS_SHAPE(&amd, other_clear));
	ck_assert(!HAS_SHAPE(&amd, near_end));
}
END_TEST

/* Without a proof of what comes before there is no shape. */
START_TEST(test_unproven)
{
	struct text_hit h = *scan(leaf1, (size_t)(leaf1_end - leaf1));
	struct text_answer a;

	h.starts = 0;
	ck_assert(!text_answer_make(&amd, leaf1, &h, STUB, &a));
	h.starts = 1u << 5 | 1u << 3; /* somebody comes from the middle of it */
	ck_assert(!text_answer_make(&amd, leaf1, &h, STUB, &a));
}
END_TEST

struct result { uint64_t rax, rbx, rcx, rdx, flags; };

/* Calls f, which returns, with all registers and the carry flag set. */
void run(const void *f, struct result *r);
__asm__(".pushsection .text\n"
	"run: push %rbx; push %rsi; mov %rdi, %r8; mov $-1, %rax; mov %rax, %rbx; mov %rax, %rcx; mov %rax, %rdx; stc; call *%r8;"
	"pushfq; pop %r9; pop %rsi; mov %rax, (%rsi); mov %rbx, 8(%rsi); mov %rcx, 16(%rsi); mov %rdx, 24(%rsi); mov %r9, 32(%rsi);"
	"pop %rbx; ret\n"
	".popsection");

static void run_patched(const uint8_t *code, size_t len, struct result *r)
{
	uint8_t *m = mmap(NULL, ROOM, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct text_hit *h = scan(code, len);
	struct text_answer a;

	ck_assert_ptr_ne(m, MAP_FAILED);
	memcpy(m, code, len);
	ck_assert(text_answer_make(&amd, m, h, STUB, &a));
	ck_assert_uint_le(a.len, TEXT_ANSWER_MAX);
	memcpy(m + a.off, a.jump, sizeof(a.jump));
	memcpy(m + h->off, "\x0f\x0b", 2);
	memcpy(m + STUB, a.stub, a.len);
	run(m, r);
	munmap(m, ROOM);
}

#define CARRY 1u
#define ZERO 0x40u

START_TEST(test_run)
{
	struct result r;

	run_patched(leaf1, (size_t)(leaf1_end - leaf1), &r);
	ck_assert_uint_eq(r.rax, 0x11223344);
	ck_assert_uint_eq(r.rbx, 0x55667788);
	ck_assert_uint_eq(r.rcx, 0x99aabbcc);
	ck_assert_uint_eq(r.rdx, 0xddeeff00);
	ck_assert(r.flags & CARRY); /* cpuid leaves flags alone */
	run_patched(leaf7_0, (size_t)(leaf7_0_end - leaf7_0), &r);
	ck_assert_uint_eq(r.rax, 1);
	ck_assert_uint_eq(r.rbx, 2);
	ck_assert_uint_eq(r.rcx, 3);
	ck_assert_uint_eq(r.rdx, 4);
	ck_assert_uint_eq(r.flags & (CARRY | ZERO), ZERO); /* of the xor */
	run_patched(leaf5, (size_t)(leaf5_end - leaf5), &r);
	ck_assert_uint_eq(r.rax | r.rbx | r.rcx | r.rdx, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("text_answer");
	TCase *c = tcase_create("text_answer");

	tcase_add_test(c, test_shapes);
	tcase_add_test(c, test_unproven);
	tcase_add_test(c, test_run);
	suite_add_tcase(s, c);
	return unit_run(s);
}
