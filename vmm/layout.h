/*
 * Where things live in the one address space that a guest process and its VMM share.
 *
 * A guest virtual address is the same number on the host (doc/internals.md). The guest owns [GUEST_MIN, GUEST_TOP)
 * except for holes (VMM memory that the kernel put below GUEST_TOP: the static program's first heap); the VMM lives
 * above GUEST_TOP, where the kernel puts a static PIE, its stack and its mappings when randomisation is off.
 */
#ifndef SANDREC_LAYOUT_H
#define SANDREC_LAYOUT_H

#include <stdint.h>

#define PAGE_SIZE_4K 0x1000ULL
#define PAGE_SIZE_2M 0x200000ULL

#define GUEST_MIN 0x10000ULL /* vm.mmap_min_addr of a default kernel */
#define GUEST_TOP 0x7f0000000000ULL /* first address that is never the guest's */

/* The guest's own layout is fixed: replay depends on it, and so do people who compare two recordings. */
#define GUEST_PIE_BASE 0x560000000000ULL /* ET_DYN executables */
#define GUEST_VDSO 0x7effffff0000ULL /* our vDSO, 64 KiB reserved up to GUEST_TOP */
#define GUEST_STACK_TOP 0x7effff000000ULL /* the main stack ends here and grows down */
#define GUEST_STACK_MIN 0x800000ULL /* reserved for the stack: RLIMIT_STACK clamped to these two */
#define GUEST_STACK_MAX 0x10000000ULL
#define GUEST_MMAP_GAP 0x8000000ULL /* mmap area starts this far below GUEST_STACK_TOP, or at the stack's limit */

/*
 * Guest-only addresses above GUEST_TOP, in the guest's page tables but meaningless on the host: guestlib's stub
 * pages and the supervisor tables (GDT, IDT, TSS). Every pointer a system call passes is checked against GUEST_TOP,
 * so no call can name them.
 */
#define GUESTLIB_BASE 0x7f0000000000ULL
#define GUESTLIB_SIZE 0x200000ULL
#define SWITCHLESS_BASE (GUESTLIB_BASE + GUESTLIB_SIZE) /* vmm/switchless.h */
#define SWITCHLESS_SIZE 0x12000ULL
#define JUMP_BASE (GUESTLIB_BASE + 2 * GUESTLIB_SIZE) /* stubs of jump patches (vmm/jump.h) */
#define JUMP_SIZE 0x10000ULL

static inline int guest_range_ok(uint64_t addr, uint64_t len)
{
	return addr < GUEST_TOP && len <= GUEST_TOP - addr;
}

#endif
