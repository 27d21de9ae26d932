/*
 * What the files of vmm/ share about a VM. Nobody outside includes this.
 *
 * Guest-physical space: the VM's own pages (page tables, guestlib) grow from GPA_OWN, backed by one reserved stretch of
 * VMM memory, so that either address gives the other by subtraction. Guest memory has windows of WINDOW bytes, one per
 * touched WINDOW of guest addresses: those at the top of the guest's addresses, with its stack and its libraries, directly
 * below GPA_OWN, the others behind the own pages in order of first use. Nothing lies below 4 GiB, where KVM has slots of
 * its own.
 *
 * KVM waits for all users of the old slots to be gone whenever there is a new one: 60 us on a quiet machine, several
 * hundred on a busy one. So the top windows and the first own pages, which every program needs, share one; for that the
 * own pages are put right behind the guest's addresses on the host, too.
 */
#ifndef SANDREC_VM_INT_H
#define SANDREC_VM_INT_H

#include <sys/types.h>

#include "vmm/jump.h"
#include "vmm/layout.h"
#include "vmm/vm.h"

#define GPA_OWN 0x200000000ULL
#define OWN_MAX 0x100000000ULL /* page tables for 2 TiB in pages of 4 KiB */
#define OWN_FIRST 0x40000ULL

#define WINDOW_SHIFT 26
#define WINDOW (1ULL << WINDOW_SHIFT)
#define TOP_WINDOWS 3 /* of the stack, of the gap that it may grow into, of the libraries */
#define GPA_WINDOWS (GPA_OWN - TOP_WINDOWS * WINDOW) /* of window 0; windows are counted through the own pages */
#define WINDOW_SLOT_MAX (1ULL << 30) /* neighbouring windows made at once share a slot up to this size */
#define NWINDOWS (GUEST_TOP >> WINDOW_SHIFT)

/*
 * Switchless calls (switchless.h). The gate is closed while the vCPU's thread is not in the guest; it opens it, the server
 * takes it to serve a request and opens it again, and who waits for that says so.
 */
#define SWITCHLESS_RING_PAGES 16
enum { GATE_CLOSED, GATE_OPEN, GATE_SERVING, GATE_AWAITED };
struct switchless {
	uint8_t *data;          /* host view of the page that is shared with the guest; NULL: not installed */
	uint32_t gate;          /* atomic, a futex */
	bool allowed;
	bool bases;             /* user code can read its bases */
	uint64_t missed;
	void (*late)(void *arg); /* while the server takes long */
	void *late_arg;
	/* switchless_ring.h. Our own count of calls put and of those known to be taken: they go round with the guest's. */
	struct {
		uint8_t *page[SWITCHLESS_RING_PAGES];
		uint32_t head, tail;
		bool made;
	} ring;
};

/* Stubs of jump patches (jump.h). */
struct jumps {
	struct jump_site *site;  /* JUMP_SLOTS; addr 0: free. NULL: none so far */
	uint8_t *page[JUMP_SIZE / PAGE_SIZE_4K]; /* host views; NULL: not mapped */
	unsigned pads;           /* sites that have one */
	uint64_t end;            /* no stub is at or above; 0: none */
	bool entering;           /* they are not direct */
};

struct vm {
	int fd;
	pid_t owner;            /* the process that KVM lets use it */
	struct kvm_host host;
	struct cpu_table cpu;
	uint8_t *own;           /* host view of guest-physical GPA_OWN */
	uint64_t own_ready, own_used; /* bytes with a slot; bytes handed out */
	uint64_t root;          /* guest-physical address of the top table */
	uint32_t *window;       /* by guest address >> WINDOW_SHIFT: window number + 1, or 0 */
	uint64_t windows;       /* windows handed out, those of GPA_OWN included */
	unsigned slots, tables, vcpus;
	struct switchless switchless;
	struct jumps jumps;
	bool apic;              /* KVM has local APICs for it: the branch counter can interrupt */
	bool syscall_cpl0;      /* a system call was seen to enter CPL 0: this is not a software host */
};

/* Zeroed page of the VM's own memory; its guest-physical address in *gpa. NULL when there is no more. */
void *vm_own_page(struct vm *vm, uint64_t *gpa);
static inline void *vm_own_ptr(const struct vm *vm, uint64_t gpa) { return vm->own + (gpa - GPA_OWN); }

/* Slots for the guest range [start, end), then the guest-physical address of one page in it. */
int vm_windows(struct vm *vm, uint64_t start, uint64_t end);
uint64_t vm_gpa(const struct vm *vm, uint64_t addr);

/* Maps one own page at a guestlib address, supervisor only. */
int pt_map_own(struct vm *vm, uint64_t addr, uint64_t gpa, bool write, bool exec);
/* Gives or takes one own page to and from user code; what it maps is not the business of vm_allow(). */
int pt_lend_own(struct vm *vm, uint64_t addr, uint64_t gpa, bool write);
void pt_take_back(struct vm *vm, uint64_t addr);
int pt_init(struct vm *vm);

/* jump.c: what it means that user code stands at r->rip; JUMP_NOWHERE when that is in no stub. */
enum jump_at jump_stop(const struct vm *vm, struct guest_regs *r);

#endif
