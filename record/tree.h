/*
 * Memory that all processes of one recording or replay share: the order in which they wrote to the program's original
 * stdout and stderr. Recording numbers the writes; replay, which runs the processes side by side, repeats them in that
 * order. And what else the processes of one replay tell each other. A memfd, inherited by fork and handed over by exec.
 */
#ifndef SANDREC_TREE_H
#define SANDREC_TREE_H

#include <stdint.h>

#include "record/group.h"
#include "record/poke.h"
#include "record/robust.h"
#include "vmm/memo.h"

#define TREE_DEPTH 1000

/* Replay of one process alone: replay/only.h. */
struct tree_only {
	int32_t number;   /* of the process in the recording; 0: all are replayed */
	int32_t depth, way[TREE_DEPTH]; /* it, its parent, ... but for the first process */
	uint32_t ended;   /* what follows is valid */
	int32_t status;   /* wait status; before it has ended, what to say when its recording does not know */
	uint64_t events;
	char cut[256];
};

/* Replay: a file that several processes have mapped (replay/shared_file.h), and who has it open. */
#define TREE_FILES 256
#define TREE_HOLDERS 8
struct tree_file {
	uint64_t dev, ino, memfd_ino;
	uint32_t next;
	struct { int32_t pid, fd; } holder[TREE_HOLDERS];
};

#define TREE_MEETINGS 1024

#define TREE_WAITERS 1024
enum { TREE_NOBODY, TREE_CLAIMED, TREE_OUTPUT, TREE_GROUP };
struct tree_waiter {
	uint32_t what;   /* TREE_*; atomic */
	uint32_t number;
};

enum { TREE_DIVERGED = 1, TREE_UNREADABLE /* a process could not be replayed, for another reason */ };

struct tree {
	uint32_t turn;    /* record: writes so far; replay: the number that may be written now (a futex) */
	uint32_t live;    /* replay: processes that are being replayed */
	uint32_t failed;  /* replay: TREE_* */
	uint32_t cut;     /* replay: the recording did not end in order, so a process may have no events */
	uint32_t check;   /* replay: the end is not to be repeated, only said to be right or wrong */
	struct tree_only only;
	struct group group; /* record/group.h */
	struct tree_waiter waiter[TREE_WAITERS]; /* replay: processes that wait for their turn */
	uint32_t nfiles;
	struct tree_file file[TREE_FILES];

	/* replay: replay/progress.h */
	uint64_t done, total, start_ns; /* events; total 0: nobody wants to know */
	uint32_t drawn, midline, over;

	uint64_t shown;   /* replay under a debugger: events whose output has been repeated, by whichever copy came first */
	uint64_t places, switches; /* record, chaos.h: most in a process; forced in all */
	uint32_t nmarked, nmet;    /* record, meeting.h */
	uint64_t marked[TREE_MEETINGS], met[TREE_MEETINGS];
	struct tree_pokes pokes;   /* record */
	struct tree_robusts robusts; /* record */
	struct memo memo; /* files.h, text_patch.h */
};

int tree_create(struct tree **out, int *fd); /* fd: hidden */
int tree_open(int fd, struct tree **out);

/* Record: a process has passed so many places. */
void tree_passed(struct tree *t, uint64_t places);

uint32_t tree_number(struct tree *t);        /* record: the number of a write that has just happened */

/*
 * Replay: waits until it is number's turn. A number that never comes (its process was killed before it could log) is
 * skipped when every live process waits.
 */
void tree_wait(struct tree *t, uint32_t number);
void tree_done(struct tree *t, uint32_t number);
/* The same for the group's turn; and one number of either has had it. */
void tree_wait_group(struct tree *t, uint32_t number);
void tree_advance(uint32_t *turn, uint32_t number);
void tree_leave(struct tree *t);             /* this process's replay is over */
void tree_fail(struct tree *t);              /* some process cannot be replayed, which has been reported */

#endif
