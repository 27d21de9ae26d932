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

#include "record/chaos.h"
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
	struct chaos chaos;
	uint64_t arrived;        /* how many have come into the queue */
};

#define CHAOS_SLICE_NS 50000ULL /* the shortest; each doubling is as likely */
#define CHAOS_DOUBLINGS 10
#define CHAOS_PLACES_NS 100000000ULL /* where switches are at places that were drawn: for threads that wait by spinning */
#define CHAOS_STOPS 2           /* of so many ways into the guest one is cut short */
#define CHAOS_ENTRY_NS 20000ULL /* until a guest of a software host runs */
#define CHAOS_DELAY_NS 1000ULL
#define ARRIVAL_NS 5000000ULL   /* how long a thread that was woken is waited for */
#define CHAOS_CALLS 8           /* of so many system calls one ends the slice */
#define CHAOS_RANKS 16          /* of so many choices one gives the thread another priority */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static uint64_t next_slice(const struct sched *s)
{
	if (s->chaos.way == CHAOS_TIME)
		return CHAOS_SLICE_NS << chaos_draw() % CHAOS_DOUBLINGS;
	if (s->chaos.way != CHAOS_OFF)
		return CHAOS_PLACES_NS;
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
	chaos_begin(&s->chaos);
	t->priority = chaos_first_rank();
	s->since = now_ns();
	s->slice = next_slice(s);
	s->fresh = true;
	t->proc->sched = s;
	return 0;
}

/* ---- with the lock ---- */

static unsigned rank_of(struct task *t)
{
	if (!t->priority)
		t->priority = chaos_rank();
	return t->priority;
}

/* The highest rank of those who wait; 0: nobody does. */
static unsigned rival_rank(const struct sched *s)
{
	unsigned best = 0;

	for (const struct waiter *w = s->first; w; w = w->next)
		if (rank_of(w->task) > best)
			best = rank_of(w->task);
	return best;
}

static struct waiter **choose_by_rank(struct sched *s)
{
	struct waiter **best = &s->first;

	for (struct waiter **w = &s->first; *w; w = &(*w)->next) {
		struct task *t = (*w)->task;

		if (s->chaos.way == CHAOS_TIME && chaos_draw() % CHAOS_RANKS == 0)
			t->priority = chaos_rank();
		if (rank_of(t) > rank_of((*best)->task))
			best = w;
	}
	return best;
}

/* Anybody but who has just given way and stands at the end. */
static struct waiter **choose_any(struct sched *s, const struct task *not)
{
	struct waiter **at = &s->first;
	uint64_t n = 0;

	for (const struct waiter *w = s->first; w; w = w->next)
		n += w->task != not;
	for (n = chaos_choose(n); n; n--)
		at = &(*at)->next;
	return at;
}

/* The place in the queue of who is next. */
static struct waiter **choose(struct sched *s, const struct task *not)
{
	switch (s->chaos.way) {
	case CHAOS_TIME:
	case CHAOS_PRIORITIES:
		return choose_by_rank(s);
	case CHAOS_WALK:
		return choose_any(s, not);
	case CHAOS_OFF:
		break;
	}
	return &s->first;
}

static void take(struct sched *s, struct task *t, struct task **before)
{
	*before = s->left == t ? NULL : s->left;
	s->left = NULL;
	s->holder = t;
	s->since = now_ns();
	s->slice = next_slice(s);
	s->fresh = true;
	chaos_switched(&s->chaos);
	__atomic_store_n(&s->asked, 0, __ATOMIC_SEQ_CST);
}

/* not: who gives way, and is in the queue again; or NULL. */
static void hand_on(struct sched *s, const struct task *not)
{
	struct waiter **at, *w;

	s->holder = NULL;
	if (!s->first)
		return;
	at = choose(s, not);
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
	s->arrived++;
	s->chaos.news = true;
}

/*
 * The signal is only for a thread that is in the guest: in a system call it would interrupt that. Such a thread waits for
 * it before it does anything else (loop.c).
 */
static void kick(struct task *t)
{
	siginfo_t si;

	/* It may have looked for what it is asked already, and be about to enter. */
	__atomic_store_n(&t->kick_early, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&t->kick_coming, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&t->in_guest, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&t->kick_coming, 0, __ATOMIC_SEQ_CST);
		return;
	}
	__atomic_store_n(&t->kick_early, 0, __ATOMIC_SEQ_CST);
	memset(&si, 0, sizeof(si));
	si.si_signo = SIGBUS;
	si.si_code = SI_TIMER;
	si.si_value.sival_ptr = (void *)(uintptr_t)&signal_host_kick_tag;
	if (syscall(SYS_rt_tgsigqueueinfo, getpid(), t->tid, SIGBUS, &si) < 0)
		__atomic_store_n(&t->kick_coming, 0, __ATOMIC_SEQ_CST);
}

/* Is the holder to go step by step? */
static bool steps(struct sched *s)
{
	if (s->chaos.way != CHAOS_WALK && s->chaos.way != CHAOS_PRIORITIES)
		return false;
	return s->first && s->holder && chaos_steps(&s->chaos, rank_of(s->holder), rival_rank(s));
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
		/* From here on there are places where the holder may give way: it must not run past them. */
		if (steps(s))
			kick(s->holder);
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
	hand_on(s, NULL);
	pthread_mutex_unlock(&s->lock);
}

void sched_exit(struct task *t)
{
	struct sched *s = t->proc->sched;

	pthread_mutex_lock(&s->lock);
	s->left = NULL;
	hand_on(s, NULL);
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
		s->slice = next_slice(s);
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

bool sched_contended(const struct task *t)
{
	const struct sched *s = t->proc->sched;

	return s && __atomic_load_n(&s->first, __ATOMIC_RELAXED);
}

uint64_t sched_chaos_delay(const struct task *t)
{
	const struct sched *s = t->proc->sched;

	if (!s || s->chaos.way != CHAOS_TIME || !s->first || chaos_draw() % CHAOS_STOPS)
		return 0;
	return CHAOS_ENTRY_NS + (CHAOS_DELAY_NS << chaos_draw() % CHAOS_DOUBLINGS);
}

void sched_ask(const struct task *t)
{
	struct sched *s = t->proc->sched;

	if (!s || s->chaos.way != CHAOS_TIME)
		return;
	pthread_mutex_lock(&s->lock);
	if (s->first)
		__atomic_store_n(&s->asked, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&s->lock);
}

static bool gives_way_at_call(struct sched *s, struct task *t)
{
	switch (s->chaos.way) {
	case CHAOS_TIME:
		return chaos_draw() % CHAOS_CALLS == 0;
	case CHAOS_PRIORITIES:
		return rival_rank(s) > rank_of(t);
	case CHAOS_WALK: /* the way to the call was a place */
	case CHAOS_OFF:
		break;
	}
	return false;
}

bool sched_steps(struct task *t)
{
	struct sched *s = t->proc->sched;
	bool on;

	if (!s || s->chaos.way == CHAOS_OFF || s->chaos.way == CHAOS_TIME)
		return false;
	pthread_mutex_lock(&s->lock);
	on = steps(s) || (chaos_learns(&s->chaos) && t->proc->nthreads > 1);
	s->chaos.steps += on;
	pthread_mutex_unlock(&s->lock);
	return on;
}

bool sched_place(struct task *t)
{
	struct sched *s = t->proc->sched;
	bool gives_way;

	pthread_mutex_lock(&s->lock);
	rank_of(t);
	gives_way = s->first && chaos_place(&s->chaos, &t->priority, rival_rank(s));
	if (gives_way)
		__atomic_store_n(&s->asked, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&s->lock);
	return gives_way;
}

uint64_t sched_passed(const struct task *t)
{
	return t->proc->sched ? t->proc->sched->chaos.passed : 0;
}

bool sched_chaotic(const struct task *t)
{
	return t->proc->sched && t->proc->sched->chaos.way != CHAOS_OFF;
}

void sched_calm(struct task *t)
{
	struct sched *s = t->proc->sched;

	pthread_mutex_lock(&s->lock);
	s->chaos.way = CHAOS_OFF;
	s->slice = next_slice(s);
	__atomic_store_n(&s->asked, 0, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&s->lock);
}

uint64_t sched_arrivals(const struct task *t)
{
	const struct sched *s = t->proc->sched;

	if (!s || s->chaos.way == CHAOS_OFF || s->chaos.way == CHAOS_TIME)
		return 0;
	return __atomic_load_n(&s->arrived, __ATOMIC_RELAXED) + 1;
}

/* A futex call of which the result says how many threads of this process it has woken. */
static bool wakes(const struct guest_regs *r)
{
	uint64_t cmd = r->rsi & FUTEX_CMD_MASK;

	return r->rax == SYS_futex && r->rsi & FUTEX_PRIVATE_FLAG &&
	       (cmd == FUTEX_WAKE || cmd == FUTEX_WAKE_BITSET || cmd == FUTEX_WAKE_OP);
}

void sched_await(const struct task *t, uint64_t arrivals, const struct guest_regs *call, int64_t ret)
{
	uint64_t until;

	if (!arrivals || ret <= 0 || !wakes(call))
		return;
	until = now_ns() + ARRIVAL_NS;
	while (sched_arrivals(t) < arrivals + (uint64_t)ret && now_ns() < until)
		usleep(ARRIVAL_NS / 1000 / 100);
}

bool sched_wants_switch(struct task *t)
{
	struct sched *s = t->proc->sched;
	bool wants;

	if (!s || (s->chaos.way == CHAOS_OFF && !sched_asked(t)))
		return false;
	pthread_mutex_lock(&s->lock);
	wants = s->first && (s->asked || gives_way_at_call(s, t));
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
	/* Asked by the time that is over, not for its rank. */
	while (s->chaos.way == CHAOS_PRIORITIES && rank_of(t) > 1 && rank_of(t) >= rival_rank(s))
		t->priority = chaos_lower(&s->chaos);
	queue(s, &w);
	s->chaos.news = false;
	hand_on(s, t);
	pthread_mutex_unlock(&s->lock);
	return wait_for_baton(s, &w);
}
