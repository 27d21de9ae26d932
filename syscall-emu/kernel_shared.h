/*
 * Memory that the kernel writes on its own while the guest has it mapped: maps of bpf(2), ring buffers, perf events' rings.
 *
 * The guest never sees the kernel's pages. Its mapping is private memory of its own (the shadow); we have the kernel's pages
 * mapped elsewhere (the window). What the guest changed is pushed to the kernel before every system call, what the kernel
 * changed is pulled in after it and becomes part of the call's event: so it changes at a moment that a recording holds, and
 * a replay needs no kernel. A guest that makes no calls gets the same at execution points (record/recorder.c).
 *
 * What "changed" means is told by a third copy, the state that both sides agreed on last. It is compared and moved in pieces
 * of 1, 2, 4 or 8 bytes that hold nothing but changed bytes, with one store each: counters and positions never tear, and
 * neighbours that the two sides write do not disturb each other. A word that both write in the meantime has the guest's value,
 * as if it had come last. Ring buffers are not compared: only what has been published since is moved (kernel_window.h).
 *
 * All functions: live sessions only, by the thread that has the baton.
 */
#ifndef SANDREC_KERNEL_SHARED_H
#define SANDREC_KERNEL_SHARED_H

#include "syscall-emu/session.h"

struct kernel_window;

/* Can this descriptor, none of a regular file, be mapped here? Its name as /proc/PID/maps shows it into path. */
bool kernel_shared_is_kind(const struct fdtable *f, int fd, char *path, size_t size);

/*
 * Maps fd for us, as the guest asked for it: Linux's negative errno if it may not. *out is then to be given to
 * kernel_shared_attach() or kernel_shared_drop().
 */
int kernel_shared_open(struct task *t, int fd, int prot, int flags, uint64_t offset, uint64_t len, struct kernel_window **out);
void kernel_shared_drop(struct kernel_window *w);

int kernel_shared_id(const struct kernel_window *w); /* for vma.kernel of its mappings */

/* The shadow is at addr: fills it, and adds its content to p. The window then lives as long as there are mappings of it. */
void kernel_shared_attach(struct task *t, struct plan *p, struct kernel_window *w, uint64_t addr);

/* Before a call, and after it: pieces that were brought in are added to p. */
void kernel_shared_push(struct task *t);
void kernel_shared_pull(struct task *t, struct plan *p);

/*
 * Both, outside a system call: fn gets each piece that changed in guest memory. Returns the number of pieces.
 */
typedef void kernel_shared_fn(void *arg, uint64_t addr, uint64_t len);
unsigned kernel_shared_refresh(struct task *t, kernel_shared_fn *fn, void *arg);

/* Is there something to pull? Nothing is moved. */
bool kernel_shared_news(const struct process *p);

/* Nanoseconds of CLOCK_MONOTONIC since the last pull; 0: there are no windows. */
uint64_t kernel_shared_age(const struct process *p);

/* In a forked child that has not inherited the kernel's pages. */
void kernel_shared_forget(struct process *p, int id);

/* Is this mapping, a shadow, not inherited by a forked child? By its name: the same on replay. */
struct vma;
bool kernel_shared_not_inherited(const struct vma *v);

#endif
