/*
 * On replay a file that the program mapped shared is a memfd: all its mappings see one memory. Each mapping brings the
 * file's content at that moment, which is then what the memfd holds.
 */
#ifndef SANDREC_SHARED_FILE_H
#define SANDREC_SHARED_FILE_H

#include <stdint.h>

struct shared_files; /* by (dev, ino) of the recording */

int shared_files_create(struct shared_files **out);
void shared_files_destroy(struct shared_files *s);

/* A descriptor for the file (dev, ino), filled with the content of stored (size bytes). Owned by s. */
int shared_files_get(struct shared_files *s, uint64_t dev, uint64_t ino, int stored, uint64_t size);

#endif
