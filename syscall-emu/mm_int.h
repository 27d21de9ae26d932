/*
 * What the files of mm share and nobody else sees. The set of mappings is a sorted array; guest page tables are the
 * only record of what has been filled (vm_query).
 */
#ifndef SANDREC_MM_INT_H
#define SANDREC_MM_INT_H

#include <stdbool.h>
#include <sys/mman.h>

#include "syscall-emu/mm.h"
#include "vmm/layout.h"

#define PAGE_MASK_4K (~(PAGE_SIZE_4K - 1))
#define STACK_GUARD_GAP 0x100000ULL    /* Linux's default of 256 pages */
#define MM_STREAMS 8

struct mm_range {
	uint64_t start, end;
};

/* A run of neighbouring faults: the range filled so far and the size of its last chunk. */
struct mm_stream {
	uint64_t start, end, size;
};

struct mm {
	struct process *proc;
	struct vm *vm;
	struct vma **v;
	size_t n, cap;
	struct mm_range *hole;
	size_t nholes;

	uint64_t mmap_top;
	uint64_t gap_top, gap_len;     /* every free gap in [gap_top, mmap_top) is shorter than gap_len */
	uint64_t brk_start, brk;

	/*
	 * Host memory below the main stack's mapping: mapped at once so that the kernel can write there, given to the
	 * guest as the stack grows. Empty after the guest has mapped something over it.
	 */
	struct mm_range reserve;
	int reserve_prot;
	bool reserve_joined;
	uint64_t stack_top, stack_limit;

	struct mm_stream stream[MM_STREAMS];
	unsigned next_stream;
	bool thp, no_populate;
	uint64_t again_addr;           /* a fault that should not have happened, and how often */
	unsigned again;

	uint64_t next_ino;             /* of shared anonymous mappings */
	bool lock_future;
	bool joined;                   /* some of it is mapped from joined_fd (mm_join.h), which is hidden */
	int joined_fd;
	struct join_changes *changes;  /* shared with the others */
	uint32_t changes_seen;
	bool following;                /* doing what another one has done */
	struct text_patches *patches;  /* text_patch.h; NULL: none so far */
};

static inline uint64_t page_up(uint64_t v) { return (v + PAGE_SIZE_4K - 1) & PAGE_MASK_4K; }
static inline uint64_t page_down(uint64_t v) { return v & PAGE_MASK_4K; }
static inline uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }
static inline void *host_ptr(uint64_t addr) { return (void *)(uintptr_t)addr; }
static inline bool vma_anon(const struct vma *v) { return v->flags & MAP_ANONYMOUS; }
/* Is it a part of something that has an inside: does its offset count? */
static inline bool vma_object(const struct vma *v) { return !vma_anon(v) || v->flags & MAP_SHARED || v->kernel; }
/* On the CPU every mapping that can be used at all can be read; saying so keeps our own accesses working. */
static inline int host_prot(int prot)
{
	return prot & (PROT_READ | PROT_WRITE | PROT_EXEC) ? prot | PROT_READ : PROT_NONE;
}

/* ---- mm_set.c ---- */
size_t set_at(const struct mm *mm, uint64_t addr);     /* index of the first mapping that ends above addr */
bool set_overlaps(const struct mm *mm, uint64_t start, uint64_t end);
bool set_covers(const struct mm *mm, uint64_t start, uint64_t end);
/* Makes start and end borders. Until set_merge() the set looks as before to whoever asks for addresses. -ENOMEM. */
int set_split(struct mm *mm, uint64_t start, uint64_t end);
void set_merge(struct mm *mm, uint64_t start, uint64_t end);
void set_remove(struct mm *mm, uint64_t start, uint64_t end); /* whole mappings, after set_split */
/* A copy to insert later without failing: room in the array is made too. The name is copied. */
struct vma *set_prepare(struct mm *mm, const struct vma *like);
void set_drop(struct vma *v);
void set_insert(struct mm *mm, struct vma *v);         /* takes v; merges */
void set_free(struct mm *mm);

/* ---- mm_space.c ---- */
int space_find_holes(struct mm *mm);
bool space_hole(const struct mm *mm, uint64_t start, uint64_t end);
bool space_free(const struct mm *mm, uint64_t start, uint64_t end); /* for a hint: guard gaps count */
int64_t space_find(struct mm *mm, uint64_t len, uint64_t align, bool low);
void space_released(struct mm *mm, uint64_t end);      /* something that ended there is gone */

/* ---- mm_fill.c ---- */
void fill_init(struct mm *mm);
/* [start, end) of v is new, or has just become accessible. Failure only means that faults do it. */
void fill_new(struct mm *mm, const struct vma *v, uint64_t start, uint64_t end);
/* Gives the guest all of a small mapping without touching its pages. False: not of this one; ask fill_new(). */
bool fill_entries(struct mm *mm, const struct vma *v, uint64_t start, uint64_t end);
void fill_populate(struct mm *mm, uint64_t start, uint64_t end, bool write);
/* Gives what is filled in [start, end) the permissions prot. */
int fill_change(struct mm *mm, uint64_t start, uint64_t end, int prot);
/* Fills at `to` what is filled at [from, from+len): before the old range is denied. n is what mremap keeps. */
struct fill_copy { struct mm_range *run; size_t n; };
void fill_remember(struct mm *mm, uint64_t from, uint64_t len, struct fill_copy *c);
void fill_again(struct mm *mm, struct fill_copy *c, int64_t shift, int prot);

/* ---- mm.c ---- */
void mm_drop_reserve(struct mm *mm, uint64_t start, uint64_t end); /* if it overlaps */
uint64_t mm_guard_start(const struct vma *v);          /* where nothing else may be placed from */

/* ---- mm_remap.c ---- */
int64_t mm_remap(struct mm *mm, uint64_t old, uint64_t old_len, uint64_t new_len, unsigned flags, uint64_t to);

/* ---- mm_advise.c ---- */
int64_t mm_advise(struct task *t, struct plan *p, uint64_t start, uint64_t len, int advice);

#endif
