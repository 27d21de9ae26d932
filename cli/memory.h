/*
 * The guest memory that one event carries: what the call wrote and what it read, as far as it was recorded. Addresses,
 * lengths and bytes come from the trace and mean nothing before they are looked up here.
 */
#ifndef SANDREC_MEMORY_H
#define SANDREC_MEMORY_H

#include <stdbool.h>

#include "trace/event.h"

struct memory_piece {
	uint64_t addr;
	uint32_t len, kept, kind; /* kept: bytes held here, the first of len */
	unsigned char *bytes;
};

struct memory {
	size_t n, room;
	struct memory_piece *piece;
	size_t bytes;             /* held in all */
};

#define MEMORY_BYTES_MAX (4u << 20) /* held of one event; what is beyond is known by its length only */

bool memory_add(struct memory *m, const struct event_data *d); /* false: out of memory */
void memory_clear(struct memory *m);
void memory_free(struct memory *m);

/*
 * Up to len bytes at addr, of this kind (DATA_MEMORY: after the call, DATA_INPUT: before it), into buf: how many there
 * are without a gap.
 */
size_t memory_get(const struct memory *m, uint64_t addr, uint32_t kind, void *buf, size_t len);

/* The same after the call: what it wrote, else what it read. */
size_t memory_get_any(const struct memory *m, uint64_t addr, void *buf, size_t len);

uint64_t memory_written(const struct memory *m); /* bytes in all */

/* Bytes of this kind recorded from addr on without a gap, held or not. */
uint64_t memory_length(const struct memory *m, uint64_t addr, uint32_t kind);

#endif
