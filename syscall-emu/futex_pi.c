/* Priority-inheritance futexes. Contract: futex_pi.h. */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "syscall-emu/forward.h"
#include "syscall-emu/futex_pi.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/threads.h"
#include "trace/event.h"

struct pi_waiter {
	struct pi_waiter *next;
	struct task *task;
	uint64_t lock;     /* the word it wants to own */
	uint64_t cond;     /* the word it waits on until it is requeued to lock; 0: it has been */
	int priority;
	int granted;       /* a futex: it owns the lock */
};

/* ---- words ---- */

static int read_word(uint64_t addr, uint32_t *v)
{
	if (addr % sizeof(*v))
		return -EINVAL;
	return guest_read(v, addr, sizeof(*v));
}

static int write_word(uint64_t addr, uint32_t v)
{
	return guest_write(addr, &v, sizeof(v));
}

/* Other processes may use it: they know nothing of our list. */
static bool is_shared(const struct task *t, const struct plan *p, uint64_t addr)
{
	const struct vma *v = mm_find(t->proc->mm, addr);

	return !(p->arg[1] & FUTEX_PRIVATE_FLAG) && v && v->flags & MAP_SHARED;
}

/* ---- who waits ---- */

static struct pi_waiter *first_for(const struct task *t, uint64_t lock)
{
	struct pi_waiter *w = t->proc->pi_waiters;

	while (w && (w->lock != lock || w->cond))
		w = w->next;
	return w;
}

static struct pi_waiter *first_on_cond(const struct task *t, uint64_t cond)
{
	struct pi_waiter *w = t->proc->pi_waiters;

	while (w && w->cond != cond)
		w = w->next;
	return w;
}

/* Real-time threads by their priority, all others behind them as they come. */
static int priority_of(const struct task *t)
{
	struct sched_param sp = { 0 };

	return sched_getparam(t->tid, &sp) < 0 ? 0 : sp.sched_priority;
}

static void enqueue(struct pi_waiter *w)
{
	struct pi_waiter **at = &w->task->proc->pi_waiters;

	while (*at && (*at)->priority >= w->priority)
		at = &(*at)->next;
	w->next = *at;
	*at = w;
}

static void dequeue(struct pi_waiter *w)
{
	struct pi_waiter **at = &w->task->proc->pi_waiters;

	while (*at && *at != w)
		at = &(*at)->next;
	if (*at)
		*at = w->next;
}

static void grant(struct pi_waiter *w)
{
	struct session *s = w->task->proc->sess;

	dequeue(w);
	__atomic_store_n(&w->granted, 1, __ATOMIC_SEQ_CST);
	s->ops->futex_wake(s, (uint64_t)(uintptr_t)&w->granted, 1);
}

/* Would t wait for itself, if it waited for the owner of this word? */
static bool would_deadlock(const struct task *t, uint32_t word)
{
	const struct pi_waiter *w = t->proc->pi_waiters;

	while (w && (w->task->tid != (pid_t)(word & FUTEX_TID_MASK) || w->cond))
		w = w->next;
	if (!w || read_word(w->lock, &word) < 0)
		return false;
	/* No circle without t can be there: who would have closed it was refused. */
	return (word & FUTEX_TID_MASK) == (uint32_t)t->tid || would_deadlock(t, word);
}

/* ---- locking ---- */

/*
 * For t, without waiting: 1 it owns the lock now, 0 it has to wait and the word says so, or a negative errno. waiters:
 * others will wait.
 */
static int try_lock(struct task *t, uint64_t addr, bool waiters)
{
	uint32_t word, owner;
	int rc = read_word(addr, &word);

	if (rc < 0)
		return rc;
	owner = word & FUTEX_TID_MASK;
	if (owner == (uint32_t)t->tid)
		return -EDEADLK;
	if (!owner && !first_for(t, addr)) {
		rc = write_word(addr, (word & FUTEX_OWNER_DIED) | (uint32_t)t->tid | (waiters ? FUTEX_WAITERS : 0));
		return rc < 0 ? rc : 1;
	}
	rc = write_word(addr, word | FUTEX_WAITERS);
	if (rc < 0)
		return rc;
	if (!thread_find(t->proc, (pid_t)owner))
		return -ESRCH;
	return would_deadlock(t, word) ? -EDEADLK : 0;
}

struct pi_timeout {
	struct timespec at;
	bool set, realtime;
};

static int read_timeout(const struct plan *p, bool realtime, struct pi_timeout *to)
{
	*to = (struct pi_timeout){ .set = p->arg[3], .realtime = realtime };
	if (!to->set)
		return 0;
	if (guest_read(&to->at, p->arg[3], sizeof(to->at)) < 0)
		return -EFAULT;
	return to->at.tv_sec < 0 || (uint64_t)to->at.tv_nsec >= 1000000000 ? -EINVAL : 0;
}

/*
 * Without the baton. What the call has written so far is in the guest's sight meanwhile: the session logs it where the
 * baton goes on (plan.early).
 */
static int64_t sleep_until_granted(struct pi_waiter *w, struct plan *p, const struct pi_timeout *to)
{
	struct task *t = w->task;
	struct session *s = t->proc->sess;
	const uint64_t args[6] = {
		(uint64_t)(uintptr_t)&w->granted, FUTEX_WAIT_BITSET | (to->realtime ? FUTEX_CLOCK_REALTIME : 0), 0,
		to->set ? (uint64_t)(uintptr_t)&to->at : 0, 0, FUTEX_BITSET_MATCH_ANY,
	};
	bool others = t->proc->nthreads > 1;
	int64_t rc = 0;

	p->early = w->cond ? 0 : w->lock;
	if (others)
		s->ops->blocks(s, t);
	while (!__atomic_load_n(&w->granted, __ATOMIC_SEQ_CST) && (rc == 0 || rc == -EAGAIN))
		rc = forward_syscall_checked(SYS_futex, args, &t->pending);
	if (others)
		s->ops->unblocks(s, t);
	if (w->granted)
		return 0;
	dequeue(w);
	return rc;
}

static int64_t lock(struct task *t, struct plan *p, const struct pi_timeout *to)
{
	struct pi_waiter w = { .task = t, .lock = p->arg[0] };
	int64_t rc = try_lock(t, w.lock, false);

	if (rc)
		return rc < 0 ? rc : 0;
	w.priority = priority_of(t);
	enqueue(&w);
	rc = sleep_until_granted(&w, p, to);
	/* Whatever the handler says about restarting. */
	return rc == -EINTR ? SYS_ERESTARTSYS : rc;
}

int64_t do_futex_lock_pi(struct task *t, struct plan *p)
{
	bool first = ((uint32_t)p->arg[1] & FUTEX_CMD_MASK) == FUTEX_LOCK_PI, realtime = p->arg[1] & FUTEX_CLOCK_REALTIME;
	struct pi_timeout to;
	int rc;

	if (first && realtime)
		return -ENOSYS;
	if (is_shared(t, p, p->arg[0]))
		return plan_forward(p, t);
	rc = read_timeout(p, first || realtime, &to);
	return rc < 0 ? rc : lock(t, p, &to);
}

int64_t do_futex_trylock_pi(struct task *t, struct plan *p)
{
	int rc;

	if (p->arg[1] & FUTEX_CLOCK_REALTIME)
		return -ENOSYS;
	if (is_shared(t, p, p->arg[0]))
		return plan_forward(p, t);
	rc = try_lock(t, p->arg[0], false);
	return rc == 0 ? -EAGAIN : rc < 0 ? rc : 0;
}

/* ---- unlocking ---- */

/* The word goes to the next one. WAITERS stays, as in Linux: the next unlock asks again. */
static int hand_over(struct pi_waiter *w, uint32_t mark)
{
	int rc = write_word(w->lock, (uint32_t)w->task->tid | FUTEX_WAITERS | mark);

	if (rc == 0)
		grant(w);
	return rc;
}

int64_t do_futex_unlock_pi(struct task *t, struct plan *p)
{
	struct pi_waiter *w;
	uint32_t word;
	int rc;

	if (p->arg[1] & FUTEX_CLOCK_REALTIME)
		return -ENOSYS;
	if (is_shared(t, p, p->arg[0]))
		return plan_forward(p, t);
	rc = read_word(p->arg[0], &word);
	if (rc < 0)
		return rc;
	if ((word & FUTEX_TID_MASK) != (uint32_t)t->tid)
		return -EPERM;
	w = first_for(t, p->arg[0]);
	return w ? hand_over(w, 0) : write_word(p->arg[0], 0);
}

void futex_pi_owner_died(struct task *t, struct plan *p)
{
	struct pi_waiter *w = t->proc->pi_waiters, *next;
	uint32_t word;

	for (; w; w = next) {
		next = w->next;
		if (w->cond || read_word(w->lock, &word) < 0 || (word & FUTEX_TID_MASK) != (uint32_t)t->tid)
			continue;
		if (hand_over(w, FUTEX_OWNER_DIED) == 0)
			plan_add(p, w->lock, sizeof(word), DATA_MEMORY, NULL);
		next = t->proc->pi_waiters;
	}
}

/* ---- condition variables ---- */

int64_t do_futex_wait_requeue_pi(struct task *t, struct plan *p)
{
	struct pi_waiter w = { .task = t, .lock = p->arg[4], .cond = p->arg[0] };
	struct pi_timeout to;
	uint32_t word;
	int64_t rc;

	if (is_shared(t, p, w.lock) || is_shared(t, p, w.cond))
		return plan_forward(p, t);
	rc = read_timeout(p, p->arg[1] & FUTEX_CLOCK_REALTIME, &to);
	if (rc == 0)
		rc = w.lock == w.cond ? -EINVAL : read_word(w.cond, &word);
	if (rc < 0)
		return rc;
	if (word != (uint32_t)p->arg[2])
		return -EAGAIN;
	w.priority = priority_of(t);
	enqueue(&w);
	rc = sleep_until_granted(&w, p, &to);
	if (rc != -EINTR && rc != SYS_ERESTARTSYS)
		return rc;
	/* Once it was requeued starting again could only find that the condition's word has changed. */
	return w.cond ? SYS_ERESTARTSYS : -EAGAIN;
}

/* The first one gets the lock if it is free; all others, and it if not, wait for the lock from now on. */
static int64_t requeue(struct task *t, uint64_t cond, uint64_t lock_addr, uint64_t more)
{
	struct pi_waiter *w = first_on_cond(t, cond);
	int64_t n = 0;
	int rc;

	if (!w)
		return 0;
	for (struct pi_waiter *o = w; o; o = o->next)
		if (o->cond == cond && o->lock != lock_addr)
			return -EINVAL;
	rc = try_lock(w->task, lock_addr, more > 0);
	if (rc < 0)
		return rc;
	w->cond = 0;
	n = 1;
	if (rc > 0)
		grant(w);
	for (; (uint64_t)n <= more && (w = first_on_cond(t, cond)); n++)
		w->cond = 0;
	return n;
}

int64_t do_futex_cmp_requeue_pi(struct task *t, struct plan *p)
{
	uint64_t cond = p->arg[0], lock_addr = p->arg[4];
	int wake = (int)p->arg[2], more = (int)p->arg[3];
	uint32_t word;
	int rc;

	if (p->arg[1] & FUTEX_CLOCK_REALTIME)
		return -ENOSYS;
	if (is_shared(t, p, cond) || is_shared(t, p, lock_addr))
		return plan_forward(p, t);
	if (wake != 1 || more < 0 || cond == lock_addr)
		return -EINVAL;
	rc = read_word(cond, &word);
	if (rc < 0)
		return rc;
	if (word != (uint32_t)p->arg[5])
		return -EAGAIN;
	return requeue(t, cond, lock_addr, (uint64_t)more);
}
