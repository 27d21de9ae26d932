/*
 * A recording in words: what `ls` and `info` show of it. Everything a trace says is made printable first.
 */
#ifndef SANDREC_DESCRIBE_H
#define SANDREC_DESCRIBE_H

#include <jansson.h>
#include <stdint.h>

#include "trace/manifest.h"

struct description {
	bool readable;            /* the manifest could be read */
	char why[160];            /* else: why not */
	struct manifest manifest; /* valid when readable */
	uint64_t bytes;           /* on disk */
	uint64_t age_s;           /* since its start, when readable */
	char start[32], age[16], duration[24], size[16];
	char outcome[48];         /* "exit 0", "SIGSEGV", "running", "cut: disk full", "damaged" */
	char command[200];        /* the command line, shortened */
};

void describe_trace(const char *path, struct description *d);
void describe_free(struct description *d);
json_t *describe_json(const char *name, const char *path, const struct description *d);

/* The command line quoted as a shell takes it, cut to len. */
void describe_command(char *const *argv, char *buf, size_t len);
/* A wait status: "exit 0", "SIGSEGV", "SIGSEGV (core)" */
void describe_status(int wait_status, char *buf, size_t len);
/* "1.5M", "512" */
void describe_size(uint64_t bytes, char *buf, size_t len);
/* Any bytes as a JSON string: what is not UTF-8 or printable becomes \xHH. */
json_t *describe_text(const char *bytes);

#endif
