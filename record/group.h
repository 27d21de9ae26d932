/*
 * The order of processes that share writable memory: they form a group with one baton over all of them, in memory that the
 * whole tree shares. Recording numbers the times it was taken; on replay a process waits until its number's turn has
 * come. Who shares nothing never has to do with it. There is one group in a tree.
 *
 * A process holds the group's baton exactly while one of its threads holds the process's own (sched.h). When its holder is
 * killed the kernel gives the lock free (robust.h), so nobody waits for the dead.
 */
#ifndef SANDREC_GROUP_H
#define SANDREC_GROUP_H

#include <stdbool.h>
#include <stdint.h>

struct tree;

struct group {
	uint32_t word;     /* 0, or the holder's thread id, with FUTEX_WAITERS */
	uint32_t taken;    /* record: how often it was taken; a futex */
	uint32_t turn;     /* replay: the number that may run now, counted from 1; a futex */
};

#define GROUP_SLICE_NS 20000000ULL

/* Record. The calling host thread takes the baton: the number of this time. *orphaned: its holder was killed. */
uint32_t group_enter(struct group *g, bool *orphaned);
/* Gives it up. True when another thread was woken, which will have it. */
bool group_leave(struct group *g);
/* Gives it up and takes it again, when others who wait have had it. */
uint32_t group_pass_on(struct group *g, bool *orphaned);
bool group_wanted(const struct group *g); /* does somebody wait? */

/*
 * Replay. Waits until it is number's turn. One that never comes (its process was killed before it could log) is skipped when
 * every live process waits.
 */
void group_await(struct tree *t, uint32_t number);
void group_next(struct tree *t, uint32_t number); /* number has had its turn */

#endif
