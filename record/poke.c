/* Announcing writes to other processes. Contract: poke.h. */
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/poke.h"

/* CLAIMED: somebody is filling it, or emptying it. */
enum { POKE_FREE, POKE_CLAIMED, POKE_COMING, POKE_THERE };

static bool claim(struct tree_poke *e, uint32_t from)
{
	return __atomic_compare_exchange_n(&e->state, &from, POKE_CLAIMED, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static uint32_t state_of(const struct tree_poke *e)
{
	return __atomic_load_n(&e->state, __ATOMIC_SEQ_CST);
}

static void become(struct tree_poke *e, uint32_t state)
{
	__atomic_store_n(&e->state, state, __ATOMIC_SEQ_CST);
}

/* Those to processes that nobody records are never taken: the oldest goes. */
static struct tree_poke *room(struct tree_pokes *p)
{
	for (unsigned i = 0; i < TREE_POKES; i++)
		if (state_of(&p->poke[i]) == POKE_FREE && claim(&p->poke[i], POKE_FREE))
			return &p->poke[i];
	for (unsigned tries = 0; tries < TREE_POKES; tries++) {
		struct tree_poke *e = &p->poke[__atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED) % TREE_POKES];

		if (claim(e, POKE_THERE))
			return e;
	}
	return NULL;
}

void poke_begin(struct tree_pokes *p, pid_t pid, uint64_t addr, uint64_t len)
{
	struct tree_poke *e = len ? room(p) : NULL;

	if (!e)
		return;
	e->writer = getpid();
	e->pid = pid;
	e->addr = addr;
	e->len = len;
	become(e, POKE_COMING);
	__atomic_fetch_add(&p->n, 1, __ATOMIC_SEQ_CST);
}

void poke_end(struct tree_pokes *p)
{
	const pid_t self = getpid();

	for (unsigned i = 0; i < TREE_POKES; i++)
		if (state_of(&p->poke[i]) == POKE_COMING && p->poke[i].writer == self)
			become(&p->poke[i], POKE_THERE);
}

bool poke_news(const struct tree_pokes *p, uint32_t *seen)
{
	uint32_t n = __atomic_load_n(&p->n, __ATOMIC_SEQ_CST);
	pid_t self;

	if (n == *seen)
		return false;
	self = getpid();
	for (unsigned i = 0; i < TREE_POKES; i++)
		if (state_of(&p->poke[i]) >= POKE_COMING && p->poke[i].pid == self)
			return true;
	*seen = n;
	return false;
}

/* Waits for a moment, or until the process has ended: a zombie will not say that it is done. */
static bool ended(pid_t pid)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	int ready = p.fd < 0 || poll(&p, 1, 1) > 0;

	if (p.fd >= 0)
		close(p.fd);
	return ready;
}

void poke_take(struct tree_pokes *p, void (*piece)(void *arg, uint64_t addr, uint64_t len), void *arg)
{
	const pid_t self = getpid();

	for (struct tree_poke *e = p->poke; e < p->poke + TREE_POKES; e++) {
		uint32_t state = state_of(e);

		if (state < POKE_COMING || e->pid != self)
			continue;
		while (state_of(e) == POKE_COMING && !ended(e->writer))
			;
		if (!claim(e, POKE_THERE) && !claim(e, POKE_COMING))
			continue;
		if (e->pid == self)
			piece(arg, e->addr, e->len);
		become(e, POKE_FREE);
	}
}
