/*
 * A stand-in for vmm/ in tests of mm and the loader: guest page table entries are bytes in a map of pages, so that
 * tests run without KVM and can look at every entry. Linked with -Wl,--wrap=vm_allow,... (vm_double_ldflags).
 */
#ifndef SANDREC_VM_DOUBLE_H
#define SANDREC_VM_DOUBLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <unistd.h>

#include "syscall-emu/mm.h"
#include "vmm/layout.h"

#define DOUBLE_SHIFT 30 /* one table of bytes a GiB, made on first use */
static unsigned char *double_gib[GUEST_TOP >> DOUBLE_SHIFT];
static struct cpu_table double_cpu = { .xcr0 = 7, .xsave_size = 832 };
static unsigned double_huge; /* calls that allowed large entries */

#define DOUBLE_PRESENT 0x80

static inline unsigned char *double_entry(uint64_t addr, int make)
{
	unsigned char **t = &double_gib[addr >> DOUBLE_SHIFT];

	if (!*t && make)
		*t = calloc(1, 1u << (DOUBLE_SHIFT - 12));
	return *t ? *t + (addr >> 12 & ((1u << (DOUBLE_SHIFT - 12)) - 1)) : NULL;
}

static inline void double_reset(void)
{
	for (size_t i = 0; i < sizeof(double_gib) / sizeof(double_gib[0]); i++) {
		free(double_gib[i]);
		double_gib[i] = NULL;
	}
}

static inline int double_range_bad(uint64_t start, uint64_t len)
{
	return start < GUEST_MIN || !guest_range_ok(start, len) || ((start | len) & (PAGE_SIZE_4K - 1));
}

int __wrap_vm_deny(struct vm *vm, uint64_t start, uint64_t len);
int __wrap_vm_allow(struct vm *vm, uint64_t start, uint64_t len, int prot, bool huge);
int __wrap_vm_query(struct vm *vm, uint64_t addr);
const struct cpu_table *__wrap_vm_cpu(const struct vm *vm);
int __wrap_vcpu_set_xsave(struct vcpu *v, const void *buf, size_t size);

int __wrap_vm_deny(struct vm *vm, uint64_t start, uint64_t len)
{
	uint64_t end = start + len;

	(void)vm;
	if (double_range_bad(start, len))
		return -EINVAL;
	while (start < end) {
		unsigned char *e = double_entry(start, 0);

		if (e)
			*e = 0;
		start = e ? start + PAGE_SIZE_4K : ((start >> DOUBLE_SHIFT) + 1) << DOUBLE_SHIFT;
	}
	return 0;
}

int __wrap_vm_allow(struct vm *vm, uint64_t start, uint64_t len, int prot, bool huge)
{
	if (!(prot & (PROT_READ | PROT_WRITE | PROT_EXEC)))
		return __wrap_vm_deny(vm, start, len);
	if (double_range_bad(start, len))
		return -EINVAL;
	double_huge += huge;
	for (uint64_t end = start + len; start < end; start += PAGE_SIZE_4K)
		*double_entry(start, 1) = (unsigned char)(DOUBLE_PRESENT | PROT_READ | prot);
	return 0;
}

int __wrap_vm_query(struct vm *vm, uint64_t addr)
{
	unsigned char *e = addr < GUEST_TOP ? double_entry(addr, 0) : NULL;

	(void)vm;
	return e && *e ? *e & ~DOUBLE_PRESENT : -1;
}

const struct cpu_table *__wrap_vm_cpu(const struct vm *vm)
{
	(void)vm;
	return &double_cpu;
}

int __wrap_vcpu_set_xsave(struct vcpu *v, const void *buf, size_t size)
{
	const unsigned char *b = buf;
	uint32_t mxcsr;

	(void)v;
	memcpy(&mxcsr, b + 24, sizeof(mxcsr));
	return size == double_cpu.xsave_size && b[0] == 0x7f && b[1] == 3 && mxcsr == 0x1f80 ? 0 : -EINVAL;
}

/* Tests live in the guest's host process layout: everything of ours above GUEST_TOP, as far as a PIE goes. */
static inline void double_no_randomisation(char **argv)
{
	int now = personality(0xffffffff);

	if (now < 0 || now & ADDR_NO_RANDOMIZE)
		return;
	if (personality((unsigned long)now | ADDR_NO_RANDOMIZE) >= 0)
		execv("/proc/self/exe", argv);
	perror("cannot turn randomisation off");
	exit(1);
}

#endif
