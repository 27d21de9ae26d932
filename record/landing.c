/* Where a signal lands in a computation. Contract: landing.h; why it is done this way: doc/exec-points.md. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/landing.h"
#include "syscall-emu/process.h"
#include "syscall-emu/signal_host.h"
#include "vmm/branches.h"

#define MS 1000000ULL
#define WAIT_NS MS           /* a system call in this time is preferred */
#define SEARCH_NS (MS / 2)
#define RETRY_NS (MS / 10)
#define BRANCH_NS (5 * MS)   /* how often is looked how the search for a branch goes on */
#define BRANCH_STEPS 1000    /* instructions without one: there is none */
#define BRANCH_TRIES 8       /* branches that are passed in search of a place that carries a jump */
#define ROUNDS_MAX 12        /* of one search, each with a hit that adds a word */
#define DISTURBED_MAX 3      /* searches ended by faults */
#define BAD_TRIES 24         /* kicks that look for a good place, before one that costs exits will do */
#define QUICK_NS (MS / 2)    /* so few passes of a loop that replay may stop at each of them */
#define SLIDE_MAX 48         /* instructions looked at for a good place */
#define PASS_MAX 20          /* how often the way to it may take a WAIT_NS: a string instruction can be long */
#define DETOURS_MAX 4        /* exits for nothing in one search */
#define RETURNS_MAX 6
#define COVER_MIN (1ULL << 20)
#define COVER_MAX (64ULL << 20)
#define COPY_MAX (4ULL << 20)
#define NS_PER_BYTE 3        /* a tenth of the time since the last landing may go into looking at memory */

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static uint64_t read_clock(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000 * MS + (uint64_t)ts.tv_nsec;
}

static uint64_t now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static uint64_t thread_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* Only pointers: who landed a moment ago may look at less memory. */
static uint64_t cover(const struct landing *l)
{
	uint64_t bytes = (now_ns() - l->last_ns) / NS_PER_BYTE;

	return bytes < COVER_MIN ? COVER_MIN : bytes > COVER_MAX ? COVER_MAX : bytes;
}

static uint64_t copied(const struct landing *l)
{
	return cover(l) < COPY_MAX ? cover(l) : COPY_MAX;
}

/* ---- the timer ---- */

static int make_timer(struct landing_timer *timer)
{
	struct sigevent ev = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGSEGV,
		.sigev_value.sival_ptr = (void *)&signal_host_timer_tag,
	};
	int tid = (int)syscall(SYS_gettid);

	if (timer->made && timer->owner == tid)
		return 0;
	ev.sigev_notify_thread_id = tid;
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer->id) < 0)
		return -errno;
	timer->made = true;
	timer->owner = tid;
	return 0;
}

/* Without a timer the next kick is the next signal's, or never: the signal then lands at a system call. */
static void set_timer(struct landing *l, uint64_t ns)
{
	const struct itimerspec when = { .it_value.tv_nsec = (long)ns };

	if (make_timer(l->timer) < 0)
		return;
	if (timer_settime(l->timer->id, 0, &when, NULL) == 0)
		l->timer->on = ns != 0;
	else
		l->timer->made = false; /* the program has deleted it */
}

void landing_timer_every(struct landing_timer *timer, uint64_t ns)
{
	const struct itimerspec when = { { .tv_nsec = (long)ns }, { .tv_nsec = (long)ns } };

	if (ns == 0 && !timer->made)
		return;
	if (make_timer(timer) == 0 && timer_settime(timer->id, 0, &when, NULL) < 0)
		timer->made = false;
}

void landing_timer_end(struct landing_timer *timer)
{
	if (timer->made && timer->owner == (int)syscall(SYS_gettid))
		timer_delete(timer->id);
	timer->made = false;
}

void landing_tick(struct landing *l, uint64_t ns)
{
	if (l->phase != LANDING_IDLE || l->timer->on)
		return;
	l->tick_ns = thread_ns();
	set_timer(l, ns);
}

const struct exec_point *landing_stop(struct landing *l, struct task *t)
{
	bool ready = l->ready;

	if (l->phase == LANDING_IDLE && !ready && !l->timer->on)
		return NULL;
	landmark_disarm(t);
	if (l->phase == LANDING_BRANCH)
		vcpu_branches_disarm(t->vcpu);
	if (l->timer->on)
		set_timer(l, 0);
	l->phase = LANDING_IDLE;
	l->ready = l->quick = false;
	return ready ? &l->point : NULL;
}

/* ---- the search ---- */

static int retry(struct landing *l, struct task *t)
{
	landmark_disarm(t);
	l->tries++;
	l->phase = LANDING_WAIT;
	set_timer(l, RETRY_NS);
	return 0;
}

static void add_words(struct landing *l, struct task *t, const struct snapshot *s, uint64_t limit)
{
	struct exec_point *p = &l->point;

	p->nwords = (uint16_t)(p->nwords + snapshot_differences(t, s, p->word, p->nwords, limit, p->word + p->nwords,
								TRAMP_WORDS - p->nwords));
}

/*
 * What has changed since the search began may tell this pass from others too, though that was not seen: a variable that
 * changes slowly, most likely outside the stack, whose content in a recursion only says how deep it is.
 */
static void fill_words(struct landing *l, struct task *t)
{
	if (l->start.n)
		add_words(l, t, &l->start, GUEST_STACK_TOP - GUEST_STACK_MAX);
	if (l->before.n)
		add_words(l, t, &l->before, GUEST_TOP);
}

/* Here. */
static int land(struct landing *l, struct task *t)
{
	int rc;

	fill_words(l, t);
	rc = landmark_take(t, cover(l), &l->point);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < GUEST_NREGS; i++)
		l->point.changed |= (uint32_t)(t->regs->r[i] != l->first.r[i]) << i;
	l->ready = true;
	l->last_ns = now_ns();
	return TASK_SIGNAL;
}

/* Here, if replay can stop here. */
static int land_if_possible(struct landing *l, struct task *t)
{
	struct landmark_place p;

	if (landmark_look(t, t->regs->rip, &p) < 0 || p.string || (!p.good && l->tries < BAD_TRIES))
		return retry(l, t);
	return land(l, t);
}

/* Runs to the next pass of the site in the state at hand: registers and the words known to matter. */
static int search_on(struct landing *l, struct task *t)
{
	struct tramp_cond c = { .regs = *t->regs, .first = l->point.changed, .nwords = l->point.nwords };

	memcpy(c.word, l->point.word, sizeof(c.word));
	if (snapshot_take(t, copied(l), &l->before) < 0 || landmark_arm(t, l->site, &c) < 0)
		return retry(l, t);
	l->phase = LANDING_SEARCH;
	l->search_ns = thread_ns();
	set_timer(l, SEARCH_NS);
	return 0;
}

static int search_from_here(struct landing *l, struct task *t)
{
	for (unsigned i = 0; i < GUEST_NREGS; i++)
		l->point.changed |= (uint32_t)(t->regs->r[i] != l->first.r[i]) << i;
	l->first = *t->regs;
	l->site = t->regs->rip;
	l->rounds = 0;
	l->point.nwords = 0;
	l->before.n = 0;
	if (snapshot_take(t, copied(l), &l->start) < 0)
		l->start.n = 0;
	return search_on(l, t);
}

/*
 * The next good place on the way from here. Of two ways at a branch the one taken is unknown: tries alternate. 0: none near.
 */
static uint64_t slide(const struct landing *l, const struct task *t)
{
	uint64_t addr = t->regs->rip;
	struct landmark_place p;

	for (unsigned i = 0; i < SLIDE_MAX; i++) {
		if (landmark_look(t, addr, &p) < 0 || p.string)
			return 0;
		if (p.good)
			return addr;
		if (p.target && (p.ends || l->tries % 2))
			addr = p.target;
		else if (p.ends)
			return 0;
		else
			addr = p.next;
	}
	return 0;
}

static int pass_to(struct landing *l, struct task *t, uint64_t addr)
{
	const struct tramp_cond always = { .always = true };

	if (landmark_arm(t, addr, &always) < 0)
		return retry(l, t);
	l->phase = LANDING_PASS;
	l->rounds = 0;
	set_timer(l, WAIT_NS);
	return 0;
}

static int begin(struct landing *l, struct task *t)
{
	struct landmark_place p;
	uint64_t addr;

	if (landmark_look(t, t->regs->rip, &p) < 0)
		return retry(l, t);
	if (p.string)
		return pass_to(l, t, p.next);
	if (p.good && l->quick)
		return land(l, t);
	if (p.good || l->tries >= BAD_TRIES)
		return search_from_here(l, t);
	addr = slide(l, t);
	return addr ? pass_to(l, t, addr) : retry(l, t);
}

/* The site did not come again in this state: what is known of it suffices to tell its passes apart. */
static int search_ended(struct landing *l, struct task *t, bool disturbed)
{
	/* With no round the registers never were the same, so any pass will do. */
	struct tramp_cond c = { .always = l->rounds == 0, .regs = l->first, .first = l->point.changed };
	bool bad = landmark_detours(t) > DETOURS_MAX && l->tries < BAD_TRIES;

	landmark_disarm(t);
	if (bad)
		return retry(l, t);
	if (disturbed && l->tries++ < DISTURBED_MAX)
		return begin(l, t);
	if (landmark_arm(t, l->site, &c) < 0)
		return retry(l, t);
	l->phase = LANDING_RETURN;
	set_timer(l, 2 * SEARCH_NS);
	return 0;
}

/* ---- by the branch clock ---- */

/* Behind a branch the count alone tells passes apart; between two the same code may run any number of times. */
static int to_branch(struct landing *l, struct task *t)
{
	uint64_t now;

	if (vcpu_branches_read(t->vcpu, &now) < 0 || vcpu_branches_arm(t->vcpu, now + 1) < 0)
		return begin(l, t);
	l->phase = LANDING_BRANCH;
	set_timer(l, BRANCH_NS);
	return 0;
}

static int no_branch_yet(struct landing *l, struct task *t)
{
	if (vcpu_branches_armed(t->vcpu) && vcpu_branches_steps(t->vcpu) < BRANCH_STEPS) {
		set_timer(l, BRANCH_NS);
		return 0;
	}
	vcpu_branches_disarm(t->vcpu);
	l->no_branch = true;
	l->tries = 0;
	return begin(l, t);
}

int landing_here(struct landing *l, struct task *t)
{
	struct exec_point *p = &l->point;
	int rc;

	p->nwords = 0;
	p->changed = 0;
	rc = landmark_take(t, COVER_MIN, p);
	if (rc == 0)
		rc = vcpu_branches_read(t->vcpu, &p->branches);
	if (rc < 0)
		return rc;
	p->kind = POINT_BRANCHES;
	l->ready = true;
	l->last_ns = now_ns();
	return TASK_SIGNAL;
}

int landing_place(struct landing *l, struct task *t)
{
	l->first = *t->regs;
	l->point.nwords = 0;
	l->point.changed = 0;
	l->start.n = l->before.n = 0;
	return land(l, t);
}

/* Without a counter replay watches the place: it should be one where that costs little. */
static int at_branch(struct landing *l, struct task *t)
{
	struct landmark_place p;

	if (l->tries++ < BRANCH_TRIES && (landmark_look(t, t->regs->rip, &p) < 0 || !p.good))
		return to_branch(l, t);
	return landing_here(l, t);
}

int landing_kicked(struct landing *l, struct task *t, bool wanted)
{
	bool disturbed = !landmark_armed(t);

	if (!wanted) {
		landing_stop(l, t);
		return 0;
	}
	switch (l->phase) {
	case LANDING_IDLE:
		l->first = *t->regs;
		l->point.changed = 0;
		l->tries = 0;
		l->no_branch = false;
		l->point.nwords = 0;
		l->start.n = l->before.n = 0;
		if (process_self.chaos) {
			l->quick = thread_ns() - l->tick_ns < QUICK_NS;
			return to_branch(l, t);
		}
		l->phase = LANDING_WAIT;
		set_timer(l, WAIT_NS);
		return 0;
	case LANDING_WAIT:
		return l->no_branch ? begin(l, t) : to_branch(l, t);
	case LANDING_BRANCH:
		return no_branch_yet(l, t);
	case LANDING_PASS:
		if (disturbed || ++l->rounds > PASS_MAX)
			return retry(l, t);
		set_timer(l, WAIT_NS);
		return 0;
	case LANDING_SEARCH:
		/* Another program had the processor meanwhile. */
		if (!disturbed && thread_ns() - l->search_ns < SEARCH_NS / 2) {
			set_timer(l, SEARCH_NS / 2);
			return 0;
		}
		return search_ended(l, t, disturbed);
	case LANDING_RETURN:
		landmark_disarm(t);
		/* The program has gone elsewhere: look there, but not for ever. */
		return l->tries++ < RETURNS_MAX ? begin(l, t) : land_if_possible(l, t);
	}
	return 0;
}

int landing_hit(struct landing *l, struct task *t)
{
	struct exec_point *p = &l->point;
	unsigned n;

	if (l->phase == LANDING_BRANCH)
		return at_branch(l, t);
	if (landmark_detours(t) > DETOURS_MAX && l->tries < BAD_TRIES)
		return retry(l, t);
	if (l->phase == LANDING_PASS) {
		landmark_disarm(t);
		return begin(l, t);
	}
	if (l->phase == LANDING_RETURN)
		return land(l, t);
	n = snapshot_differences(t, &l->before, p->word, p->nwords, GUEST_TOP, p->word + p->nwords,
				 p->nwords < TRAMP_WORDS);
	p->nwords = (uint16_t)(p->nwords + n);
	/* Nothing differs, or nothing more can be told apart: this pass is as good as any. */
	if (!n || ++l->rounds == ROUNDS_MAX)
		return land(l, t);
	return search_on(l, t);
}
