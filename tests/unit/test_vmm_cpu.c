/* The CPU that the guest sees: extended state, cpuid, rdtsc, the vDSO; and the self-test of the host. */
#include <elf.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "guestlib/vdso.h"
#include "tests/unit/vmm_guest.h"
#include "vmm/selftest.h"

GUEST_CODE(vector_state, "vmovups (%rdi), %ymm3\n vaddps %ymm3, %ymm3, %ymm15\n syscall\n vmovups %ymm3, 64(%rdi)\n"
			 "vmovups %ymm7, 96(%rdi)\n stmxcsr 128(%rdi)\n syscall");

START_TEST(test_xsave)
{
	static uint8_t a[1 << 14] __attribute__((aligned(64))), b[1 << 14] __attribute__((aligned(64)));
	size_t size = g.cpu.xsave_size;
	float *d = (float *)DATA;
	uint64_t bv;
	uint32_t mxcsr;

	if (!(g.cpu.xcr0 & 4))
		return;
	ck_assert_uint_le(size, sizeof(a));
	ck_assert_int_eq(vcpu_get_xsave(g.vcpu, a, size), 0);
	memcpy(&mxcsr, a + 24, 4);
	ck_assert_uint_eq(mxcsr, 0x1f80);
	ck_assert_uint_eq(a[0] | a[1] << 8, 0x37f);
	for (unsigned i = 0; i < 8; i++)
		d[i] = (float)i + 0.5f;
	LOAD(vector_state);
	g.r->rdi = DATA;
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	ck_assert_int_eq(vcpu_get_xsave(g.vcpu, a, size), 0);
	memcpy(&bv, a + 512, 8);
	ck_assert_uint_eq(bv, 6);
	ck_assert_int_eq(memcmp(a + 160 + 3 * 16, d, 16), 0);
	ck_assert_int_eq(memcmp(a + 576 + 3 * 16, d + 4, 16), 0);
	ck_assert(((float *)(a + 160 + 15 * 16))[1] == 3.0f);

	/* Put ymm3 into ymm7 and change MXCSR from outside. */
	memcpy(a + 160 + 7 * 16, d, 16);
	memcpy(a + 576 + 7 * 16, d + 4, 16);
	memcpy(a + 24, &(uint32_t){ 0x1fa1 }, 4);
	ck_assert_int_eq(vcpu_set_xsave(g.vcpu, a, size), 0);
	ck_assert_int_eq(vcpu_get_xsave(g.vcpu, b, size), 0);
	ck_assert_int_eq(memcmp(a, b, size), 0);
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	ck_assert_int_eq(memcmp(d + 16, d, 32), 0);
	ck_assert_int_eq(memcmp(d + 24, d, 32), 0);
	memcpy(&mxcsr, d + 32, 4);
	ck_assert_uint_eq(mxcsr, 0x1fa1);

	/* What XRSTOR refuses. */
	a[512 + 7] = 0x80;
	ck_assert_int_eq(vcpu_set_xsave(g.vcpu, a, size), -EINVAL);
	a[512 + 7] = 0;
	a[520] = 1;
	ck_assert_int_eq(vcpu_set_xsave(g.vcpu, a, size), -EINVAL);
	a[520] = 0;
	a[27] = 0xff;
	ck_assert_int_eq(vcpu_set_xsave(g.vcpu, a, size), -EINVAL);
	ck_assert_int_eq(vcpu_get_xsave(g.vcpu, a, size - 1), -EINVAL);
}
END_TEST

GUEST_CODE(tsc, "rdtsc\n syscall");

START_TEST(test_tsc_can_be_let_through)
{
	struct timespec ts;

	LOAD(tsc);
	expect_exception(13, 0, CODE);
	/* Our own clocks work on this thread while the guest's are trapped. */
	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &ts), 0);
	ck_assert_int_gt(time(NULL), 0);
	ck_assert_int_eq(vcpu_trap_tsc(g.vcpu, false), 0);
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	ck_assert_int_eq(vcpu_trap_tsc(g.vcpu, true), 0);
	LOAD(tsc);
	expect_exception(13, 0, CODE);
}
END_TEST

GUEST_CODE(cpuid, "cpuid\n mov %rax, %rsi\n syscall");

START_TEST(test_cpuid)
{
	if (g.cpu.patch & TEXT_BIT(TEXT_CPUID))
		return;
	for (uint32_t i = 0; i < g.cpu.n; i++) {
		const struct kvm_cpuid_entry2 *e = &g.cpu.e[i];

		LOAD(cpuid);
		g.r->rax = e->function;
		g.r->rcx = e->index;
		ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
		ck_assert_msg(g.r->rsi == e->eax && g.r->rbx == e->ebx && g.r->rdx == e->edx,
			      "leaf %#x.%x: %#lx %#lx %#lx, expected %#x %#x %#x", e->function, e->index, g.r->rsi,
			      g.r->rbx, g.r->rdx, e->eax, e->ebx, e->edx);
	}
}
END_TEST

/* Leaves that do not exist too: what cpu_table_query() says is what a KVM that traps cpuid shows. */
START_TEST(test_cpuid_beyond)
{
	static const uint32_t leaf[] = { 0, 1, 3, 5, 8, 0xa, 0xb, 0xc, 0xd, 0x1f, 0x20, 0x7fffffff, 0x40000000, 0x40000010,
					 0x4fffffff, 0x80000000, 0x80000009, 0x8000001f, 0x80000100, 0xc0000000,
					 0xc0000001, 0xffffffff };

	if (g.cpu.patch & TEXT_BIT(TEXT_CPUID))
		return;
	for (size_t i = 0; i < sizeof(leaf) / sizeof(leaf[0]); i++)
		for (uint32_t sub = 0; sub < 9; sub += 4) {
			struct kvm_cpuid_entry2 e;

			LOAD(cpuid);
			g.r->rax = leaf[i];
			g.r->rcx = sub;
			ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
			cpu_table_query(&g.cpu, leaf[i], sub, &e);
			ck_assert_msg(g.r->rsi == e.eax && g.r->rbx == e.ebx && g.r->rdx == e.edx,
				      "leaf %#x.%x: %#lx %#lx %#lx, expected %#x %#x %#x", leaf[i], sub, g.r->rsi,
				      g.r->rbx, g.r->rdx, e.eax, e.ebx, e.edx);
		}
}
END_TEST

START_TEST(test_cpu_models)
{
	static struct cpu_table t;
	char why[256];

	ck_assert_int_eq(cpu_table_check(&g.host, &g.cpu, why, sizeof(why)), 0);
	ck_assert_uint_eq(cpu_table_hwcap(&g.cpu) & 1u << 26, 1u << 26);
	for (enum cpu_model m = CPU_V2; m <= CPU_V3; m++) {
		if (cpu_table_make(&g.host, m, &t, why, sizeof(why)) < 0)
			continue;
		ck_assert_int_eq(cpu_table_check(&g.host, &t, why, sizeof(why)), 0);
		for (uint32_t i = 0; i < t.n; i++) {
			if (t.e[i].function == 1)
				ck_assert_uint_eq(t.e[i].ecx & (1u << 25 | (m == CPU_V2) << 28 | 1u << 30), 0);
			if (t.e[i].function == 7 && t.e[i].index == 0)
				ck_assert_uint_eq(t.e[i].ebx & (1u << 16 | (m == CPU_V2) << 5 | 1u << 18), 0);
		}
	}
	t = g.cpu;
	for (uint32_t i = 0; i < t.n; i++)
		if (t.e[i].function == 7 && t.e[i].index == 0)
			t.e[i].edx |= 1 << 3; /* avx512_4fmaps: a CPU that nobody has any more */
	ck_assert_int_eq(cpu_table_check(&g.host, &t, why, sizeof(why)), -ENOTSUP);
	ck_assert_ptr_nonnull(strstr(why, "avx512_4fmaps"));
	t.n = CPUID_MAX + 1;
	ck_assert_int_eq(cpu_table_check(&g.host, &t, why, sizeof(why)), -EBADMSG);
}
END_TEST

GUEST_CODE(nops, "nop\n nop\n syscall");

static const Elf64_Dyn *dynamic(uint64_t base, int64_t tag)
{
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)base;
	const Elf64_Phdr *ph = (const Elf64_Phdr *)(base + eh->e_phoff);

	for (unsigned i = 0; i < eh->e_phnum; i++)
		if (ph[i].p_type == PT_DYNAMIC)
			for (const Elf64_Dyn *d = (const Elf64_Dyn *)(base + ph[i].p_vaddr); d->d_tag; d++)
				if (d->d_tag == tag)
					return d;
	return NULL;
}

START_TEST(test_vdso)
{
	static const struct {
		const char *name;
		uint64_t nr;
	} calls_of[] = {
		{ "__vdso_clock_gettime", SYS_clock_gettime }, { "__vdso_gettimeofday", SYS_gettimeofday },
		{ "__vdso_time", SYS_time }, { "__vdso_getcpu", SYS_getcpu }, { "clock_getres", SYS_clock_getres },
	};
	const char *image = guest_map(GUEST_VDSO, 0x2000, RW, false);
	const Elf64_Sym *sym;
	const char *str;
	uint32_t n;

	ck_assert_uint_le(guest_vdso_size, 0x2000);
	memcpy((void *)image, guest_vdso_image, guest_vdso_size);
	ck_assert_int_eq(mprotect((void *)image, 0x2000, RX), 0);
	ck_assert_int_eq(vm_allow(g.vm, GUEST_VDSO, 0x2000, RX, false), 0);
	ck_assert_ptr_nonnull(dynamic(GUEST_VDSO, DT_GNU_HASH));
	ck_assert_ptr_nonnull(dynamic(GUEST_VDSO, DT_VERSYM));
	ck_assert_ptr_null(dynamic(GUEST_VDSO, DT_RELA));
	sym = (const Elf64_Sym *)(image + dynamic(GUEST_VDSO, DT_SYMTAB)->d_un.d_ptr);
	str = image + dynamic(GUEST_VDSO, DT_STRTAB)->d_un.d_ptr;
	n = ((const uint32_t *)(image + dynamic(GUEST_VDSO, DT_HASH)->d_un.d_ptr))[1];
	for (unsigned i = 0; i < sizeof(calls_of) / sizeof(calls_of[0]); i++) {
		uint32_t k = 1;

		while (k < n && strcmp(str + sym[k].st_name, calls_of[i].name) != 0)
			k++;
		ck_assert_msg(k < n, "no %s", calls_of[i].name);
		LOAD(nops);
		g.r->rip = GUEST_VDSO + sym[k].st_value;
		expect_syscall(calls_of[i].nr);
	}
}
END_TEST

START_TEST(test_selftest_report)
{
	static struct host_report rep;

	ck_assert_int_eq(host_selftest(&g.host, &rep), 0);
	ck_assert_uint_gt(rep.n, 5);
	ck_assert(rep.tsc_traps);
	ck_assert(rep.syscall_ns > 0 && rep.exception_ns > 0);
	for (unsigned i = 0; i < rep.n; i++)
		ck_assert(rep.fact[i].name && rep.fact[i].text[0] && rep.fact[i].verdict <= VERDICT_BAD);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vmm_cpu");
	TCase *t = tcase_create("cpu");

	tcase_add_checked_fixture(t, guest_setup, guest_teardown);
	tcase_set_timeout(t, 240);
	tcase_add_test(t, test_xsave);
	tcase_add_test(t, test_tsc_can_be_let_through);
	tcase_add_test(t, test_cpuid);
	tcase_add_test(t, test_cpuid_beyond);
	tcase_add_test(t, test_cpu_models);
	tcase_add_test(t, test_vdso);
	tcase_add_test(t, test_selftest_report);
	suite_add_tcase(s, t);
	return vmm_main(s);
}
