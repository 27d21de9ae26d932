/*
 * The layout of a ring file: one page of header, then the records. Positions are bytes since the start of the
 * recording, never reduced; the byte of position p is at RING_HEADER + p % size.
 */
#ifndef SANDREC_RING_FILE_H
#define SANDREC_RING_FILE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define RING_MAGIC "SRECRING"
#define RING_VERSION 1
#define RING_HEADER 4096
#define RING_SIZE_MIN (1u << 20)
#define RING_SIZE_MAX (1u << 30)

struct ring_head {
	char magic[8];
	uint32_t version, header;
	uint64_t size;

	/* The producer's line, the consumer's line, and the words on which each sleeps (1: asleep). */
	_Alignas(64) uint64_t head;
	_Alignas(64) uint64_t tail;
	_Alignas(64) uint32_t consumer_sleeps;
	uint32_t reserved;
	uint64_t wanted;          /* bytes for which the sleeping consumer is woken */
	uint32_t stopped;
	_Alignas(64) uint32_t producer_sleeps;
};

static_assert(offsetof(struct ring_head, head) == 64 && offsetof(struct ring_head, tail) == 128 &&
	      offsetof(struct ring_head, consumer_sleeps) == 192 && offsetof(struct ring_head, producer_sleeps) == 256 &&
	      sizeof(struct ring_head) <= RING_HEADER, "on disk");

/* Everything but head and tail, which move: 0 or -EBADMSG (-EPROTO: a newer version). */
int ring_head_check(const struct ring_head *h, uint64_t file_size);

#endif
