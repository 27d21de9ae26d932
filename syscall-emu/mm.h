/*
 * The guest's address space: which mappings exist, where new ones go (a deterministic allocator: top-down like Linux
 * without randomisation), brk, the stack, and how guest page tables and host pages are filled (eagerly for small
 * mappings, in growing chunks for large ones). Used by its process's threads one at a time.
 */
#ifndef SANDREC_MM_H
#define SANDREC_MM_H

#include <stdio.h>

#include "syscall-emu/session.h"

struct vma {
	uint64_t start, end;
	int prot, flags;           /* PROT_*, MAP_SHARED|MAP_PRIVATE|MAP_ANONYMOUS|MAP_GROWSDOWN|MAP_NORESERVE */
	uint64_t offset, dev, ino; /* of a file mapping */
	char *name;                /* path, "[heap]", "[stack]", "[vdso]" or NULL */
	/* For mm's own use. */
	/* what mprotect may give: a shared mapping of a read-only descriptor has no PROT_WRITE */
	int may;
	int segment;               /* System V segment + 1, or 0 */
	bool account;              /* Linux charges it (VM_ACCOUNT): neighbours that differ here do not merge */
	bool changed;              /* private file mapping whose file was written since */
	uint64_t file_size;        /* of its file, as far as the guest's calls have told us */
	bool dontfork, wipe;       /* a forked child does not have it; finds zeros (madvise) */
	bool joined;               /* private for the guest, shared on the host (mm_join.h) */
	int kernel;                /* shadow of memory the kernel writes (kernel_shared.h): which, from 1; else 0 */
};

struct mm_request {
	uint64_t addr, len;
	int prot, flags;           /* as mmap(2); MAP_FIXED and MAP_FIXED_NOREPLACE understood */
	const struct map_source *src; /* NULL: anonymous */
	const char *name;          /* overrides src->path */
	int kernel;                /* vma.kernel: anonymous memory that may later get no more rights than prot */
};

/* Reads /proc/self/maps once to find holes: VMM memory below GUEST_TOP. */
int mm_create(struct process *p, struct mm **out);
void mm_destroy(struct mm *mm);
/*
 * In a forked child, with its own VM: gives vm the mappings. Small ones and the pages around the stack pointer sp are
 * filled at once: a copy-on-write break that KVM has to find costs the most of all faults (kvm-software-host.md, 2).
 */
int mm_reborn(struct mm *mm, struct vm *vm, uint64_t sp);

/* In a forked child, with its own VM and memory: what its parent excluded by madvise goes. Like mm_reborn() if it fails. */
int mm_leave_behind(struct mm *mm);

/* Is there memory that a forked child would share, and that either may write? */
bool mm_shared_writable(const struct mm *mm);

int64_t mm_map(struct mm *mm, const struct mm_request *r); /* address or negative errno */
int mm_unmap(struct mm *mm, uint64_t start, uint64_t len);
int mm_protect(struct mm *mm, uint64_t start, uint64_t len, int prot);
/* Sets the start of the heap (page-aligned end of the image). */
void mm_set_brk(struct mm *mm, uint64_t start);
/* The main stack: reserves and maps it; *top is where the loader starts to write downwards. prot has EXEC for
 * executable stacks. limit: RLIMIT_STACK in bytes. */
int mm_make_stack(struct mm *mm, uint64_t limit, int prot, uint64_t *top);

/*
 * A #PF at addr with the architecture's error code. 1: the mapping allows it and is now filled, run again. 0: a real
 * violation: *sig, *code (SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR...) for the signal.
 */
int mm_fault(struct mm *mm, uint64_t addr, uint32_t error, int *sig, int *code);

/* Is this memory of the VMM below GUEST_TOP, or outside the guest? For the pointer check. */
int mm_range_ok(const struct mm *mm, uint64_t addr, uint64_t len);

const struct vma *mm_find(const struct mm *mm, uint64_t addr); /* the mapping that contains addr, or NULL */
/* Walks mappings in address order: start with NULL. */
const struct vma *mm_next(const struct mm *mm, const struct vma *v);
void mm_print_maps(const struct mm *mm, FILE *out); /* in the format of /proc/PID/maps */
/* [*start, *end) of the heap; *end need not be page-aligned. */
void mm_heap(const struct mm *mm, uint64_t *start, uint64_t *end);
/* The loader has written the stack down to sp: what lies below is given to the guest as it grows. */
int mm_stack_used(struct mm *mm, uint64_t sp);

/*
 * Writes where the guest may have no write permission: bytes that the outside world put into a mapping. -EFAULT where
 * nothing is mapped. Replay applies DATA_MEMORY with it.
 */
int mm_poke(struct mm *mm, uint64_t addr, const void *bytes, size_t len);

/* Handlers of the table (mm_calls.c). */
sys_handler do_mmap, do_munmap, do_mprotect, do_mremap, do_brk, do_madvise, do_mincore, do_msync, do_mlock, do_munlock,
	do_mlock2, do_mlockall, do_munlockall, do_remap_file_pages, do_mbind, do_shmat, do_shmdt, do_pkey_mprotect;

/* A write-like call changed [off, off+len) of the file behind fd: what mappings of that file now show is added to p. */
void mm_file_written(struct task *t, struct plan *p, int fd, uint64_t off, uint64_t len);
/*
 * Replay: a file that is mapped has another size. Pages of private mappings that came into being are zeros, those that went
 * are SIGBUS, and what the guest had written to them is lost. Shared ones map a file that changes its size itself.
 */
int mm_file_sized(struct mm *mm, uint64_t dev, uint64_t ino, uint64_t size);

#endif
