/*
 * A trace in one file, for moving it: the parts that a trace directory has as files, one after the other, and an index.
 * Streams are in it as they are (their frames are compressed and have checksums), everything else compressed. It is
 * read in place; nothing is unpacked to disk. doc/trace-format.md describes it. Every byte is treated as hostile.
 */
#ifndef SANDREC_PACK_H
#define SANDREC_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACK_FORMAT 1
#define PACK_SUFFIX ".sandrec"
#define PACK_NAME_MAX 63

/* ---- writing ---- */

struct pack_writer;
/* fd: an empty file, the caller's. */
int pack_writer_create(int fd, struct pack_writer **out);
/*
 * Adds a part, size bytes of from at offset at; compress: as one zstd frame. A file that became shorter meanwhile is
 * -EBADMSG, a name that is there already -EEXIST, one that no part can have -EINVAL.
 */
int pack_add(struct pack_writer *w, const char *name, int from, uint64_t at, uint64_t size, bool compress);
/* Writes the index, then the header: before that the file is no pack. Frees w even on error. */
int pack_writer_finish(struct pack_writer *w);
void pack_writer_abandon(struct pack_writer *w);

/* ---- reading ---- */

struct pack;

struct pack_part {
	char name[PACK_NAME_MAX + 1];
	uint64_t at, stored;  /* where it is in the file */
	uint64_t size;        /* of the part itself; stored differs when it is compressed */
	uint64_t sum;         /* XXH3 of the stored bytes */
	bool compressed;
};

/* Does fd begin as a pack does? */
bool pack_is(int fd);

/* 0, -EBADMSG, -EPROTO (a newer format), -ENOMEM or what reading gave; *why is then a constant. fd stays the caller's. */
int pack_open(int fd, struct pack **out, const char **why);
void pack_close(struct pack *p);

size_t pack_count(const struct pack *p);
const struct pack_part *pack_nth(const struct pack *p, size_t n);              /* sorted by name */
const struct pack_part *pack_find(const struct pack *p, const char *name);     /* NULL: not there */

/* A part's content as a file of its own (a memfd), checked against its sum. A descriptor, -EBADMSG... */
int pack_extract(int fd, const struct pack_part *part);
/* Reads the stored bytes and compares them with the sum: 0 or -EBADMSG... */
int pack_check(int fd, const struct pack_part *part);

#endif
