/* Virtual machines and their memory slots. Contract: vm.h; layout of guest-physical space: vm_int.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guestlib/abi.h"
#include "guestlib/stubs.h"
#include "vmm/vm_int.h"

#ifndef KVM_X86_QUIRK_FIX_HYPERCALL_INSN
#define KVM_X86_QUIRK_FIX_HYPERCALL_INSN (1 << 5)
#endif

static int add_slot(struct vm *vm, uint64_t gpa, void *host, uint64_t size)
{
	struct kvm_userspace_memory_region slot = {
		.slot = vm->slots,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uint64_t)(uintptr_t)host,
	};
	int rc;

	if (vm->slots >= vm->host.max_slots || gpa + size > 1ULL << vm->host.phys_bits)
		return -ENOSPC;
	rc = kvm_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot);
	if (rc < 0)
		return rc;
	vm->slots++;
	return 0;
}

/* The first own pages, in one slot with the top windows if they are neighbours on the host as well. */
static int first_slot(struct vm *vm)
{
	bool together = vm->own == (uint8_t *)GUEST_TOP;
	uint64_t below = together ? TOP_WINDOWS * WINDOW : 0;

	vm->windows = TOP_WINDOWS + OWN_MAX / WINDOW;
	for (uint32_t i = 0; together && i < TOP_WINDOWS; i++)
		vm->window[NWINDOWS - TOP_WINDOWS + i] = i + 1;
	return add_slot(vm, GPA_OWN - below, vm->own - below, below + OWN_FIRST);
}

/* Own memory grows by doubling, each step with a slot: a small program pays for 256 KiB. */
static int grow_own(struct vm *vm)
{
	uint64_t size = vm->own_ready ? vm->own_ready : OWN_FIRST;
	uint8_t *p = vm->own + vm->own_ready;
	int rc;

	if (size > OWN_MAX - vm->own_ready)
		return -ENOMEM;
	if (mprotect(p, size, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	rc = vm->own_ready ? add_slot(vm, GPA_OWN + vm->own_ready, p, size) : first_slot(vm);
	if (rc == 0)
		vm->own_ready += size;
	return rc;
}

void *vm_own_page(struct vm *vm, uint64_t *gpa)
{
	if (vm->own_used == vm->own_ready && grow_own(vm) < 0)
		return NULL;
	*gpa = GPA_OWN + vm->own_used;
	vm->own_used += PAGE_SIZE_4K;
	return vm_own_ptr(vm, *gpa);
}

int vm_windows(struct vm *vm, uint64_t start, uint64_t end)
{
	uint64_t last = (end - 1) >> WINDOW_SHIFT, from, to;
	int rc;

	for (from = start >> WINDOW_SHIFT; from <= last; from = to) {
		to = from + 1;
		if (vm->window[from])
			continue;
		while (to <= last && !vm->window[to] && to - from < WINDOW_SLOT_MAX / WINDOW)
			to++;
		rc = add_slot(vm, GPA_WINDOWS + vm->windows * WINDOW, (void *)(from << WINDOW_SHIFT), (to - from) * WINDOW);
		if (rc < 0)
			return rc;
		for (uint64_t i = from; i < to; i++)
			vm->window[i] = (uint32_t)++vm->windows;
	}
	return 0;
}

uint64_t vm_gpa(const struct vm *vm, uint64_t addr)
{
	return GPA_WINDOWS + ((uint64_t)vm->window[addr >> WINDOW_SHIFT] - 1) * WINDOW + (addr & (WINDOW - 1));
}

/* IDT gate, SDM vol. 3 6.14.1: interrupt gate, present; stacks by IST, so that no stub ever uses a stack pointer that
 * user code chose (`mov ss; syscall` raises #DB at CPL 0 before the stack was switched). */
static void set_gate(uint64_t *gate, uint64_t handler, unsigned ist, unsigned dpl)
{
	gate[0] = (handler & 0xffff) | (uint64_t)ABI_KERNEL_CS << 16 | (uint64_t)ist << 32 | 0xeULL << 40 |
		  (uint64_t)dpl << 45 | 1ULL << 47 | (handler >> 16 & 0xffff) << 48;
	gate[1] = handler >> 32;
}

static int place_guestlib(struct vm *vm)
{
	uint64_t stubs, idt, *gate;
	uint8_t *code = vm_own_page(vm, &stubs);
	int rc;

	gate = vm_own_page(vm, &idt);
	if (!code || !gate)
		return -ENOMEM;
	memcpy(code, guestlib_stubs, guestlib_stubs_size);
	for (unsigned v = 0; v < ABI_VECTORS; v++) {
		unsigned ist = v == 2 || v == 18 ? 2 : v == 8 ? 3 : 1;

		/* Linux lets programs use int3 and into. */
		set_gate(gate + 2 * v, GUESTLIB_BASE + ABI_VECTOR + v * ABI_VECTOR_SIZE, ist, v == 3 || v == 4 ? 3 : 0);
	}
	rc = pt_map_own(vm, GUESTLIB_BASE + ABI_STUBS_PAGE * PAGE_SIZE_4K, stubs, false, true);
	if (rc == 0)
		rc = pt_map_own(vm, GUESTLIB_BASE + ABI_IDT_PAGE * PAGE_SIZE_4K, idt, false, false);
	return rc;
}

/* By default KVM rewrites a vmcall in guest memory to the vendor's own instruction. */
static void no_hypercall_patching(struct vm *vm)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DISABLE_QUIRKS2, .args = { KVM_X86_QUIRK_FIX_HYPERCALL_INSN } };
	int have = kvm_ioctl(vm->fd, KVM_CHECK_EXTENSION, (void *)(long)KVM_CAP_DISABLE_QUIRKS2);

	if (have > 0 && (have & KVM_X86_QUIRK_FIX_HYPERCALL_INSN))
		kvm_ioctl(vm->fd, KVM_ENABLE_CAP, &cap);
}

/*
 * KVM delivers a performance counter's interrupt only through a local APIC of its own. The other interrupt controllers,
 * which nobody uses, stay ours. KVM's page for the APICs is below 4 GiB.
 *
 * With such an APIC KVM lets another thread fetch a page (asynchronous page faults), and tries for ever where there is none:
 * behind the end of a mapped file. A guest that may halt is spared that (arch/x86/kvm/x86.c, kvm_can_do_async_pf), and
 * ours cannot: it is all user code.
 */
static int have_apics(struct vm *vm)
{
	struct kvm_enable_cap apic = { .cap = KVM_CAP_SPLIT_IRQCHIP };
	struct kvm_enable_cap halt = { .cap = KVM_CAP_X86_DISABLE_EXITS, .args = { KVM_X86_DISABLE_EXITS_HLT } };
	int rc;

	if (!vm->host.pmu.proven)
		return 0;
	vm->apic = true;
	rc = kvm_ioctl(vm->fd, KVM_ENABLE_CAP, &apic);
	return rc < 0 ? rc : kvm_ioctl(vm->fd, KVM_ENABLE_CAP, &halt);
}

/*
 * KVM gives a VM a directory in debugfs, whose name is the process's id and the number of this descriptor before it is
 * moved, and complains in the kernel's log when there is one: that of the image before, whose VM others may still hold. So
 * images take numbers that differ modulo KVM_IMAGES. The process has one thread here, which is given the lowest free number.
 */
static int make_vm(const struct kvm_host *h)
{
	int taken[4 * KVM_IMAGES], fd;
	unsigned n = 0;

	while (n < sizeof(taken) / sizeof(taken[0])) {
		fd = fcntl(h->fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			break;
		if ((unsigned)fd % KVM_IMAGES == h->image) {
			close(fd);
			break;
		}
		taken[n++] = fd;
	}
	if (fd < 0) /* there are so few that the VM itself needs one of these */
		while (n)
			close(taken[--n]);
	fd = kvm_ioctl(h->fd, KVM_CREATE_VM, NULL);
	while (n)
		close(taken[--n]);
	return fd < 0 ? fd : kvm_keep_fd(fd);
}

/* At GUEST_TOP, if nothing is there. */
static void *reserve_own(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	void *p = mmap((void *)GUEST_TOP, OWN_MAX, PROT_NONE, flags | MAP_FIXED_NOREPLACE, -1, 0);

	return p == MAP_FAILED ? mmap(NULL, OWN_MAX, PROT_NONE, flags, -1, 0) : p;
}

static int vm_init(struct vm *vm)
{
	int rc;

	vm->owner = getpid();
	vm->fd = make_vm(&vm->host);
	if (vm->fd < 0)
		return vm->fd;
	no_hypercall_patching(vm);
	rc = have_apics(vm);
	if (rc < 0)
		return rc;
	vm->own = reserve_own();
	if (vm->own == MAP_FAILED)
		return -errno;
	/* A forked child makes its own VM; it keeps the stretch (to be unmapped by vm_destroy) but not the pages. */
	madvise(vm->own, OWN_MAX, MADV_WIPEONFORK);
	vm->window = mmap(NULL, NWINDOWS * sizeof(*vm->window), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (vm->window == MAP_FAILED)
		return -errno;
	rc = pt_init(vm);
	return rc < 0 ? rc : place_guestlib(vm);
}

int vm_create(const struct kvm_host *h, const struct cpu_table *cpu, struct vm **out)
{
	struct vm *vm;
	int rc;

	if (cpu->n == 0 || cpu->n > CPUID_MAX)
		return -EINVAL;
	vm = calloc(1, sizeof(*vm));
	if (!vm)
		return -ENOMEM;
	vm->fd = -1;
	vm->own = MAP_FAILED;
	vm->window = MAP_FAILED;
	vm->host = *h;
	vm->cpu = *cpu;
	rc = vm_init(vm);
	if (rc < 0) {
		vm_destroy(vm);
		return rc;
	}
	*out = vm;
	return 0;
}

void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	if (vm->fd >= 0 && !kvm_keep_fds)
		close(vm->fd);
	if (vm->own != MAP_FAILED)
		munmap(vm->own, OWN_MAX);
	if (vm->window != MAP_FAILED)
		munmap(vm->window, NWINDOWS * sizeof(*vm->window));
	free(vm->jumps.site);
	free(vm);
}

int vm_overlay_create(struct vm *vm, unsigned pages, struct vm_overlay *o)
{
	uint64_t gpa;

	*o = (struct vm_overlay){ .pages = pages };
	for (unsigned i = 0; i < pages; i++) {
		uint8_t *p = vm_own_page(vm, &gpa);

		if (!p)
			return -ENOMEM;
		if (i == 0) {
			o->host = p;
			o->gpa = gpa;
		}
	}
	return 0;
}

int vm_overlay_place(struct vm *vm, struct vm_overlay *o, uint64_t at)
{
	int rc = 0;

	if (at < GUEST_MIN || !guest_range_ok(at, o->pages * PAGE_SIZE_4K))
		return -EINVAL;
	for (unsigned i = 0; i < o->pages; i++) {
		rc = pt_lend_own(vm, at + i * PAGE_SIZE_4K, o->gpa + i * PAGE_SIZE_4K, i == o->pages - 1);
		if (rc < 0) {
			while (i--)
				pt_take_back(vm, at + i * PAGE_SIZE_4K);
			return rc;
		}
	}
	o->at = at;
	return 0;
}

void vm_overlay_remove(struct vm *vm, struct vm_overlay *o)
{
	if (!o->at)
		return;
	for (unsigned i = 0; i < o->pages; i++)
		pt_take_back(vm, o->at + i * PAGE_SIZE_4K);
	/* Only a change of the host's mapping makes KVM forget the translations. */
	madvise(o->host, o->pages * PAGE_SIZE_4K, MADV_DONTNEED);
	o->at = 0;
}

int vm_fd(const struct vm *vm)
{
	return vm->fd;
}

int vm_own_fd(const struct vm *vm)
{
	return vm->owner == getpid() ? vm->fd : -1;
}

const struct cpu_table *vm_cpu(const struct vm *vm)
{
	return &vm->cpu;
}

struct vm_stats vm_stats(const struct vm *vm)
{
	return (struct vm_stats){ .slots = vm->slots, .tables = vm->tables };
}
