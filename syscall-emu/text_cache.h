/*
 * Scans of text (vmm/text_scan.h), kept in case the same text is mapped again: in the address space, and for other processes of
 * the tree (vmm/memo.h). The key is which file the text is in, where, and what was looked for, or, where a file may change without
 * anybody seeing it and for memory without a file, the bytes themselves.
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

/* A mapping of `mapped` bytes. fd: the file with the text at `offset`, which may tell where functions start; -1. */
struct text_source {
	const uint8_t *code;
	uint64_t len, from;   /* as text_input has them; the file may end before its mapping does */
	uint64_t mapped;
	uint64_t offset;
	unsigned kinds;
	int fd;
};

/* Gives and takes scans there from now on; it must outlive the process. */
void text_cache_share(struct memo *m);
/* From now on all files with text are a recording's, to which nobody writes. */
void text_cache_files_rest(void);

/*
 * What the scan finds, the cache's until the next call. known: what is known of the file without its bytes (code and len do not
 * count), so that nobody has to read them: the text of a compiler is 30 MB; NULL: nothing. Only for memory that shows the file's own
 * bytes. scan: looks itself if it must; NULL: no memory. clean: there is nothing to find, not even something alike.
 */
const struct text_found *text_cache_known(struct text_cache *c, const struct text_source *x);
const struct text_found *text_cache_scan(struct text_cache *c, const struct text_source *x);
void text_cache_clean(struct text_cache *c, const struct text_source *x);
void text_cache_free(struct text_cache *c);

#endif
