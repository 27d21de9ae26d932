/*
 * One mapping of kernel memory and what is known of its layout. Private to kernel_shared.c and kernel_ring.c.
 */
#ifndef SANDREC_KERNEL_WINDOW_H
#define SANDREC_KERNEL_WINDOW_H

#include "syscall-emu/kernel_shared.h"

struct kernel_window;

/* A piece of the guest's mapping: [at, at+len) of the window is at addr. */
struct window_piece {
	struct task *task;
	struct kernel_window *w;
	uint64_t at, len, addr;
	bool writable;
	kernel_shared_fn *fn;      /* told of what changed in the guest's memory */
	void *arg;
};

struct window_kind {
	const char *name;
	/* Part of the window, from its start, that is compared and moved both ways; the rest is the kind's. */
	uint64_t (*plain)(const struct kernel_window *w);
	/* Moves what the kernel has published behind that part: before, so that who sees a position sees what it is about. */
	void (*pull)(const struct window_piece *v);
	/* Has something been published behind that part since the last pull? */
	bool (*news)(const struct kernel_window *w);
	/* After a pull of all pieces: positions move on. */
	void (*pulled)(struct kernel_window *w);
	/* The guest is shown this for the kernel's word at this place of the object (NULL: itself). */
	uint64_t (*shown)(const struct kernel_window *w, uint64_t place, uint64_t word);
};

struct kernel_window {
	struct kernel_window *next;
	int id;                    /* vma.kernel */
	const struct window_kind *kind;
	char *real;                /* the kernel's pages */
	char *base;                /* what both sides agreed on last: of the plain part */
	uint64_t len, offset;      /* bytes; of the mapping in the object */
	bool writable, used;
	/* rings */
	const char *head;          /* the object's first pages, for us to read; owned when head_len is not 0 */
	uint64_t head_len, size, limit; /* bytes of data, a power of two; limit: published as of this pull */
	uint64_t at;               /* everything before this position has been pulled for good */
	uint64_t shown;            /* the producer's position that the guest may see: what was pulled, or is busy */
};

/* Of a process. */
struct kernel_shared {
	struct kernel_window *first;
	int last_id;
	uint64_t pulled_ns;
};

/* Writes to the guest's memory, whatever its protection, and tells. */
void window_give(const struct window_piece *v, uint64_t at, const void *bytes, uint64_t len);

extern const struct window_kind window_plain, window_bpf_ring, window_perf_ring;

/* Finds positions and sizes: at creation. */
int window_bpf_ring_open(struct kernel_window *w, int fd, uint64_t size);
int window_perf_ring_open(struct kernel_window *w);

static inline uint64_t window_load(const void *p)
{
	return __atomic_load_n((const uint64_t *)p, __ATOMIC_ACQUIRE);
}

#endif
