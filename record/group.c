/* Processes with shared memory, one at a time. Contract: group.h. Source: set_robust_list(2), futex(2). */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "record/group.h"
#include "record/robust.h"
#include "record/tree.h"

#define PATIENCE_NS 20000000L
#define PATIENCE_MAX 3
#define LOOK_AGAIN_NS 50000000L

static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *timeout)
{
	return syscall(SYS_futex, word, op, value, timeout, NULL, 0);
}

/* ---- a lock that its holder's death opens ---- */

static bool try_take(struct group *g, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&g->word, &from, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static bool is_free(uint32_t word)
{
	return !(word & FUTEX_TID_MASK) || word & FUTEX_OWNER_DIED;
}

/* True: whoever had it is dead. */
static bool lock(struct group *g)
{
	uint32_t tid = (uint32_t)syscall(SYS_gettid), mark = 0;

	for (;;) {
		uint32_t word = __atomic_load_n(&g->word, __ATOMIC_SEQ_CST);

		/* Only now, and not while it waits: the kernel looks at one word, and the guest may have use for it. */
		if (is_free(word)) {
			robust_hold(&g->word);
			if (try_take(g, word, tid | mark | (word & FUTEX_WAITERS)))
				return word & FUTEX_OWNER_DIED;
			robust_release();
			continue;
		}
		/* Others may wait too: whoever had to wait leaves the mark. */
		mark = FUTEX_WAITERS;
		if (!(word & FUTEX_WAITERS) && !try_take(g, word, word | FUTEX_WAITERS))
			continue;
		/* The wake may have gone to a process that a signal has stopped: so look again after a while. */
		futex(&g->word, FUTEX_WAIT, word | FUTEX_WAITERS, &(struct timespec){ .tv_nsec = LOOK_AGAIN_NS });
	}
}

static bool unlock(struct group *g)
{
	uint32_t was = __atomic_exchange_n(&g->word, 0, __ATOMIC_SEQ_CST);

	robust_release();
	return was & FUTEX_WAITERS && futex(&g->word, FUTEX_WAKE, 1, NULL) > 0;
}

/* ---- recording ---- */

uint32_t group_enter(struct group *g, bool *orphaned)
{
	uint32_t number;

	*orphaned = lock(g);
	number = __atomic_add_fetch(&g->taken, 1, __ATOMIC_SEQ_CST);
	futex(&g->taken, FUTEX_WAKE, INT_MAX, NULL);
	return number;
}

bool group_leave(struct group *g)
{
	return unlock(g);
}

uint32_t group_pass_on(struct group *g, bool *orphaned)
{
	const struct timespec patience = { .tv_nsec = PATIENCE_NS };
	uint32_t number = __atomic_load_n(&g->taken, __ATOMIC_SEQ_CST);

	if (unlock(g))
		for (int i = 0; i < PATIENCE_MAX && __atomic_load_n(&g->taken, __ATOMIC_SEQ_CST) == number; i++)
			futex(&g->taken, FUTEX_WAIT, number, &patience);
	return group_enter(g, orphaned);
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
