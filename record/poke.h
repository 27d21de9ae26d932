/*
 * Writes into the memory of another process of the recording: process_vm_writev, /proc/PID/mem. The other one goes on
 * meanwhile, so it is it who records them: the writer says where, in the tree's shared memory, before it writes, and the
 * other logs what its memory holds there at its next system call, before that begins and when it is over. What it computed
 * in between with the new bytes, without a call that shows it waited for them, is not reproduced.
 *
 * Any process of the tree; pid: as both see it (one pid namespace).
 */
#ifndef SANDREC_POKE_H
#define SANDREC_POKE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TREE_POKES 256

struct tree_poke {
	uint32_t state;       /* atomic */
	int32_t writer, pid;
	uint64_t addr, len;
};

struct tree_pokes {
	uint32_t n;           /* announced so far; atomic */
	uint32_t next;        /* whose place is taken when none is free */
	struct tree_poke poke[TREE_POKES];
};

/* The writer: pid's memory at addr is going to be written, and afterwards: all that was announced has been. */
void poke_begin(struct tree_pokes *p, pid_t pid, uint64_t addr, uint64_t len);
void poke_end(struct tree_pokes *p);

/* The process itself: has anything been announced to it? seen: how many it has looked at, 0 for a new process. */
bool poke_news(const struct tree_pokes *p, uint32_t *seen);

/* What was written to it, waiting for writes that are under way. */
void poke_take(struct tree_pokes *p, void (*piece)(void *arg, uint64_t addr, uint64_t len), void *arg);

#endif
