/*
 * Is a recording whole? Every frame of every stream is decompressed and every record decoded, every file that the events
 * name is hashed, and the manifest is compared with what is there.
 */
#ifndef SANDREC_CLI_INTEGRITY_H
#define SANDREC_CLI_INTEGRITY_H

#include "cli/needs.h"
#include "cli/trace.h"

struct integrity {
	struct manifest manifest;
	struct trace_procs procs;
	uint64_t *events;       /* of each of procs: those that are good */
	struct needs needs;     /* of all of them */
	size_t nfiles;          /* of the needs: those that are good */
	size_t nproblems;
	char **problem;         /* a line for each */
	size_t ncut;            /* processes whose events end early because the recording did: no problem */
};

/* Checks it all, with a line of progress. false: out of memory, after a message. Free it in either case. */
bool integrity_check(int dir, const char *path, struct integrity *in);
void integrity_free(struct integrity *in);

#endif
