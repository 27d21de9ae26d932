/*
 * Scans of text (vmm/text_scan.h), kept in case the same text is mapped again: in the address space, and for other processes of
 * the tree (vmm/memo.h). The key is the bytes, where they are from, and what was looked for.
 */
#ifndef SANDREC_TEXT_CACHE_H
#define SANDREC_TEXT_CACHE_H

#include <xxhash.h>

#include "vmm/text_scan.h"

struct memo;

#define TEXT_CACHED 16

struct text_cache {
	struct text_cached {
		XXH128_hash_t key;
		struct text_found found;
	} scan[TEXT_CACHED];
	unsigned next;
};

/* fd: the file with the text at `offset`, which may tell where functions start; -1. */
struct text_source {
	const uint8_t *code;
	uint64_t len, from;   /* as text_input has them */
	unsigned kinds;
	int fd;
	uint64_t offset;
};

/* Gives and takes scans there from now on; it must outlive the process. */
void text_cache_share(struct memo *m);

/*
 * Is it known that this part of the file holds nothing that is looked for, not even something alike? Then nobody has to look
 * at it: the text of a compiler is 30 MB. Only for memory that shows the file's own bytes. The second says so to the others.
 */
bool text_cache_clean(int fd, uint64_t offset, uint64_t len, unsigned kinds);
void text_cache_found_clean(int fd, uint64_t offset, uint64_t len, unsigned kinds);

/* What the scan finds, the cache's until the next call; NULL: no memory. */
const struct text_found *text_cache_scan(struct text_cache *c, const struct text_source *x);
void text_cache_free(struct text_cache *c);

#endif
