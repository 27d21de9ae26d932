/*
 * A VM for tests that run a few instructions: one code page, one data page, whatever else a test maps. Code is written
 * in assembly between GUEST_CODE(name, "...") and copied to CODE; it must be position-independent.
 */
#ifndef SANDREC_TESTS_VMM_GUEST_H
#define SANDREC_TESTS_VMM_GUEST_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/layout.h"
#include "vmm/vcpu.h"

#define CODE 0x300000000000ULL /* not in AddressSanitizer's shadow */
#define DATA (CODE + 0x10000)
#define STACK_TOP (DATA + PAGE_SIZE_4K)
#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)
#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)

#define GUEST_CODE(name, text) \
	extern const uint8_t name[], name##_end[]; \
	__asm__(".pushsection .rodata\n" #name ":\n" text "\n" #name "_end:\n.popsection\n")

struct guest {
	struct kvm_host host;
	struct cpu_table cpu;
	struct vm *vm;
	struct vcpu *vcpu;
	struct guest_regs *r;
	struct vcpu_exit exit;
};

static struct guest g;

static inline void *guest_map(uint64_t at, uint64_t len, int prot, bool huge)
{
	void *p = mmap((void *)(uintptr_t)at, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	ck_assert_ptr_eq(p, (void *)(uintptr_t)at);
	ck_assert_int_eq(vm_allow(g.vm, at, len, prot, huge), 0);
	return p;
}

static inline void guest_machine(void)
{
	ck_assert_int_eq(vm_create(&g.host, &g.cpu, &g.vm), 0);
	ck_assert_int_eq(vcpu_create(g.vm, &g.vcpu), 0);
	g.r = vcpu_regs(g.vcpu);
}

static inline void guest_setup(void)
{
	char why[256];

	ck_assert_msg(kvm_host_open(&g.host, why, sizeof(why)) == 0, "%s", why);
	ck_assert_msg(cpu_table_make(&g.host, CPU_HOST, &g.cpu, why, sizeof(why)) == 0, "%s", why);
	guest_machine();
	guest_map(CODE, PAGE_SIZE_4K, RWX, false);
	guest_map(DATA, PAGE_SIZE_4K, RW, false);
}

static inline void guest_teardown(void)
{
	vcpu_destroy(g.vcpu);
	vm_destroy(g.vm);
	kvm_host_close(&g.host);
}

static inline void guest_load(const uint8_t *code, size_t len)
{
	ck_assert_uint_le(len, PAGE_SIZE_4K);
	memcpy((void *)CODE, code, len);
	g.r->rip = CODE;
	g.r->rsp = STACK_TOP;
	g.r->rflags = 0x202;
}

#define LOAD(name) guest_load(name, (size_t)(name##_end - name))

static inline enum vcpu_stop guest_run(void)
{
	int rc = vcpu_run(g.vcpu, &g.exit);

	ck_assert_msg(rc == 0, "vcpu_run: %d", rc);
	ck_assert_msg(g.exit.stop != VCPU_DEAD, "dead: %s", g.exit.why);
	return g.exit.stop;
}

static inline void expect_syscall(uint64_t nr)
{
	ck_assert_msg(guest_run() == VCPU_SYSCALL, "stop %d vector %d error %#x cr2 %#lx at %#lx", g.exit.stop,
		      g.exit.vector, g.exit.error, g.exit.cr2, g.r->rip);
	ck_assert_uint_eq(g.r->rax, nr);
}

static inline void expect_exception(unsigned vector, uint32_t error, uint64_t rip)
{
	ck_assert_int_eq(guest_run(), VCPU_EXCEPTION);
	ck_assert_msg(g.exit.vector == vector && g.exit.error == error && g.r->rip == rip,
		      "vector %u error %#x rip %#lx (cr2 %#lx), expected vector %u error %#x rip %#lx", g.exit.vector,
		      g.exit.error, g.r->rip, g.exit.cr2, vector, error, rip);
}

/* Runs the suite, or says in TAP why not when this machine has no KVM for us. */
static inline int vmm_main(Suite *s)
{
	if (access("/dev/kvm", R_OK | W_OK) == 0)
		return unit_run(s);
	printf("1..0 # SKIP /dev/kvm cannot be opened\n");
	srunner_free(srunner_create(s)); /* and the suite with it */
	return 0;
}

#endif
