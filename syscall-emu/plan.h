/*
 * The plan of one system call: every region of guest memory it reads and writes, built once from its row, then used for
 * the checks, the forwarded call and the log. Owned by the task, reused call after call; only its thread touches it.
 *
 * Life: plan_build (guest state only: the same on record and replay) -> plan_forward or a handler -> plan_finish ->
 * plan_written() walks what has to be recorded.
 */
#ifndef SANDREC_PLAN_H
#define SANDREC_PLAN_H

#include <stdbool.h>

#include "syscall-emu/sysdesc.h"

#define PLAN_REGIONS_MAX 16384   /* recvmmsg of UIO_MAXIOV messages with a name, control data and some pieces; more: -ENOBUFS */
#define PLAN_COPY_MAX (4u << 20) /* bytes of parent objects copied per call; more: -ENOBUFS */

struct plan_region {
	const struct sys_mem *mem;
	uint64_t addr;       /* guest address */
	void *copy;          /* our copy, when it is a parent object or a length; holds the guest's pointers; else NULL */
	uint64_t cap, got;   /* bytes; got valid after plan_finish, for OUT and INOUT */
	uint64_t parent;     /* index of the parent region, or ~0 */
	uint64_t slot;       /* where in the parent's copy the pointer is (0 for an argument's own region) */
	uint64_t left;       /* plan_finish: what a budget has left for the next pieces */
	bool scratch;        /* copy is scratch memory (plan_scratch.h) */
};

struct plan {
	const struct sys_desc *desc;
	uint64_t nr, arg[6];       /* as the guest passed them */
	uint64_t host_arg[6];      /* as they are forwarded: pointers to copies where objects were copied */
	struct plan_region *region;
	uint32_t nregions, regions_cap;
	char *arena;               /* copies; PLAN_COPY_MAX bytes of address space */
	uint32_t arena_used;
	void *big;                 /* scratch memory that the arena has no room for */
	uint64_t big_len;
	/* extra memory written by a handler, beyond what the row says */
	struct { uint64_t addr, len; uint32_t kind; const void *bytes; } *extra;
	uint32_t nextra, extra_cap;
	/* what the handler wants back on replay: set on record, given on replay (NULL and 0 when absent) */
	const void *annex;
	uint32_t annex_len;
	uint8_t ev_flags;          /* REC_F_STDOUT...: set by fd.c's post hooks */
	int64_t recorded;          /* on replay: the recorded result; else 0 */
	uint64_t early;            /* a u32 there was written before the call began to wait; 0: none */
};

int plan_init(struct plan *p);
void plan_release(struct plan *p);

/* Fills p for a call. 0, or the negative errno the guest gets (EFAULT, EINVAL) with nothing forwarded. */
int plan_build(struct plan *p, struct task *t, const struct sys_desc *d, uint64_t nr, const uint64_t args[6]);

/* Forwards to Linux: result, negative errno, or SYS_ERESTARTSYS (see forward.h). */
int64_t plan_forward(struct plan *p, struct task *t);

/*
 * Works out what was written; copies the OUT parts of parent objects back to the guest. Returns the result the guest
 * gets: ret, or -EFAULT when such a part cannot be written.
 */
int64_t plan_finish(struct plan *p, struct task *t, int64_t ret);

/* For plan_scratch.c: fills every region's `got`; memory until the next call (NULL: none). */
void plan_settle(struct plan *p, struct task *t, int64_t ret);
void *plan_scratch_memory(struct plan *p, uint64_t len);

/*
 * Adds memory that a handler wrote (kind: DATA_* of trace/event.h; bytes NULL: taken from the guest at addr, else copied
 * now). -ENOBUFS when the bytes of one call exceed 60 MiB.
 */
int plan_add(struct plan *p, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes);
void plan_set_annex(struct plan *p, const void *bytes, uint32_t len); /* copies into the arena */

/*
 * Calls fn for each written piece, row regions first, then extras; stops at the first non-zero value. bytes NULL: they
 * are in guest memory at addr. Neighbours are given as one piece.
 */
int plan_written(const struct plan *p, int (*fn)(void *arg, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes), void *arg);

/*
 * Calls fn for the bytes a write-like call (IN regions with a `got`, IN pieces of a budget) handed over. bytes is a guest
 * address: after a successful call the kernel has read it.
 */
int plan_sent(const struct plan *p, int64_t ret, int (*fn)(void *arg, const void *bytes, uint64_t len), void *arg);

/*
 * Safe access to guest memory from handlers: range-checked, and a page that is not there gives -EFAULT instead of a
 * signal (process_vm_readv on ourselves, or the fault-fixup copy in forward.S).
 */
int guest_read(void *dst, uint64_t addr, size_t len);
int guest_write(uint64_t addr, const void *src, size_t len);
/* A NUL-terminated string into buf: its length, -EFAULT, or -ENAMETOOLONG. */
long guest_string(char *buf, uint64_t addr, size_t size);
/* Length without the NUL, max if there is none in the first max bytes, or -EFAULT. */
int64_t guest_strnlen(uint64_t addr, size_t max);
/* Whose holes to refuse; plan_build does it. */
struct mm;
void guest_mem_bind(const struct mm *mm);

#endif
