/*
 * `run --inject`: results, signals and delays that Linux did not give, in strace's grammar:
 *
 *	CALL[,CALL]...:WHAT[:WHAT]...[:when=FIRST[..LAST][+[STEP]]]
 *	WHAT: error=ERRNO, retval=NUMBER, signal=SIGNAL, delay=TIME (a number of microseconds, or with s, ms, us, ns)
 *
 * `errno=` is another word for `error=`. With an error or a value the call is not made. Invocations are counted in each
 * process from 1, over its threads and program images, by each rule for itself.
 *
 * The call is marked in its event (REC_F_INJECTED): replay takes the result from there, whatever the call, and needs no
 * rules. A signal is sent to the thread by the kernel, and recorded as any other.
 */
#ifndef SANDREC_INJECT_H
#define SANDREC_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define INJECT_RULES 16
#define INJECT_CALLS 512

struct inject_rule {
	uint64_t calls[INJECT_CALLS / 64]; /* bit n of all: number n */
	bool has_result;
	int64_t result;                    /* as in rax: a negative errno, or a value */
	int signal;                        /* 0: none */
	uint64_t delay_ns;
	uint64_t first, last, step;        /* invocations, from 1; step 0: only the first */
	uint64_t seen;
};

/* As it is in memory it goes from one program image to the next (record/handover.h). */
struct inject {
	uint32_t n;
	pid_t pid;                         /* whose invocations have been counted */
	struct inject_rule rule[INJECT_RULES];
};

/* Adds a rule. false: why says what is wrong with it. */
bool inject_add(struct inject *in, const char *text, char *why, size_t len);

/* What is to happen to this call of process pid; counts it. */
struct inject_verdict {
	bool has_result;
	int64_t result;
	int signal;
	uint64_t delay_ns;
};
struct inject_verdict inject_decide(struct inject *in, uint64_t nr, pid_t pid);

struct task;
/* Live sessions, around the call: waits as long as it has to; with a result the call is not made. Sends the signal. */
struct inject_verdict inject_before(struct task *t);
void inject_after(struct task *t, const struct inject_verdict *v);

#endif
