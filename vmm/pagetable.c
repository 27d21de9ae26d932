/*
 * Guest page tables: four levels, mirroring permissions. Contract: vm_allow and vm_deny in vm.h; why things are done in
 * this order: doc/internals.md, "Page tables". Source: Intel SDM vol. 3, 4.5.
 */
#include <errno.h>
#include <sys/mman.h>

#include "vmm/vm_int.h"

#define PTE_P (1ULL << 0)
#define PTE_W (1ULL << 1)
#define PTE_U (1ULL << 2)
#define PTE_A (1ULL << 5)
#define PTE_D (1ULL << 6)
#define PTE_LARGE (1ULL << 7)
#define PTE_NX (1ULL << 63)
#define PTE_ADDR 0x000ffffffffff000ULL

#define TABLE (PTE_P | PTE_W | PTE_U | PTE_A)
#define SHIFT_PT 12
#define SHIFT_PD 21
#define SHIFT_TOP 39

static uint64_t prot_bits(int prot)
{
	return PTE_P | PTE_U | PTE_A | PTE_D | (prot & PROT_WRITE ? PTE_W : 0) | (prot & PROT_EXEC ? 0 : PTE_NX);
}

static int bits_prot(uint64_t e)
{
	return PROT_READ | (e & PTE_W ? PROT_WRITE : 0) | (e & PTE_NX ? 0 : PROT_EXEC);
}

static uint64_t *slot_of(uint64_t *table, uint64_t addr, unsigned shift)
{
	return table + (addr >> shift & 511);
}

static uint64_t *table_at(const struct vm *vm, uint64_t entry)
{
	return vm_own_ptr(vm, entry & PTE_ADDR);
}

static uint64_t *new_table(struct vm *vm, uint64_t *gpa)
{
	uint64_t *t = vm_own_page(vm, gpa);

	if (t)
		vm->tables++;
	return t;
}

/* An aligned 8-byte store: the CPU, or KVM walking for it, must see the old entry or the new one. */
static void put(uint64_t *e, uint64_t value)
{
	__atomic_store_n(e, value, __ATOMIC_RELEASE);
}

/* The page directory entry of addr; NULL when a level above is missing and make is not set, or memory ran out. */
static uint64_t *pde_of(struct vm *vm, uint64_t addr, bool make)
{
	uint64_t *t = vm_own_ptr(vm, vm->root);

	for (unsigned shift = SHIFT_TOP; shift > SHIFT_PD; shift -= 9) {
		uint64_t *e = slot_of(t, addr, shift), gpa;

		if (!(*e & PTE_P)) {
			if (!make || !new_table(vm, &gpa))
				return NULL;
			put(e, gpa | TABLE);
		}
		t = table_at(vm, *e);
	}
	return slot_of(t, addr, SHIFT_PD);
}

/*
 * Replaces a large entry by a table of the same permissions. Nothing has to be forgotten for that: translations already
 * made through the large entry allow what the new entries allow and lead to the same memory. Whatever is narrowed
 * afterwards is narrowed together with the host mapping, which drops them where it matters.
 */
static int split(struct vm *vm, uint64_t *pde)
{
	uint64_t large = *pde, gpa;
	uint64_t *pt = new_table(vm, &gpa);

	if (!pt)
		return -ENOMEM;
	for (unsigned i = 0; i < 512; i++)
		pt[i] = (large & ~PTE_LARGE) + i * PAGE_SIZE_4K;
	put(pde, gpa | TABLE);
	return 0;
}

static int allow_block(struct vm *vm, uint64_t at, uint64_t end, int prot, bool huge)
{
	uint64_t *pde = pde_of(vm, at, true), bits = prot_bits(prot), gpa, *pte;
	bool whole = end - at == PAGE_SIZE_2M;

	if (!pde)
		return -ENOMEM;
	if (whole && ((*pde & PTE_LARGE) || (!(*pde & PTE_P) && huge)) && !(prot & PROT_EXEC)) {
		put(pde, vm_gpa(vm, at) | bits | PTE_LARGE);
		return 0;
	}
	if (*pde & PTE_LARGE) {
		int rc;

		if ((*pde & ~PTE_ADDR) == (bits | PTE_LARGE))
			return 0;
		rc = split(vm, pde);
		if (rc < 0)
			return rc;
	} else if (!(*pde & PTE_P)) {
		if (!new_table(vm, &gpa))
			return -ENOMEM;
		put(pde, gpa | TABLE);
	}
	pte = slot_of(table_at(vm, *pde), at, SHIFT_PT);
	for (gpa = vm_gpa(vm, at); at < end; at += PAGE_SIZE_4K, gpa += PAGE_SIZE_4K)
		put(pte++, gpa | bits);
	return 0;
}

static uint64_t block_end(uint64_t at, uint64_t end, unsigned shift)
{
	uint64_t next = ((at >> shift) + 1) << shift;

	return next < end ? next : end;
}

static bool range_bad(uint64_t start, uint64_t len)
{
	return start < GUEST_MIN || !guest_range_ok(start, len) || (start | len) & (PAGE_SIZE_4K - 1);
}

int vm_allow(struct vm *vm, uint64_t start, uint64_t len, int prot, bool huge)
{
	uint64_t end = start + len, next;
	int rc;

	if (range_bad(start, len))
		return -EINVAL;
	if (!(prot & (PROT_READ | PROT_WRITE | PROT_EXEC)))
		return vm_deny(vm, start, len);
	if (len == 0)
		return 0;
	rc = vm_windows(vm, start, end);
	for (; rc == 0 && start < end; start = next) {
		next = block_end(start, end, SHIFT_PD);
		rc = allow_block(vm, start, next, prot, huge);
	}
	return rc;
}

static int deny_block(struct vm *vm, uint64_t *pde, uint64_t at, uint64_t end)
{
	uint64_t *pte;
	int rc;

	if (*pde & PTE_LARGE) {
		if (end - at == PAGE_SIZE_2M) {
			put(pde, 0);
			return 0;
		}
		rc = split(vm, pde);
		if (rc < 0)
			return rc;
	}
	pte = slot_of(table_at(vm, *pde), at, SHIFT_PT);
	for (; at < end; at += PAGE_SIZE_4K)
		put(pte++, 0);
	return 0;
}

/* How far from addr nothing is mapped for want of a table: the end of the smallest missing block, or addr itself. */
static uint64_t skip_absent(const struct vm *vm, uint64_t addr, uint64_t end, uint64_t **pde)
{
	uint64_t *t = vm_own_ptr(vm, vm->root);
	unsigned shift = SHIFT_TOP;

	for (;; shift -= 9) {
		uint64_t *e = slot_of(t, addr, shift);

		if (!(*e & PTE_P))
			return block_end(addr, end, shift);
		if (shift == SHIFT_PD) {
			*pde = e;
			return addr;
		}
		t = table_at(vm, *e);
	}
}

int vm_deny(struct vm *vm, uint64_t start, uint64_t len)
{
	uint64_t end = start + len, next, *pde;
	int rc;

	if (range_bad(start, len))
		return -EINVAL;
	for (; start < end; start = next) {
		next = skip_absent(vm, start, end, &pde);
		if (next != start)
			continue;
		next = block_end(start, end, SHIFT_PD);
		rc = deny_block(vm, pde, start, next);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int vm_query(struct vm *vm, uint64_t addr)
{
	uint64_t *pde, e;

	if (addr >= GUEST_TOP || skip_absent(vm, addr, GUEST_TOP, &pde) != addr)
		return -1;
	if (*pde & PTE_LARGE)
		return bits_prot(*pde);
	e = *slot_of(table_at(vm, *pde), addr, SHIFT_PT);
	return e & PTE_P ? bits_prot(e) : -1;
}

static int map_own(struct vm *vm, uint64_t addr, uint64_t entry)
{
	uint64_t *pde = pde_of(vm, addr, true), table;

	if (!pde)
		return -ENOMEM;
	if (!(*pde & PTE_P)) {
		if (!new_table(vm, &table))
			return -ENOMEM;
		put(pde, table | TABLE);
	}
	put(slot_of(table_at(vm, *pde), addr, SHIFT_PT), entry);
	return 0;
}

int pt_map_own(struct vm *vm, uint64_t addr, uint64_t gpa, bool write, bool exec)
{
	return map_own(vm, addr, gpa | PTE_P | PTE_A | PTE_D | (write ? PTE_W : 0) | (exec ? 0 : PTE_NX));
}

int pt_lend_own(struct vm *vm, uint64_t addr, uint64_t gpa, bool write)
{
	if (vm_query(vm, addr) >= 0)
		return -EBUSY;
	return map_own(vm, addr, gpa | prot_bits(write ? PROT_WRITE : PROT_EXEC));
}

void pt_take_back(struct vm *vm, uint64_t addr)
{
	uint64_t *pde;

	if (skip_absent(vm, addr, GUEST_TOP, &pde) == addr && !(*pde & PTE_LARGE))
		put(slot_of(table_at(vm, *pde), addr, SHIFT_PT), 0);
}

int pt_init(struct vm *vm)
{
	return new_table(vm, &vm->root) ? 0 : -ENOMEM;
}
