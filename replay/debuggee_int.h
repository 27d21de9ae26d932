/* What the files of the debuggee share. Nobody outside replay/debug* includes this. */
#ifndef SANDREC_DEBUGGEE_INT_H
#define SANDREC_DEBUGGEE_INT_H

#include "replay/debuggee.h"
#include "syscall-emu/fingerprint.h"
#include "vmm/layout.h"

#define V_DB 1
#define V_UD 6
#define V_PF 14
#define RFLAGS_TF 0x100ULL
#define RFLAGS_RF 0x10000ULL
#define INTERNAL_POINTS 2
#define PATCHES (LINK_POINTS_MAX + INTERNAL_POINTS)
#define WATCH_BYTES 64
#define SLIDE_MAX 100
#define MARK_BYTES (16u << 20) /* of memory that tells one state from another */

struct debuggee {
	int sock;
	int number;
	struct task *t;               /* the one that runs, or ran last */
	bool begun;                   /* the debugger has heard of us */
	bool executed;                /* a new image, which it has not */
	bool gone;                    /* there is nothing left to run */
	bool stale;                   /* a copy: no VM, registers as they were saved */
	uint8_t *xsave;               /* of the copy's threads, in the order of the list */

	struct link_place place;
	struct link_run run;
	uint64_t stepped, hits, passes;
	uint64_t seen_events;         /* at the last place it could have stood still at */
	bool fresh;                   /* nothing has executed since LINK_RUN, or since a breakpoint here was counted */
	bool interrupted, timed_out;
	unsigned slide;               /* instructions that may still be stepped to a place that is easy to find again */
	bool false_hit;               /* here all that is compared in the guest is as in the run's mark, and it is not there */

	/* debug_goal.c */
	struct snapshot passed;       /* at the false hit before */
	bool have_passed;
	unsigned fruitless;
	struct link_words words;

	/* the step under way */
	bool tf, tf_own, pushes_flags;
	uint64_t step_rip;
	bool step_counts;

	/* debug_points.c */
	struct link_point point[LINK_POINTS_MAX];
	unsigned npoints;
	uint64_t extra[INTERNAL_POINTS]; /* places to stop at without telling anybody; 0: none */
	struct patch { uint64_t addr; uint8_t byte; } patch[PATCHES];
	unsigned npatches;
	struct tramp_cond seek;       /* of the point that comes next */
	uint64_t seek_site;           /* where that is; 0: none */
	bool site_armed, site_plain;  /* link_run's site: by a landmark, or by a breakpoint */

	/* debug_watch.c */
	struct watched { uint8_t bytes[WATCH_BYTES]; bool readable, touched; } watched[LINK_POINTS_MAX];
	unsigned watch_faults;        /* without anything found */
	bool watch_armed, watch_step; /* the next instruction writes to a page that is watched */

	/* debug_names.c */
	struct thread_name *name;
	size_t nnames;
	pid_t naming, namer;          /* whose name file that one has just opened; 0: none */

	/* what the next stop says */
	bool was_syscall;             /* the event done last */
	int last_nr;
	pid_t child;
	bool child_vfork;
	pid_t born, ended;            /* threads, since user code ran last; 0: none */
	int ended_status;
	struct debug_stop stop;
	siginfo_t siginfo;
	bool have_siginfo;
};

/* debug_points.c: code changed while the program runs */
bool points_at(const struct debuggee *d, uint64_t addr, enum debug_point *kind); /* a breakpoint of the client's */
bool points_near(const struct debuggee *d, uint64_t start, uint64_t len);
int points_insert(struct debuggee *d);
void points_remove(struct debuggee *d);
bool points_hit(const struct debuggee *d, const struct task *t); /* is the stop one of what was inserted? */

/* debug_watch.c */
void watch_begin(struct debuggee *d);                      /* what the values are now */
int watch_arm(struct debuggee *d, struct task *t);
void watch_disarm(struct debuggee *d, struct task *t);
bool watch_fault(struct debuggee *d, const struct task *t); /* the stop is an access to a watched page */
bool watch_changed(struct debuggee *d, struct debug_stop *stop); /* since last asked, or watch_begin() */

/* debug_step.c: one instruction by the trap flag */
void step_arm(struct debuggee *d, struct task *t);
void step_stopped(struct debuggee *d, struct task *t); /* after the run: flags are the program's again */

/*
 * debug_goal.c: a run to a mark, which is a state. At a place that is passed in nearly the same state a million times each
 * pass would leave the guest; so the memory in which two false hits differ becomes part of what is compared inside.
 */
void goal_begin(struct debuggee *d);
bool goal_differs(struct debuggee *d); /* at a false hit: there is something to learn, in d->words */

/*
 * debug_names.c: what threads call themselves (prctl PR_SET_NAME), and each other (/proc/self/task/TID/comm). A new one
 * has its maker's name. Source: prctl(2), pthread_setname_np(3).
 */
void names_call(struct debuggee *d, const struct task *t); /* a system call is about to be made */
void names_inherit(struct debuggee *d, const struct task *by, const struct task *made);
const char *names_of(const struct debuggee *d, const struct task *t); /* 16 bytes at least */

/* debug_copy.c */
int copy_make(struct debuggee *d, int sock, uint64_t anchor); /* 0, or 1 in the copy */
int copy_revive(struct debuggee *d);
const uint8_t *copy_xsave(const struct debuggee *d, const struct task *t); /* of a stale copy's thread */

/*
 * debug_fingerprint.c: equal for equal registers of all threads and equal writable memory, but for what is below the
 * stack pointers: the host leaves traces there (syscall-emu/fingerprint.h).
 */
int debuggee_fingerprint(const struct debuggee *d, uint64_t *out);

/* debug_shared.c: in a fresh copy, before it does anything else. */
int copy_shared(void);

/* debug_serve.c: answers requests until LINK_RUN. */
void debuggee_answer(struct debuggee *d, uint32_t kind);
void debuggee_serve(struct debuggee *d);
void debuggee_watch_socket(struct debuggee *d);
bool debuggee_spoken_to(struct debuggee *d); /* LINK_INTERRUPT has come */

#endif
