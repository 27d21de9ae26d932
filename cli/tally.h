/*
 * Counting the events of a recording: by system call, by thread and by kind. For `sandrec stat`.
 *
 * A recording has no time at which a call began, only when it had been carried out. The time counted for a call is
 * therefore what passed since the thread's previous event: the call, what the program computed before it, and in a
 * process with several threads the wait for its turn.
 */
#ifndef SANDREC_CLI_TALLY_H
#define SANDREC_CLI_TALLY_H

#include "cli/memory.h"

struct tally_sums {
	uint64_t calls, errors;
	uint64_t served;   /* of the calls: the program did not leave the machine for them */
	uint64_t ns;
	uint64_t moved;    /* bytes, by the results of calls that return a length: read, write, getdents64... */
	uint64_t recorded; /* bytes of memory and annex in the trace, before compression */
};

struct tally_call {
	char *name;        /* "openat", "syscall_0x1f4" */
	struct tally_sums sum;
};

struct tally_thread {
	int process, tid;  /* process: what the caller passed to tally_event() */
	uint64_t events, first_ns, last_ns;
	struct tally_sums sum;
};

struct tally {
	size_t ncalls, nthreads;
	struct tally_call *call;     /* in the order they were first made */
	struct tally_thread *thread; /* in the order of their first events */
	uint64_t events, first_ns, last_ns;
	uint64_t kind[REC_LAST + 1]; /* events of each type */
	uint64_t jumped;             /* of these, by a jump patch */
	uint64_t sites[SITE_VERDICTS]; /* system call sites that were busy, by what became of them */
	struct tally_sums sum;       /* of all calls */
	size_t last_thread;          /* where to look first */
	int16_t slot[512];           /* of system call numbers: 1 + place in call[] */
};

bool tally_event(struct tally *t, int process, const struct event *ev, const struct memory *mem); /* false: out of memory */
void tally_free(struct tally *t);

enum tally_order { TALLY_TIME, TALLY_CALLS, TALLY_ERRORS, TALLY_MOVED, TALLY_NAME, TALLY_OUTSIDE };

/* Largest first, names from a to z; equals by name. */
void tally_sort_calls(struct tally *t, enum tally_order order);

/* The threads of a process added up. */
struct tally_thread tally_process(const struct tally *t, int process);

#endif
