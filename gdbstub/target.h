/*
 * What the gdb stub needs of the thing it debugs. The stub knows the protocol, the implementation knows the program:
 * replay/debug.h is a recording, which goes both ways.
 *
 * All calls come from one thread. Addresses and registers are the program's. Functions return 0 (or what they say) or a
 * negative errno. Memory as the program has it: breakpoints are never seen in it.
 */
#ifndef SANDREC_TARGET_H
#define SANDREC_TARGET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "vmm/regs.h"

#define DEBUG_XSAVE_MAX 4096
#define DEBUG_SYSCALLS 512

/* Where parts of the extended state are in its standard-format XSAVE image (SDM vol. 1, 13.4); 0: the program has none. */
struct debug_layout {
	uint32_t size;
	uint32_t ymm, opmask, zmm, zmm_hi16, pkru;
};

struct debug_regs {
	struct guest_regs r;
	uint64_t orig_rax; /* number of the system call the thread stands in, or -1 */
	uint8_t xsave[DEBUG_XSAVE_MAX];
};

enum debug_point { DEBUG_BREAK, DEBUG_HARD_BREAK, DEBUG_WATCH_WRITE, DEBUG_WATCH_READ, DEBUG_WATCH_ACCESS, DEBUG_POINTS };

enum debug_stop_kind {
	DEBUG_STEPPED,        /* what was asked for has been done */
	DEBUG_BREAKPOINT,     /* at addr, which has not executed */
	DEBUG_WATCHPOINT,     /* at addr; point says which kind */
	DEBUG_SIGNAL,         /* about to be delivered (or, backwards, not yet delivered): signo */
	DEBUG_SYSCALL_ENTRY,  /* nr */
	DEBUG_SYSCALL_RETURN,
	DEBUG_EXEC,           /* a new program image, path */
	DEBUG_FORK,           /* a new process, child; it is not followed */
	DEBUG_VFORK,
	DEBUG_THREAD_BORN,    /* child: its tid. It has not run yet */
	DEBUG_THREAD_ENDED,   /* child: its tid; status: what it said to exit with */
	DEBUG_INTERRUPTED,    /* the client wanted it */
	DEBUG_BEGIN,          /* the start of the recording: no further back */
	DEBUG_END,            /* its end: the program's last state */
	DEBUG_EXITED,         /* behind the end: status is the wait status */
	DEBUG_FAILED          /* the replay cannot go on, which has been reported */
};

struct debug_stop {
	enum debug_stop_kind kind;
	enum debug_point point;
	pid_t tid, child;
	int signo, nr, status;
	uint64_t addr;
	char path[4096];
};

/* What the client wants to be told of. */
struct debug_wishes {
	bool syscalls, all_syscalls;
	uint8_t syscall[DEBUG_SYSCALLS / 8]; /* with syscalls and not all_syscalls: bit per number */
	uint64_t pass_signals;               /* bit n - 1: do not stop for signal n */
	bool exec_events, fork_events, vfork_events, thread_events;
};

struct debug_resume {
	bool back;
	bool step;          /* one instruction of tid; else until something stops it */
	pid_t tid;          /* 0: any thread */
	uint64_t range[2];  /* with step: go on while the thread's rip is in [0, 1) */
	struct debug_wishes wishes;
	/* Has the client said something? Called when fd is readable, which is looked at now and then. */
	int fd;
	bool (*interrupted)(void *arg);
	void *arg;
};

struct debug_target;

struct debug_ops {
	/* Threads alive now: how many of at most max. */
	int (*threads)(struct debug_target *t, pid_t *tid, int max);
	int (*thread_name)(struct debug_target *t, pid_t tid, char *name, size_t len);
	pid_t (*pid)(struct debug_target *t);

	const struct debug_layout *(*layout)(struct debug_target *t);
	int (*get_regs)(struct debug_target *t, pid_t tid, struct debug_regs *r);
	int (*set_regs)(struct debug_target *t, pid_t tid, const struct debug_regs *r);
	/* How many bytes could be read from addr on, at most len; -EFAULT: none. */
	ssize_t (*read)(struct debug_target *t, uint64_t addr, void *buf, size_t len);
	int (*write)(struct debug_target *t, uint64_t addr, const void *buf, size_t len);

	/* Points stay until removed. Setting one twice is setting it once. -EOPNOTSUPP, -ENOSPC. */
	int (*set_point)(struct debug_target *t, enum debug_point kind, uint64_t addr, uint64_t len);
	int (*clear_point)(struct debug_target *t, enum debug_point kind, uint64_t addr, uint64_t len);

	/* Goes on and comes back with the next stop. A failure is a stop, too. */
	void (*resume)(struct debug_target *t, const struct debug_resume *how, struct debug_stop *stop);
	/* Back to the first instruction. */
	int (*restart)(struct debug_target *t, struct debug_stop *stop);
	/* The stop the program stands at. */
	const struct debug_stop *(*stopped)(struct debug_target *t);

	/* Bytes that gdb wants: how many of at most len from off on; 0 at the end. */
	ssize_t (*auxv)(struct debug_target *t, uint64_t off, void *buf, size_t len);
	ssize_t (*siginfo)(struct debug_target *t, uint64_t off, void *buf, size_t len); /* 128 bytes, or -ENODATA */
	int (*exec_file)(struct debug_target *t, char *path, size_t len);

	/* A file as the program had it mapped or executed: a descriptor (the caller's), read-only. */
	int (*open_file)(struct debug_target *t, const char *path);

	/* A line for `monitor`; its answer goes to out. */
	void (*monitor)(struct debug_target *t, const char *line, FILE *out);
};

struct debug_target {
	const struct debug_ops *ops;
};

#endif
