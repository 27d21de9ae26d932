/*
 * Reading a file once: hashing it, and copying what is hashed.
 */
#ifndef SANDREC_FILES_COPY_H
#define SANDREC_FILES_COPY_H

#include "trace/files.h"

/* The hash and size of fd's content, read by pread up to its end, but not more than max bytes. */
int files_hash(int fd, uint64_t max, struct file_ref *ref);

/*
 * Makes to (an empty file) a copy of at most max bytes of from and fills ref with what is now in the copy. Blocks of
 * zeros become holes. Neither touches from's offset.
 */
int files_copy(int from, int to, uint64_t max, struct file_ref *ref);

#endif
