/*
 * Events as text like strace's, from the rows of the table. What is not recorded is shown as its address.
 */
#ifndef SANDREC_DECODE_H
#define SANDREC_DECODE_H

#include <stdio.h>

#include "cli/memory.h"
#include "syscall-emu/sysdesc.h"

#define DECODE_STRING_MAX 32 /* bytes of a buffer that are shown */

struct call {
	const struct event *ev;
	const struct memory *mem;
	uint64_t nr, arg[6];
	const struct sys_desc *row; /* the call's, its parent's for an unknown command, or NULL */
	bool variant;               /* row is that of a command */
	int64_t result;
	bool failed, unfinished;    /* an error; interrupted, or it set all registers */

	/* How it is shown: decode_call() sets what dump wants, `diff` something else. */
	size_t string_max;          /* bytes of a buffer */
	bool no_addresses, no_times, no_pids; /* as ADDR, TIME, PID */
};

void decode_call(struct call *c, const struct event *ev, const struct memory *mem);
/* What bpf's verifier said at this call, len bytes, to be freed; NULL or nothing for most calls. */
char *decode_log(const struct call *c, size_t *len);
/*
 * The same as lines, each behind a newline and a prefix: they go behind the call's own line.
 */
void decode_text(FILE *out, const struct call *c);
void decode_name(FILE *out, const struct call *c);        /* "openat", "syscall_0x1f4" */
unsigned decode_nargs(const struct call *c);
void decode_arg(FILE *out, const struct call *c, unsigned i);
void decode_result(FILE *out, const struct call *c);      /* "-1 ENOENT (No such file or directory)" */

/* A siginfo as the kernel writes it, len bytes: "{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10}". */
int decode_signo(const void *info, size_t len);           /* 0: none there */
void decode_siginfo(FILE *out, const void *info, size_t len);
void decode_wait_status(FILE *out, int status);           /* "exited with 0", "killed by SIGSEGV (core dumped)" */

/* "text\n" in quotes; more: the buffer went on. */
void decode_quoted(FILE *out, const void *bytes, size_t len, bool more);
void decode_address(FILE *out, uint64_t addr);            /* "NULL", "0x7f..." */
void decode_pointer(FILE *out, const struct call *c, uint64_t addr); /* or "ADDR" */
/* len bytes at addr as far as they were recorded and c wants to see them; else the address. */
void decode_bytes(FILE *out, const struct call *c, uint64_t addr, uint32_t kind, uint64_t len);

/* Objects with a form of their own (decode_struct.c): true when the one that argument i points to was shown. */
bool decode_object(FILE *out, const struct call *c, unsigned i);
bool decode_bpf(FILE *out, const struct call *c, unsigned i); /* decode_bpf.c: for decode_object() */

#endif
