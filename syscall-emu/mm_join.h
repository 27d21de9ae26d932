/*
 * Two processes that go on running in one memory: clone(CLONE_VM) without CLONE_VFORK and CLONE_THREAD. Each is a host process
 * with an address space of its own, as any other; what was the parent's private memory is moved into an object that both have
 * mapped shared, and the order in which they run is that of processes that share memory (record/group.h). So both see what
 * either writes, but a mapping that one of them makes, moves or takes away later the other does not see.
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

/* MADV_DONTNEED of such memory: zeros from now on, for all. */
int mm_join_zap(uint64_t start, uint64_t end);

#endif
