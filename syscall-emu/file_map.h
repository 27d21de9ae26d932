/*
 * How a mapping of a file is described in the trace: the annex of mmap's event. Record encodes it, replay decodes it as
 * hostile input.
 */
#ifndef SANDREC_FILE_MAP_H
#define SANDREC_FILE_MAP_H

#include "trace/files.h"

enum file_map_kind {
	FILE_MAP_PRIVATE, /* replay maps the stored copy */
	FILE_MAP_SHARED,  /* replay maps a memfd that stands for the file, refreshed with the stored copy */
	FILE_MAP_ZERO,    /* /dev/zero: no content */
	FILE_MAP_KERNEL   /* memory the kernel writes (kernel_shared.h): what it held comes with the events */
};

struct file_map {
	uint32_t kind;
	uint32_t denied;  /* PROT_WRITE, PROT_EXEC: what the mapping can never have (map_source) */
	struct file_ref ref;
	uint64_t dev, ino;
	char path[4096]; /* what /proc/PID/maps shows */
};

#define FILE_MAP_ANNEX_MAX (48 + 4096)

uint32_t file_map_encode(const struct file_map *m, unsigned char buf[FILE_MAP_ANNEX_MAX]); /* bytes used */
int file_map_decode(const void *annex, uint32_t len, struct file_map *m); /* 0 or -EBADMSG */

#endif
