/* The baton. Contract: sched.h. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "record/sched.h"
#include "syscall-emu/process.h"
#include "syscall-emu/signal_host.h"

#define SECOND 1000000000ULL

struct waiter {
	struct task *task;
	struct waiter *next;
	int granted;             /* a futex */
	struct task *before;     /* what sched_enter() returns */
};

struct sched {
	pthread_mutex_t lock;    /* of all that follows; held for a few instructions */
	struct task *holder;
	struct waiter *first, **end;
	struct task *left;       /* who had the baton last and gave it up to make a call; NULL: it said so in the log, or ended */
	uint64_t since;          /* when the holder got it; CLOCK_MONOTONIC */
	uint64_t slice;
	uint64_t patience;       /* instead of the slice, when that is counted in branches */
	bool fresh;              /* sched_new_slice() */
	bool counted;            /* slices are branches; atomic */
	int asked;               /* the holder is to give way; read without the lock */
};

#define CHAOS_SLICE_NS 50000ULL /* the shortest; each doubling is as likely */
#define CHAOS_DOUBLINGS 10
#define CHAOS_STOPS 2           /* of so many ways into the guest one is cut short */
#define CHAOS_ENTRY_NS 20000ULL /* until a guest of a software host runs */
#define CHAOS_DELAY_NS 1000ULL
#define CHAOS_CALLS 8           /* of so many system calls one ends the slice */
#define CHAOS_RANKS 16          /* of so many choices one gives the thread another priority */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

/* splitmix64 */
static uint64_t draw(void)
{
	uint64_t z = process_self.seed += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static uint64_t next_slice(void)
{
	if (process_self.chaos)
		return CHAOS_SLICE_NS << draw() % CHAOS_DOUBLINGS;
	return process_self.slice_ns ? process_self.slice_ns : SCHED_SLICE_NS;
}

int sched_begin(struct task *t)
{
	struct sched *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	s->end = &s->first;
	s->holder = t;
	s->patience = process_self.slice_ns ? SCHED_PATIENCE_ASKED_NS : SCHED_PATIENCE_NS;
	s->since = now_ns();
	s->slice = next_slice();
	s->fresh = true;
	t->proc->sched = s;
	return 0;
}

/* ---- with the lock ---- */

/* The place in the queue of who is next. With chaos threads have ranks, which now and then change. */
static struct waiter **choose(struct sched *s)
{
	struct waiter **best = &s->first;

	if (!process_self.chaos)
		return best;
	for (struct waiter **w = &s->first; *w; w = &(*w)->next) {
		struct task *t = (*w)->task;

		if (!t->priority || draw() % CHAOS_RANKS == 0)
			t->priority = 1 + (unsigned)(draw() >> 33);
		if (t->priority > (*best)->task->priority)
			best = w;
	}
	return best;
}

static void take(struct sched *s, struct task *t, struct task **before)
{
	*before = s->left == t ? NULL : s->left;
	s->left = NULL;
	s->holder = t;
	s->since = now_ns();
	s->slice = next_slice();
	s->fresh = true;
	__atomic_store_n(&s->asked, 0, __ATOMIC_SEQ_CST);
}

static void hand_on(struct sched *s)
{
	struct waiter **at, *w;

	s->holder = NULL;
	if (!s->first)
		return;
	at = choose(s);
	w = *at;
	*at = w->next;
	if (!w->next)
		s->end = at;
	take(s, w->task, &w->before);
	__atomic_store_n(&w->granted, 1, __ATOMIC_SEQ_CST);
	/* The waiter may be gone from here on; an address is all the kernel wants. */
	syscall(SYS_futex, &w->granted, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void queue(struct sched *s, struct waiter *w)
{
	w->next = NULL;
	*s->end = w;
	s->end = &w->next;
}

/*
 * The signal is only for a thread that is in the guest: in a system call it would interrupt that. Such a thread waits for
 * it before it does anything else (loop.c).
 */
static void kick(struct task *t)
{
	siginfo_t si;

	__atomic_store_n(&t->kick_coming, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&t->in_guest, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&t->kick_coming, 0, __ATOMIC_SEQ_CST);
		return;
	}
	memset(&si, 0, sizeof(si));
	si.si_signo = SIGBUS;
	si.si_code = SI_TIMER;
	si.si_value.sival_ptr = (void *)(uintptr_t)&signal_host_kick_tag;
	if (syscall(SYS_rt_tgsigqueueinfo, getpid(), t->tid, SIGBUS, &si) < 0)
		__atomic_store_n(&t->kick_coming, 0, __ATOMIC_SEQ_CST);
}

static void slice_over(struct sched *s)
{
	uint64_t limit = __atomic_load_n(&s->counted, __ATOMIC_RELAXED) ? s->patience : s->slice;

	if (!s->holder || s->asked || now_ns() - s->since < limit)
		return;
	__atomic_store_n(&s->asked, 1, __ATOMIC_SEQ_CST);
	kick(s->holder);
}

/* ---- waiting ---- */

static struct task *wait_for_baton(struct sched *s, struct waiter *w)
{
	uint64_t ns = __atomic_load_n(&s->slice, __ATOMIC_RELAXED);
	const struct timespec slice = { (time_t)(ns / SECOND), (long)(ns % SECOND) };

	while (!__atomic_load_n(&w->granted, __ATOMIC_SEQ_CST)) {
		if (syscall(SYS_futex, &w->granted, FUTEX_WAIT_PRIVATE, 0, &slice, NULL, 0) == 0 || errno != ETIMEDOUT)
			continue;
		pthread_mutex_lock(&s->lock);
		if (!w->granted)
			slice_over(s);
		pthread_mutex_unlock(&s->lock);
	}
	return w->before;
}

struct task *sched_enter(struct task *t)
{
	return sched_enter_new(t, NULL, NULL);
}

struct task *sched_enter_new(struct task *t, void (*queued)(void *arg), void *arg)
{
	struct sched *s = t->proc->sched;
	struct waiter w = { .task = t };

	pthread_mutex_lock(&s->lock);
	if (!s->holder) {
		take(s, t, &w.before);
		w.granted = 1;
	} else {
		queue(s, &w);
	}
	pthread_mutex_unlock(&s->lock);
	if (queued)
		queued(arg);
	return wait_for_baton(s, &w);
}

void sched_leave(struct task *t, bool said)
{
	struct sched *s = t->proc->sched;

	pthread_mutex_lock(&s->lock);
	s->left = said ? NULL : t;
	hand_on(s);
	pthread_mutex_unlock(&s->lock);
}

void sched_exit(struct task *t)
{
	struct sched *s = t->proc->sched;

	pthread_mutex_lock(&s->lock);
	s->left = NULL;
	hand_on(s);
	pthread_mutex_unlock(&s->lock);
}

bool sched_new_slice(struct task *t)
{
	struct sched *s = t->proc->sched;
	bool fresh = s->fresh;

	s->fresh = false; /* the holder's */
	return fresh;
}

void sched_counts(struct task *t, bool counted)
{
	__atomic_store_n(&t->proc->sched->counted, counted, __ATOMIC_RELAXED);
}

uint64_t sched_branches(const struct task *t)
{
	return SCHED_BRANCHES(t->proc->sched->slice);
}

bool sched_slice_used(struct task *t)
{
	struct sched *s = t->proc->sched;
	bool wanted;

	pthread_mutex_lock(&s->lock);
	wanted = s->first != NULL;
	if (wanted)
		__atomic_store_n(&s->asked, 1, __ATOMIC_SEQ_CST);
	s->since = now_ns();
	if (!wanted) {
		s->slice = next_slice();
		s->fresh = true;
	}
	pthread_mutex_unlock(&s->lock);
	return wanted;
}

bool sched_asked(const struct task *t)
{
	const struct sched *s = t->proc->sched;

	return s && __atomic_load_n(&s->asked, __ATOMIC_SEQ_CST);
}

uint64_t sched_chaos_delay(const struct task *t)
{
	const struct sched *s = t->proc->sched;

	if (!s || !process_self.chaos || !s->first || draw() % CHAOS_STOPS)
		return 0;
	return CHAOS_ENTRY_NS + (CHAOS_DELAY_NS << draw() % CHAOS_DOUBLINGS);
}

void sched_ask(const struct task *t)
{
	struct sched *s = t->proc->sched;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	if (s->first)
		__atomic_store_n(&s->asked, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&s->lock);
}

bool sched_wants_switch(struct task *t)
{
	struct sched *s = t->proc->sched;
	bool wants;

	if (!s || (!process_self.chaos && !sched_asked(t)))
		return false;
	pthread_mutex_lock(&s->lock);
	wants = s->first && (s->asked || draw() % CHAOS_CALLS == 0);
	__atomic_store_n(&s->asked, 0, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&s->lock);
	return wants;
}

struct task *sched_yield_baton(struct task *t)
{
	struct sched *s = t->proc->sched;
	struct waiter w = { .task = t };

	pthread_mutex_lock(&s->lock);
	s->left = NULL;
	queue(s, &w);
	hand_on(s);
	pthread_mutex_unlock(&s->lock);
	return wait_for_baton(s, &w);
}
