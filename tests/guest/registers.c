/* What a system call leaves alone: all general registers but rax, rcx, r11; flags; x87, SSE and AVX state. */
#include "guest.h"
#include <cpuid.h>

struct regs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, flags_before, flags_after, next;
};

/* Loads all registers with known values, calls getppid, stores them. */
static void call(struct regs *r)
{
	__asm__ volatile(
		"push %%rbp\n\tpush %0\n\t"
		"mov $0x0101010101010101, %%rbx\n\tmov $0x0202020202020202, %%rdx\n\tmov $0x0303030303030303, %%rsi\n\t"
		"mov $0x0404040404040404, %%rdi\n\tmov $0x0505050505050505, %%rbp\n\tmov $0x0606060606060606, %%r8\n\t"
		"mov $0x0707070707070707, %%r9\n\tmov $0x0808080808080808, %%r10\n\tmov $0x0909090909090909, %%r12\n\t"
		"mov $0x1010101010101010, %%r13\n\tmov $0x1111111111111111, %%r14\n\tmov $0x1212121212121212, %%r15\n\t"
		"mov $110, %%eax\n\txor %%ecx, %%ecx\n\tstc\n\tstd\n\tpushfq\n\tpop %%r11\n\tpush %%r11\n\tsyscall\n"
		"1:\tpushfq\n\tcld\n\tpush %%rax\n\tmov 24(%%rsp), %%rax\n\t"
		"mov %%rbx, 8(%%rax)\n\tmov %%rcx, 16(%%rax)\n\tmov %%rdx, 24(%%rax)\n\tmov %%rsi, 32(%%rax)\n\t"
		"mov %%rdi, 40(%%rax)\n\tmov %%rbp, 48(%%rax)\n\tmov %%r8, 56(%%rax)\n\tmov %%r9, 64(%%rax)\n\t"
		"mov %%r10, 72(%%rax)\n\tmov %%r11, 80(%%rax)\n\tmov %%r12, 88(%%rax)\n\tmov %%r13, 96(%%rax)\n\t"
		"mov %%r14, 104(%%rax)\n\tmov %%r15, 112(%%rax)\n\t"
		"pop %%rcx\n\tmov %%rcx, (%%rax)\n\tpop %%rcx\n\tmov %%rcx, 128(%%rax)\n\tpop %%rcx\n\tmov %%rcx, 120(%%rax)\n\t"
		"lea 1b(%%rip), %%rcx\n\tmov %%rcx, 136(%%rax)\n\tpop %%rcx\n\tpop %%rbp"
		: : "a"(r) : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
}

static void general(void)
{
	struct regs r;

	call(&r);
	CHECK((pid_t)r.rax == getppid());
	CHECK(r.rbx == 0x0101010101010101 && r.rdx == 0x0202020202020202 && r.rsi == 0x0303030303030303);
	CHECK(r.rdi == 0x0404040404040404 && r.rbp == 0x0505050505050505 && r.r8 == 0x0606060606060606);
	CHECK(r.r9 == 0x0707070707070707 && r.r10 == 0x0808080808080808 && r.r12 == 0x0909090909090909);
	CHECK(r.r13 == 0x1010101010101010 && r.r14 == 0x1111111111111111 && r.r15 == 0x1212121212121212);
	CHECK(r.rcx == r.next);
	CHECK(r.r11 == r.flags_before && r.flags_after == r.flags_before);
	printf("flags %#lx\n", r.flags_after & 0xcd5);
}

static void x87_and_sse(void)
{
	uint16_t cw = 0x0f7f, cw_after;
	uint32_t mxcsr = 0x9fc0, mxcsr_after, old;
	long double a = 1.0L / 3, b = 2.0L / 7, a_after, b_after;
	unsigned char in[256], out[256];
	uint16_t old_cw;

	for (int i = 0; i < 256; i++)
		in[i] = i * 7 + 1;
	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(old), "=m"(old_cw));
	__asm__ volatile(
		"fldt %[a]\n\tfldt %[b]\n\tfldcw %[cw]\n\tldmxcsr %[mx]\n\t"
		"movups (%[in]), %%xmm0\n\tmovups 16(%[in]), %%xmm1\n\tmovups 112(%[in]), %%xmm7\n\tmovups 240(%[in]), %%xmm15\n\t"
		"mov $39, %%eax\n\tsyscall\n\t"
		"movups %%xmm0, (%[out])\n\tmovups %%xmm1, 16(%[out])\n\tmovups %%xmm7, 112(%[out])\n\tmovups %%xmm15, 240(%[out])\n\t"
		"stmxcsr %[mx2]\n\tfnstcw %[cw2]\n\tfstpt %[b2]\n\tfstpt %[a2]"
		: [mx2] "=m"(mxcsr_after), [cw2] "=m"(cw_after), [a2] "=m"(a_after), [b2] "=m"(b_after)
		: [a] "m"(a), [b] "m"(b), [cw] "m"(cw), [mx] "m"(mxcsr), [in] "r"(in), [out] "r"(out)
		: "rax", "rcx", "r11", "memory", "xmm0", "xmm1", "xmm7", "xmm15");
	__asm__ volatile("ldmxcsr %0; fldcw %1" ::"m"(old), "m"(old_cw));
	CHECK(cw_after == cw && mxcsr_after == mxcsr && a_after == a && b_after == b);
	CHECK(!memcmp(in, out, 32) && !memcmp(in + 112, out + 112, 16) && !memcmp(in + 240, out + 240, 16));
	printf("x87 and SSE: start mxcsr %#x cw %#x\n", old, old_cw);
}

static int os_saves(uint32_t bits)
{
	unsigned a, b, c, d;
	uint32_t lo, hi;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (lo & bits) == bits;
}

__attribute__((target("avx"))) static void avx(void)
{
	unsigned char in[64], out[64] = { 0 };

	for (int i = 0; i < 64; i++)
		in[i] = i ^ 0x5a;
	__asm__ volatile("vmovups (%0), %%ymm3\n\tvmovups 32(%0), %%ymm14\n\tmov $39, %%eax\n\tsyscall\n\t"
			 "vmovups %%ymm3, (%1)\n\tvmovups %%ymm14, 32(%1)\n\tvzeroupper"
			 : : "r"(in), "r"(out) : "rax", "rcx", "r11", "memory", "xmm3", "xmm14");
	CHECK(!memcmp(in, out, 64));
}

__attribute__((target("avx512f"))) static void avx512(void)
{
	unsigned char in[128], out[128] = { 0 };
	uint64_t k = 0;

	for (int i = 0; i < 128; i++)
		in[i] = i ^ 0xa5;
	__asm__ volatile("vmovups (%1), %%zmm5\n\tvmovups 64(%1), %%zmm29\n\tmov $0xbeef, %%eax\n\tkmovw %%eax, %%k3\n\t"
			 "mov $39, %%eax\n\tsyscall\n\t"
			 "vmovups %%zmm5, (%2)\n\tvmovups %%zmm29, 64(%2)\n\tkmovw %%k3, %k0\n\tvzeroupper"
			 : "=&r"(k) : "r"(in), "r"(out) : "rax", "rcx", "r11", "memory", "xmm5", "xmm29", "k3");
	CHECK(!memcmp(in, out, 128) && k == 0xbeef);
}

int main(void)
{
	unsigned a, b = 0, c = 0, d, c1 = 0;

	general();
	x87_and_sse();
	__get_cpuid(1, &a, &b, &c1, &d);
	__get_cpuid_count(7, 0, &a, &b, &c, &d);
	if (c1 >> 28 & 1 && os_saves(6))
		avx();
	if (b >> 16 & 1 && os_saves(0xe6))
		avx512();
	return guest_end();
}
