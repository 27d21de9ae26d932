/* The order of output over processes. Contract: tree.h. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "record/tree.h"
#include "syscall-emu/fd.h"
#include "syscall-emu/text_cache.h"

#define WAIT_MS 50

int tree_open(int fd, struct tree **out)
{
	void *p = mmap(NULL, sizeof(**out), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	text_cache_share(&(*out)->memo);
	return 0;
}

int tree_create(struct tree **out, int *fd)
{
	int made = memfd_create("sandrec-tree", MFD_CLOEXEC);

	if (made < 0)
		return -errno;
	if (ftruncate(made, sizeof(**out)) < 0) {
		close(made);
		return -errno;
	}
	*fd = fd_hide(made);
	if (*fd < 0) {
		close(made);
		return *fd;
	}
	return tree_open(*fd, out);
}

void tree_passed(struct tree *t, uint64_t places)
{
	uint64_t most = __atomic_load_n(&t->places, __ATOMIC_RELAXED);

	while (places > most && !__atomic_compare_exchange_n(&t->places, &most, places, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

uint32_t tree_number(struct tree *t)
{
	return __atomic_fetch_add(&t->turn, 1, __ATOMIC_SEQ_CST);
}

void tree_advance(uint32_t *turn, uint32_t from)
{
	__atomic_compare_exchange_n(turn, &from, from + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, turn, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static struct tree_waiter *take_slot(struct tree *t)
{
	for (unsigned i = 0; i < TREE_WAITERS; i++) {
		uint32_t none = TREE_NOBODY;

		if (__atomic_compare_exchange_n(&t->waiter[i].what, &none, TREE_CLAIMED, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return &t->waiter[i];
	}
	return NULL;
}

static uint32_t turn_of(const struct tree *t, uint32_t what)
{
	return __atomic_load_n(what == TREE_OUTPUT ? &t->turn : &t->group.turn, __ATOMIC_SEQ_CST);
}

/* Does every live process wait for a number that has not come? One whose turn it is may be on its way, however slow. */
static bool all_stuck(const struct tree *t)
{
	uint32_t stuck = 0;

	for (unsigned i = 0; i < TREE_WAITERS; i++) {
		uint32_t what = __atomic_load_n(&t->waiter[i].what, __ATOMIC_SEQ_CST);

		if (what == TREE_NOBODY)
			continue;
		if (what == TREE_CLAIMED || (int32_t)(t->waiter[i].number - turn_of(t, what)) <= 0)
			return false;
		stuck++;
	}
	return stuck >= __atomic_load_n(&t->live, __ATOMIC_SEQ_CST);
}

static void wait_for(struct tree *t, uint32_t what, uint32_t number)
{
	const struct timespec patience = { .tv_nsec = WAIT_MS * 1000000L };
	uint32_t *turn = what == TREE_OUTPUT ? &t->turn : &t->group.turn, now = turn_of(t, what);
	struct tree_waiter *w;

	if ((int32_t)(number - now) <= 0)
		return;
	w = take_slot(t);
	if (w) {
		w->number = number;
		__atomic_store_n(&w->what, what, __ATOMIC_SEQ_CST);
	}
	while (!__atomic_load_n(&t->failed, __ATOMIC_SEQ_CST) && (int32_t)(number - (now = turn_of(t, what))) > 0) {
		if (syscall(SYS_futex, turn, FUTEX_WAIT, now, &patience, NULL, 0) < 0 && errno == ETIMEDOUT && all_stuck(t))
			tree_advance(turn, now);
	}
	if (w)
		__atomic_store_n(&w->what, TREE_NOBODY, __ATOMIC_SEQ_CST);
}

void tree_wait_group(struct tree *t, uint32_t number)
{
	wait_for(t, TREE_GROUP, number);
}

void tree_wait(struct tree *t, uint32_t number)
{
	wait_for(t, TREE_OUTPUT, number);
}

void tree_done(struct tree *t, uint32_t number)
{
	tree_advance(&t->turn, number);
}

void tree_fail(struct tree *t)
{
	uint32_t none = 0;

	__atomic_compare_exchange_n(&t->failed, &none, TREE_UNREADABLE, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void tree_leave(struct tree *t)
{
	__atomic_fetch_sub(&t->live, 1, __ATOMIC_SEQ_CST);
}
