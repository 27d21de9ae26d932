/*
 * One virtual machine: memory slots and guest page tables that mirror the permissions of the guest's mappings.
 *
 * Ranges are [start, start+len), both multiples of 4096, inside [GUEST_MIN, GUEST_TOP). The host mapping of the range
 * is the caller's (syscall-emu/mm.c); this module only says what the guest may do with it. One thread at a time.
 *
 * Order (doc/internals.md, "page tables"): widening - host mapping first, then vm_allow(). Narrowing - vm_deny() or
 * vm_allow() with fewer permissions first, then the host call (munmap, mprotect, ...) on the same range, whose mmu
 * notifier makes KVM forget the old translation. A host call that changes nothing gives no notification, so
 * host mappings carry PROT_EXEC exactly when the guest's do.
 */
#ifndef SANDREC_VM_H
#define SANDREC_VM_H

#include "vmm/cpuid.h"
#include "vmm/kvm.h"

struct vm;

/*
 * Creates the VM with guestlib and its tables in place. Owner: caller, until vm_destroy(). A forked child may only
 * destroy what it inherited (vcpu_destroy, vm_destroy) and make its own.
 */
int vm_create(const struct kvm_host *h, const struct cpu_table *cpu, struct vm **out);
void vm_destroy(struct vm *vm);

/*
 * Gives the guest exactly the permissions prot (PROT_READ|WRITE|EXEC; PROT_NONE is vm_deny) on the range, with
 * Accessed and Dirty preset. Slots and tables are made as needed. Whole aligned 2 MiB blocks get one large entry where
 * no table exists yet below them, huge is set and prot has no PROT_EXEC; others 4 KiB entries. A large entry of which
 * a part changes is split here; that needs nothing of the caller. -ENOMEM, -ENOSPC (no slots left) or KVM's error.
 */
int vm_allow(struct vm *vm, uint64_t start, uint64_t len, int prot, bool huge);
int vm_deny(struct vm *vm, uint64_t start, uint64_t len);

/* PROT_* bits the guest has on the page of addr, or -1 when no entry is present. */
int vm_query(struct vm *vm, uint64_t addr);

/*
 * Pages of the VMM's own that the guest has for a while at an address where it has no mapping: code that watches it. The
 * last page is writable and not executable, the others the reverse. They must be gone before the guest may map anything
 * there, that is before any system call is carried out. create: zeroed pages, kept until the VM goes. place: -EBUSY when
 * something is mapped there. remove forgets their contents too.
 */
struct vm_overlay {
	uint8_t *host;             /* pages * 4096 bytes */
	uint64_t gpa, at;          /* at: where they are now, 0 = nowhere */
	unsigned pages;
};
int vm_overlay_create(struct vm *vm, unsigned pages, struct vm_overlay *o);
int vm_overlay_place(struct vm *vm, struct vm_overlay *o, uint64_t at);
void vm_overlay_remove(struct vm *vm, struct vm_overlay *o);

int vm_fd(const struct vm *vm);
/* The same in the process that made it, -1 in another: a vfork child borrows its parent's. */
int vm_own_fd(const struct vm *vm);
const struct cpu_table *vm_cpu(const struct vm *vm);

/* Statistics for `sandrec stat` and tests. */
struct vm_stats { unsigned slots, tables; };
struct vm_stats vm_stats(const struct vm *vm);

#endif
