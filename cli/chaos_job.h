/*
 * One run of `sandrec chaos`: a child that is `sandrec run --chaos`, in a process group of its own, watched for hanging. One
 * thread.
 */
#ifndef SANDREC_CHAOS_JOB_H
#define SANDREC_CHAOS_JOB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/stuck.h"

enum chaos_end { CHAOS_ENDED, CHAOS_STUCK, CHAOS_LATE };

/* How a run ended. */
struct chaos_result {
	enum chaos_end end;
	int status;          /* wait status, of CHAOS_ENDED */
	double seconds;
	char *said;          /* the end of its standard error; free() it */
};

struct chaos_job {
	pid_t pid;           /* 0: none */
	uint64_t seed;
	char trace[4200];
	double start;
	int said;            /* memfd */
	bool killed;
	double killed_at;
	enum chaos_end end;
	struct stuck stuck;
};

struct chaos_command {
	char **argv;         /* the program and its arguments; NULL-terminated */
	const char *places;  /* file for --chaos-places, or NULL */
	uint64_t switches;   /* --chaos-switches, 0: no limit */
	double limit;        /* seconds after which a run hangs; 0: none */
};

double chaos_now(void);

/* False after a message. */
bool chaos_job_start(struct chaos_job *j, const struct chaos_command *c, uint64_t seed, const char *trace);

/* To be called now and then while the job runs: ends it when it hangs. */
void chaos_job_watch(struct chaos_job *j, const struct chaos_command *c);

/* Its process has ended with this wait status. */
void chaos_job_ended(struct chaos_job *j, int status, struct chaos_result *r);

/* Kills all of it at once: nobody wants the result. */
void chaos_job_abandon(struct chaos_job *j);

/* A failure: not status 0. Two that ended in the same way. What to call it. */
bool chaos_failed(const struct chaos_result *r);
bool chaos_same(const struct chaos_result *a, const struct chaos_result *b);
void chaos_describe(const struct chaos_result *r, char *text, size_t len);

/* sandrec itself could not run the program. */
bool chaos_impossible(const struct chaos_result *r);

#endif
