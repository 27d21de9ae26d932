/*
 * Two processes that go on running in one memory: clone(CLONE_VM) without CLONE_VFORK and CLONE_THREAD. Each is a host process
 * with an address space of its own, as any other; what was the parent's private memory is moved into an object that both have
 * mapped shared, and the order in which they run is that of processes that share memory (record/group.h). So both see what
 * either writes. What one of them does to its mappings the others do when they have their next turn: anonymous memory, mprotect,
 * munmap and brk; a file that one of them maps later the others do not see.
 *
 * For the guest such mappings are still private: vma.joined says what they are. They cannot be moved nor made longer
 * (mremap: ENOMEM). Runs on record and replay alike.
 */
#ifndef SANDREC_MM_JOIN_H
#define SANDREC_MM_JOIN_H

#include "syscall-emu/mm.h"

/* Before the clone: the private memory can be shared now. 0 or -ENOMEM (what has been done by then does no harm). */
int mm_join(struct mm *mm);
bool mm_joined(const struct mm *mm);

/*
 * In the child of an ordinary fork, before it or its parent runs on: its own copy of what its parent shares with others.
 * 0 or -ENOMEM.
 */
int mm_part(struct mm *mm);

/* A turn has begun: what the others have done to their mappings meanwhile is done here, too. */
void mm_join_follow(struct mm *mm);

/* For mm: is new memory like this to be shared? Then this maps it, and the others hear of it and of other changes. */
bool mm_join_new(const struct mm *mm, const struct mm_request *r, uint64_t len);
int mm_join_map(struct mm *mm, uint64_t start, uint64_t len, int prot, bool replace);
void mm_join_mapped(struct mm *mm, uint64_t start, uint64_t len, int prot);
void mm_join_unmapped(struct mm *mm, uint64_t start, uint64_t len);
void mm_join_protected(struct mm *mm, uint64_t start, uint64_t len, int prot);
void mm_join_brk(struct mm *mm);

/* MADV_DONTNEED of such memory: zeros from now on, for all. */
int mm_join_zap(uint64_t start, uint64_t end);

#endif
