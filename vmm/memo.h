/*
 * A table in memory that the processes of a tree share: what one of them has found out, the others need not find out again.
 * A cache and nothing more: an entry may be missing, or be replaced by another, at any time. All zeros is empty.
 */
#ifndef SANDREC_MEMO_H
#define SANDREC_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMO_SLOTS 256
#define MEMO_BYTES 4064

struct memo {
	struct memo_slot {
		uint32_t seq, len;   /* seq is odd while somebody writes; one that is killed then leaves the slot unused */
		uint64_t key[2];
		unsigned char bytes[MEMO_BYTES];
	} slot[MEMO_SLOTS];
};

/* key: a hash of 128 bits. The entry into bytes (MEMO_BYTES of them): its length, or 0. Any thread, any process. */
size_t memo_get(const struct memo *m, const uint64_t key[2], void *bytes);
/* Nothing happens for more than MEMO_BYTES. */
void memo_put(struct memo *m, const uint64_t key[2], const void *bytes, size_t len);

#endif
