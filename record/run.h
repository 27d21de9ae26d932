/*
 * Running a program as a guest: `sandrec run`. With recording, a supervisor (this process) owns the trace directory and
 * the guest process, its child, writes to a ring; without, the guest runs in this process.
 */
#ifndef SANDREC_RUN_H
#define SANDREC_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "syscall-emu/inject.h"
#include "syscall-emu/sandbox.h"
#include "vmm/cpuid.h"

enum run_clock { RUN_CLOCK_AUTO, RUN_CLOCK_PMU, RUN_CLOCK_LANDMARK }; /* --clock: how execution points are described */

struct run_request {
	const char *trace;        /* -o DIR, or NULL */
	const char *program;      /* the file to execute: already looked up in PATH */
	char **argv, **envp;      /* NULL-terminated */
	const char *cwd;          /* or NULL */
	const char *version;      /* of sandrec, for the manifest */
	enum cpu_model cpu;
	enum run_clock clock;
	bool quiet, verbose;
	uint64_t slice_ns;        /* of threads; 0: the default */
	bool chaos;               /* random scheduling, from seed */
	uint64_t seed, places, switches; /* process.h */
	const uint64_t *marked;   /* instructions that are places, or NULL: any that is one (record/meeting.h) */
	uint32_t nmarked;
	const struct inject *inject; /* or NULL */
	const struct sandbox *sandbox; /* or NULL */
	struct world *world;      /* where calls are answered from (world.h), or NULL */
	int serve;                /* enum serve_mode */
};

struct run_result {
	int status;               /* wait status of the program, valid when the functions return 0 */
	int start_error;          /* the program could not be started: its execve errno (positive), else 0 */
	char trace[4096];         /* the trace directory; empty if there is none */
	char why[256];            /* one line, when something failed */
};

/* Records. 0 when the program ran (see status), else a negative errno with why. */
int run_recorded(const struct run_request *q, struct run_result *res);

/* Runs without recording; returns only when the program could not be started. */
int run_plain(const struct run_request *q, struct run_result *res);

#endif
