/*
 * What the programs about faults and signals share. Nothing that varies by itself may be printed: addresses are shown
 * as "right" or "wrong" against the one expected, pids and times only as comparisons.
 */
#ifndef SIGTEST_H
#define SIGTEST_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

typedef void handler_fn(int sig, siginfo_t *si, void *context);

static inline void on_signal(int sig, handler_fn *fn, int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	if (sigaction(sig, &sa, NULL) < 0) {
		perror("sigaction");
		exit(99);
	}
}

static inline uint64_t reg(void *context, int index)
{
	return (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[index];
}

/* The instruction or access a fault must name. */
static volatile uint64_t want_addr;
static sigjmp_buf resume;

static inline const char *rightness(uint64_t found)
{
	return found == want_addr ? "right" : found ? "wrong" : "null";
}

/* Prints all a fault says and goes back to TRY. */
static inline void show_fault(int sig, siginfo_t *si, void *context)
{
	printf("signal %d code %d errno %d addr %s trap %d error %#x\n", sig, si->si_code, si->si_errno,
	       rightness((uint64_t)si->si_addr), (int)reg(context, REG_TRAPNO), (unsigned)reg(context, REG_ERR));
	siglongjmp(resume, 1);
}

static inline void catch_faults(handler_fn *fn, int flags)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };

	for (unsigned i = 0; i < 5; i++)
		on_signal(sigs[i], fn, flags);
}

/* Runs code that is expected to fault; addr is what si_addr shall be. */
#define TRY(what, addr, code) \
	do { \
		printf("%s: ", what); \
		fflush(stdout); \
		want_addr = (uint64_t)(addr); \
		if (!sigsetjmp(resume, 1)) { \
			code; \
			printf("went on\n"); \
		} \
	} while (0)

/* A function of three pieces of assembly; NAME_at is the address of the middle one, which faults. */
#define FAULT_FN(name, before, insn, after) \
	void name(void); \
	extern const char name##_at[]; \
	__asm__(".text\n.globl " #name ", " #name "_at\n.type " #name ", @function\n" #name ":\n" before "\n" #name \
		"_at: " insn "\n" after "\nret\n.size " #name ", . - " #name)

#endif
