/* Processes with shared memory, one at a time. Contract: group.h. Source: set_robust_list(2), futex(2). */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "record/group.h"
#include "record/tree.h"

#define PATIENCE_NS 20000000L
#define PATIENCE_MAX 3
#define LOOK_AGAIN_NS 50000000L

static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

/* ---- a lock that its holder's death opens ---- */

/*
 * Said to be in the middle of an operation for ever: the kernel then looks at this one word when the thread dies, and finds
 * its own number in it only if the thread is the holder. The C library uses no robust list of its own in our process.
 */
static __thread struct robust_list_head robust;
static __thread pid_t robust_owner; /* the child of a fork has none */

static uint32_t own_tid(struct group *g)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);

	if (robust_owner == tid && robust.list_op_pending == (struct robust_list *)&g->word)
		return (uint32_t)tid;
	robust.list.next = &robust.list;
	robust.futex_offset = 0;
	robust.list_op_pending = (struct robust_list *)&g->word;
	syscall(SYS_set_robust_list, &robust, sizeof(robust));
	robust_owner = tid;
	return (uint32_t)tid;
}

static bool try_take(struct group *g, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&g->word, &from, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static bool is_free(uint32_t word)
{
	return !(word & FUTEX_TID_MASK) || word & FUTEX_OWNER_DIED;
}

static void lock(struct group *g)
{
	uint32_t tid = own_tid(g), word = 0;

	if (try_take(g, 0, tid))
		return;
	for (;;) {
		word = __atomic_load_n(&g->word, __ATOMIC_SEQ_CST);
		/* Others may wait too: whoever had to wait leaves the mark. */
		if (is_free(word)) {
			if (try_take(g, word, tid | FUTEX_WAITERS))
				return;
			continue;
		}
		if (!(word & FUTEX_WAITERS) && !try_take(g, word, word | FUTEX_WAITERS))
			continue;
		/* The wake may have gone to a process that a signal has stopped: so look again after a while. */
		futex(&g->word, FUTEX_WAIT, word | FUTEX_WAITERS, &(struct timespec){ .tv_nsec = LOOK_AGAIN_NS });
	}
}

static bool unlock(struct group *g)
{
	uint32_t was = __atomic_exchange_n(&g->word, 0, __ATOMIC_SEQ_CST);

	return was & FUTEX_WAITERS && futex(&g->word, FUTEX_WAKE, 1, NULL) > 0;
}

/* ---- recording ---- */

uint32_t group_enter(struct group *g)
{
	uint32_t number;

	lock(g);
	number = __atomic_add_fetch(&g->taken, 1, __ATOMIC_SEQ_CST);
	futex(&g->taken, FUTEX_WAKE, INT_MAX, NULL);
	return number;
}

bool group_leave(struct group *g)
{
	return unlock(g);
}

uint32_t group_pass_on(struct group *g)
{
	const struct timespec patience = { .tv_nsec = PATIENCE_NS };
	uint32_t number = __atomic_load_n(&g->taken, __ATOMIC_SEQ_CST);

	if (unlock(g))
		for (int i = 0; i < PATIENCE_MAX && __atomic_load_n(&g->taken, __ATOMIC_SEQ_CST) == number; i++)
			futex(&g->taken, FUTEX_WAIT, number, &patience);
	return group_enter(g);
}

bool group_wanted(const struct group *g)
{
	return __atomic_load_n(&g->word, __ATOMIC_SEQ_CST) & FUTEX_WAITERS;
}

/* ---- replay ---- */

void group_await(struct tree *t, uint32_t number)
{
	tree_wait_group(t, number);
}

void group_next(struct tree *t, uint32_t number)
{
	tree_advance(&t->group.turn, number);
}
