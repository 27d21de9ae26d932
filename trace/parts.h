/*
 * The parts of a trace by name (manifest, event streams, rings, files), whether it is a directory or packed in one file
 * (pack.h). Readers are given one descriptor of either kind and need not know which.
 *
 * The index of the pack used last is kept, so that opening many parts of one trace reads it once. Not thread-safe.
 */
#ifndef SANDREC_PARTS_H
#define SANDREC_PARTS_H

#include <stdbool.h>
#include <stdint.h>

struct trace_part {
	int fd;              /* to be read with pread(): its offset may be shared */
	uint64_t at, size;   /* the part's place in fd */
	bool whole;          /* it is all of a file, which may still grow: size is that of now */
};

/* 0, -ENOENT, -ELOOP (a link), -EINVAL (no regular file), -EBADMSG, -EPROTO... */
int trace_part_open(int trace, const char *name, struct trace_part *p);
void trace_part_close(struct trace_part *p);

/* The bytes that a part takes on disk; 0 when it is not there. */
uint64_t trace_part_bytes(int trace, const char *name);

/* Calls fn for the name of each part (not of those in files/), in no order; stops at its first non-zero value. */
int trace_parts_each(int trace, int (*fn)(void *arg, const char *name), void *arg);

/* 0: a directory or a good pack; else a negative errno with a line in why. */
int trace_parts_check(int trace, char *why, unsigned len);

bool trace_is_packed(int trace);

#endif
