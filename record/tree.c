/* The order of output over processes. Contract: tree.h. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "record/tree.h"
#include "syscall-emu/fd.h"

#define WAIT_MS 50

int tree_open(int fd, struct tree **out)
{
	void *p = mmap(NULL, sizeof(**out), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*out = p;
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

uint32_t tree_number(struct tree *t)
{
	return __atomic_fetch_add(&t->turn, 1, __ATOMIC_SEQ_CST);
}

void tree_advance(uint32_t *turn, uint32_t from)
{
	__atomic_compare_exchange_n(turn, &from, from + 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, turn, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void tree_wait_for(struct tree *t, uint32_t *turn, uint32_t number)
{
	const struct timespec patience = { .tv_nsec = WAIT_MS * 1000000L };
	uint32_t now = __atomic_load_n(turn, __ATOMIC_SEQ_CST);

	if ((int32_t)(number - now) <= 0)
		return;
	__atomic_fetch_add(&t->waiting, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&t->failed, __ATOMIC_SEQ_CST) &&
	       (int32_t)(number - (now = __atomic_load_n(turn, __ATOMIC_SEQ_CST))) > 0) {
		if (syscall(SYS_futex, turn, FUTEX_WAIT, now, &patience, NULL, 0) < 0 && errno == ETIMEDOUT &&
		    __atomic_load_n(&t->waiting, __ATOMIC_SEQ_CST) >= __atomic_load_n(&t->live, __ATOMIC_SEQ_CST))
			tree_advance(turn, now);
	}
	__atomic_fetch_sub(&t->waiting, 1, __ATOMIC_SEQ_CST);
}

void tree_wait(struct tree *t, uint32_t number)
{
	tree_wait_for(t, &t->turn, number);
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
