/*
 * What the debugger and the processes it replays a program in say to each other, over a socket each. The debugger asks,
 * the process answers; one request at a time, but for LINK_INTERRUPT, which has no answer of its own.
 *
 * A process stands still while it waits for requests. It can be copied (LINK_FORK): a copy is a checkpoint, and has
 * no VM until it runs. Both ends are the same program, so messages are as they are in memory.
 */
#ifndef SANDREC_DEBUG_LINK_H
#define SANDREC_DEBUG_LINK_H

#include <signal.h>

#include "gdbstub/target.h"
#include "vmm/exec_point.h"

enum link_op {
	LINK_RUN = 1,   /* struct link_run; answer: struct link_stop */
	LINK_FORK,      /* with a socket for the copy; `number` becomes the anchor of both. Answer: struct link_stop, from each */
	LINK_READ,      /* addr, len; answer: the bytes that could be read */
	LINK_WRITE,     /* addr, len; bytes follow */
	LINK_GET_REGS,  /* tid; answer: struct debug_regs */
	LINK_SET_REGS,  /* tid; struct debug_regs follows */
	LINK_POINTS,    /* struct link_point, len bytes of them: all there are now */
	LINK_THREADS,   /* answer: a number, and a struct link_thread for each */
	LINK_MARK,      /* answer: struct link_mark of this place */
	LINK_WORDS,     /* after LINK_FALSE. Answer: struct link_words */
	LINK_FILL,      /* struct link_mark of this place follows, with words whose values it lacks. Answer: it, with them */
	LINK_LEARN,     /* struct link_mark follows, which knows more words: goes on with the run. Answer: like LINK_RUN */
	LINK_FILE,      /* with a descriptor: writes there what a file in /proc/PID has (number: enum link_file); answer: a number */
	LINK_ABOUT,     /* answer: struct link_about */
	LINK_PRINT,     /* answer: a number that stands for registers and memory, and whether it could be made */
	LINK_DIVERT,    /* from here on it leaves the recording */
	LINK_INTERRUPT,
	LINK_QUIT       /* no answer: it ends */
};

enum link_file { LINK_FILE_MAPS = 1, LINK_FILE_CMDLINE, LINK_FILE_ENVIRON, LINK_FILE_COMM };

#define LINK_BYTES_MAX 65536u /* that follow a request or are an answer */

struct link_request {
	uint32_t op;
	int32_t tid;
	uint64_t addr, len, number;
};

struct link_point {
	uint32_t kind; /* enum debug_point */
	uint32_t pad;
	uint64_t addr, len;
};
#define LINK_POINTS_MAX 256

#define LINK_THREADS_MAX 1024
struct link_thread {
	int32_t tid;
	char name[16];
};

/* A place in a computation, by its state: what else is known of the order of places is how many events lie before them. */
struct link_mark {
	uint64_t events;
	int32_t tid;
	struct guest_regs regs;
	struct exec_point point;
};

/* Memory that tells one pass of a place from the next. */
#define LINK_WORDS_MAX 4
struct link_words {
	uint32_t n;
	struct tramp_word word[LINK_WORDS_MAX];
};

struct link_about {
	struct debug_layout layout;
	char exe[4096];
	uint64_t auxv_len;
	uint8_t auxv[1024];
};

struct link_print {
	int64_t rc;
	uint64_t print;
};

/* How far to run at most, whatever else happens. */
enum link_limit {
	LIMIT_NONE,
	LIMIT_EVENT,    /* the first place with `events` events done, or more */
	LIMIT_AT_EVENT, /* where event number `events` is about to happen */
	LIMIT_MARK      /* the state of `mark` */
};

struct link_run {
	/* What stops it (or is counted): */
	bool points;             /* breakpoints and watchpoints */
	bool signals, events;    /* signals and system calls in `wishes`, a new program image */
	bool coarse;             /* watched values are only compared where the program stops anyway: no page is taken away */
	bool from_start;         /* a breakpoint at the first instruction, too */
	bool count;              /* go on all the same, up to the limit: only count */
	uint64_t skip;           /* go on at the first so many */
	struct debug_wishes wishes;

	bool slide;              /* only a few instructions, to a place that is easy to find: LINK_BUDGET */
	uint64_t steps;          /* so many instructions (of tid, when not 0); 0: no stepping */
	int32_t tid;
	uint64_t range[2];       /* more of them, while rip is in here */

	enum link_limit limit;
	uint64_t limit_events;
	struct link_mark mark;
	bool learns;             /* LINK_FALSE may be answered */

	uint64_t within;         /* with passes: they come in the computation behind so many events, before what ends it. 0: who knows */
	uint64_t site, passes;   /* stop when the instruction at site is about to execute for the passes'th time; 0: not */
	uint32_t budget_ms;      /* stop somewhere after this time; 0: not */
};

/* Answers beyond those a client of the stub sees. */
enum { LINK_HERE = 100, LINK_LIMIT, LINK_BUDGET, LINK_PASSED, LINK_RUN_OUT,
       LINK_FALSE, /* all that is compared inside the guest is as in the run's mark, and it is another place: LINK_WORDS */
       LINK_HOT /* a page that is watched is used too often to be taken away each time */ };

/* A place on the timeline. */
struct link_place {
	uint64_t events;     /* done */
	bool at_event;       /* the next one is about to happen */
	bool exact;          /* `steps` instructions behind the anchor */
	uint64_t anchor;     /* 0: the place behind the last event; else a copy's number */
	uint64_t steps;
};

struct link_stop {
	uint32_t kind;       /* enum debug_stop_kind or one of the above */
	int32_t tid, host_pid;
	struct link_place place;
	uint64_t rip;
	uint64_t point;      /* rip of the next event's point in the computation; 0: it is not at one */
	uint64_t stepped;    /* instructions executed since LINK_RUN, when it was to step */
	uint64_t hits;       /* what would have stopped it */
	uint64_t passes;     /* of site, that were counted */
	struct debug_stop stop;
	siginfo_t siginfo;
};

/* 0 or -errno (-EPIPE: the other side is gone). fd: sent along or -1. */
int link_send(int sock, const void *head, size_t head_len, const void *bytes, size_t len, int fd);
/* The length received, or -errno; *fd gets a descriptor sent along, or -1. */
ssize_t link_receive(int sock, void *head, size_t head_len, void *bytes, size_t len, int *fd);

#endif
