/*
 * On replay a file that the program mapped shared is a memfd: all its mappings see one memory, those of other processes that
 * are in the group of shared memory (record/group.h) too. They find each other's descriptors by a list in the tree's memory
 * and /proc/PID/fd. Each mapping brings the file's content at that moment, which is then what the memfd holds.
 */
#ifndef SANDREC_SHARED_FILE_H
#define SANDREC_SHARED_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct shared_files; /* by (dev, ino) of the recording */
struct tree;

int shared_files_create(struct tree *tree, struct shared_files **out);
void shared_files_destroy(struct shared_files *s);

/*
 * A descriptor for the file (dev, ino), filled with the content of stored (size bytes). Owned by s. grouped: the same file
 * as other processes' in the group; in the order that the group's turns give.
 */
int shared_files_get(struct shared_files *s, uint64_t dev, uint64_t ino, bool grouped, int stored, uint64_t size);

/* The file has another size now. Nothing happens if nobody has mapped it shared. */
int shared_files_sized(struct shared_files *s, uint64_t dev, uint64_t ino, bool grouped, uint64_t size);

/* A descriptor for a System V segment; the caller gives it its size. */
int shared_files_segment(struct shared_files *s, int id);

#endif
