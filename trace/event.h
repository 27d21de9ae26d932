/*
 * One recorded event: what happened to a guest thread at one stop, in memory (struct event) and in the stream.
 *
 * A stream is a sequence of records, little-endian, each a multiple of 8 bytes long and starting with struct rec_head.
 * An event is one record, followed by `ndata` REC_DATA records (memory that the event wrote). Registers are stored as
 * differences to the previous event of the same thread, all of them at least every 256 events
 * (doc/trace-format.md, trace/record.h). An event whose data records are not all there is not there (a torn tail).
 *
 * trace/ knows nothing of system calls: `nr`, `result` and the annex are numbers and bytes to it.
 */
#ifndef SANDREC_EVENT_H
#define SANDREC_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/regs.h"

enum rec_type {
	REC_EXEC = 1, /* a program image starts; annex: the encoded struct exec_params (syscall-emu/loader.h) */
	REC_SYSCALL,  /* regs at entry, result; annex: what the call's handler wants back on replay (file reference) */
	REC_SIGNAL,   /* asynchronous signal delivered at this stop; annex: siginfo (128 bytes) */
	REC_FAULT,    /* synchronous exception that becomes a signal; result = vector << 32 | error code; annex: siginfo */
	REC_TSC,      /* rdtsc or rdtscp: result = time stamp, annex: u32 TSC_AUX for rdtscp */
	REC_EXIT,     /* the thread group is gone; result = wait status; last event of a process */
	REC_DATA,     /* not an event: bytes written at an address, see struct rec_data */
	REC_NOTE,     /* text for people (refused call, lost recording); replay skips it */
	REC_ANNEX,    /* not an event, seen only inside trace/: a piece of an annex above EVENT_DATA_MAX */
	REC_FORK,     /* first event of a process that clone made: regs at its first instruction; annex: struct fork_annex */
	REC_SCHED,    /* the thread gives way to the one whose event comes next: at a system call that it has not made yet or
	               * that waits (data: what the call reads), or with REC_F_POINT at an execution point (annex) */
	REC_TURN,     /* the thread takes the baton of the processes that share memory: result = which time that is, from 1.
	               * Data: what the shared memory holds, when the one before was killed in its turn */
	REC_LAST = REC_TURN
};

/* rec_head.flags */
#define REC_F_STDOUT 0x01 /* a write whose bytes went to the program's original stdout */
#define REC_F_STDERR 0x02
#define REC_F_AFTER 0x04  /* REC_SIGNAL: delivered after the preceding system call; else before the call at hand.
                           * REC_TURN: at a system call that the thread is about to make; else where it stands anyway */
#define REC_F_RESTART 0x08 /* REC_SYSCALL: interrupted, to be restarted: the instruction executes again */
#define REC_F_POINT 0x20   /* REC_SIGNAL, with REC_F_AFTER: at an execution point, which follows the siginfo in the annex; REC_SCHED: as said there */
#define REC_F_INJECTED 0x40 /* REC_SYSCALL: the result is not Linux's but that of `run --inject`, and the call was not made */
#define REC_F_REFUSED 0x80 /* REC_SYSCALL, with REC_F_INJECTED: by the sandbox */
#define REC_F_SERVED 0x04 /* REC_SYSCALL: made while the program stayed in the machine (syscall-emu/serve.h). For statistics */
#define REC_F_SITE 0x20   /* REC_SYSCALL: with REC_F_SERVED, it came by a jump patch (for statistics); without, DATA_SITE is its first data */
#define REC_F_ALLREGS 0x10 /* all registers stored, not differences (the encoder sets it, readers never see it) */

/* What the bytes of a REC_DATA record are. */
enum data_kind {
	DATA_MEMORY, /* written by the event at addr: replay writes them too */
	DATA_STDOUT, /* output whose bytes were never in guest memory (sendfile...) */
	DATA_STDERR,
	DATA_INPUT,  /* read by the call at addr (paths, strings, the head of buffers): for dump, and compared on replay */
	DATA_FILE_SIZE, /* a file that is mapped has another size now: struct file_size; addr: none */
	DATA_SITE    /* before the call: its `syscall` instruction, at addr, was to become a jump patch: struct data_site */
};

struct file_size {
	uint64_t dev, ino, size;
};

/* What became of it (syscall-emu/text_jump.h). Only PATCHED changes memory: the instruction len bytes in front of addr, to a jump to stub. */
enum site_verdict {
	SITE_PATCHED,
	SITE_SHAPE,    /* nothing known stands in front of it */
	SITE_UNPROVEN, /* something does by its bytes, which may be part of something else */
	SITE_FAR,      /* no stub in reach */
	SITE_MEMORY,   /* shared, writable, or on two pages */
	SITE_VERDICTS
};
struct data_site {
	uint64_t stub;
	uint8_t len, verdict;
	uint8_t zero[2];
	int32_t pad; /* not 0: the jump goes so far behind the instruction, where it is done; then to stub (vmm/jump.h) */
};

#define EVENT_ANNEX_MAX (8u << 20) /* argv and environment are the largest: bounded before allocating */
#define EVENT_DATA_MAX 65536u      /* bytes in one REC_DATA record; larger writes are several records */

struct event {
	uint8_t type, flags;
	int32_t tid;
	uint64_t index;          /* number of this event in its stream, from 0; set by ring and reader */
	uint64_t time_ns;        /* CLOCK_MONOTONIC when it was recorded */
	struct guest_regs regs;  /* at the stop, before any effect of the event */
	int64_t result;
	uint32_t ndata;          /* REC_DATA records that follow */
	uint32_t annex_len;
	const void *annex;       /* owned by whoever filled the event; a reader's is valid until the next read */
};

/* The clone's REC_SYSCALL in the parent has an annex, too: the child's number in the recording (i32; 0: it was not recorded). */
struct fork_annex {
	int32_t parent, pid;     /* as the processes see themselves */
	int32_t parent_number, reserved;
	uint64_t child_tid;      /* where the kernel wrote pid for the child, or 0 */
};

struct event_data {
	uint64_t addr;
	uint32_t len, kind;
	const void *bytes;       /* valid until the next read */
};

#endif
