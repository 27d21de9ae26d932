/*
 * New processes: fork, vfork, clone, clone3. One host process per guest process, so the kernel does what these calls mean
 * (pids, descriptors, credentials, namespaces, copy-on-write); this module checks the request, and makes the child's
 * VM. Source: clone(2), kernel/fork.c.
 */
#ifndef SANDREC_CLONE_H
#define SANDREC_CLONE_H

#include "syscall-emu/session.h"

struct fork_request {
	uint64_t flags;       /* CLONE_*, without the exit signal */
	uint64_t exit_signal;
	uint64_t stack;       /* the child's stack pointer; 0: as the parent's */
	uint64_t tls;         /* with CLONE_SETTLS */
	uint64_t parent_tid, child_tid, pidfd; /* guest addresses, checked; 0 when the flag is not set */
	bool joined;          /* was CLONE_VM without CLONE_VFORK: mm_join() has been called */
};

sys_handler do_fork, do_vfork, do_clone, do_clone3;
sys_handler do_unshare, do_setns; /* namespace.c */
bool namespace_children_elsewhere(void); /* are new processes in another pid namespace? Then no new VM can run here */

/*
 * The host side, for sessions. Calls the kernel with what of the request is the kernel's. Returns the child's pid (or a
 * negative errno) in the parent. The child gets its VM, is given its identity by ready(t, arg) (ring or stream, pid and
 * tid), which returns 0 or a negative errno, and then runs: with CLONE_VM inside this call, on another stack while the
 * parent's thread waits, ending in the child's exec or exit; else by returning 0 with t->newborn set.
 */
int64_t clone_process(struct task *t, const struct fork_request *q, int (*ready)(struct task *child, void *arg), void *arg);

#endif
