/* Execution points while recording: when one is wanted, and what happens there. Contract: recorder_int.h. */
#include <stdlib.h>

#include "record/group.h"
#include "record/live.h"
#include "record/recorder_int.h"
#include "record/sched.h"
#include "syscall-emu/kernel_shared.h"
#include "syscall-emu/process.h"
#include "syscall-emu/signal.h"
#include "vmm/branches.h"

const struct exec_point *recorder_stop_landing(struct recorder *r, struct task *t)
{
	r->landing.timer = &recorded_of(t)->timer;
	return landing_stop(&r->landing, t);
}

/* Somebody has kicked us, or a timer has: has the group a reason? */
static void look_at_slice(struct recorder *r, const struct task *t)
{
	r->slice_over |= t->proc->grouped && group_wanted(&r->link.tree->group);
}

static bool switch_asked(const struct recorder *r, const struct task *t)
{
	return sched_asked(t) || r->slice_over;
}

/* What the kernel has written to memory it shares with the guest is due at a place like this. */
static bool wants_refresh(const struct task *t)
{
	return kernel_shared_age(t->proc) >= SCHED_SLICE_NS && kernel_shared_news(t->proc);
}

struct refreshed {
	unsigned n, cap;
	struct { uint64_t addr, len; } *piece;
};

static void note_piece(void *arg, uint64_t addr, uint64_t len)
{
	struct refreshed *f = arg;

	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 64;
		f->piece = reallocarray(f->piece, f->cap, sizeof(*f->piece));
		if (!f->piece)
			abort();
	}
	f->piece[f->n].addr = addr;
	f->piece[f->n++].len = len;
}

static void note_page(void *arg, uint64_t addr, uint64_t len, const void *bytes)
{
	(void)bytes;
	note_piece(arg, addr, len);
}

static void note_poked(void *arg, uint64_t addr, uint64_t len)
{
	recorder_readable(addr, len, note_page, arg);
}

/* ev with what has changed up to now in memory that others write. */
static void log_refreshed(struct recorder *r, struct task *t, struct event *ev)
{
	struct refreshed f = { 0 };

	kernel_shared_refresh(t, note_piece, &f);
	poke_take(&r->link.tree->pokes, note_poked, &f);
	for (unsigned i = 0; i < f.n; i++)
		ev->ndata += ring_data_count(f.piece[i].len);
	recorder_log(r, ev);
	for (unsigned i = 0; i < f.n; i++)
		recorder_log_bytes(r, f.piece[i].addr, (const void *)(uintptr_t)f.piece[i].addr, f.piece[i].len, DATA_MEMORY);
	free(f.piece);
}

/* *within: to another thread of this process, which may be asked of it by both. */
static bool wants_switch(const struct recorder *r, struct task *t, bool *within)
{
	*within = sched_wants_switch(t);
	return *within || (r->slice_over && group_wanted(&r->link.tree->group));
}

/* What people, and the next run, want to know about chaos; and its end when there have been enough switches. */
static void note_chaos(struct recorder *r, struct task *t)
{
	if (!sched_chaotic(t))
		return;
	tree_passed(r->link.tree, sched_passed(t));
	if (process_self.switches && __atomic_load_n(&r->link.tree->switches, __ATOMIC_RELAXED) >= process_self.switches)
		sched_calm(t);
}

int recorder_preempt(struct session *s, struct task *t, bool point)
{
	struct recorder *r = recorder_of(s);
	struct event ev = { .type = REC_SCHED, .tid = t->tid, .regs = *t->regs };
	const struct exec_point *p = point ? recorder_stop_landing(r, t) : NULL;
	unsigned char annex[POINT_ENCODED_MAX];
	struct task *before;
	bool within, gives_way, poked, orphaned;
	uint32_t number;

	if (point && !p)
		return 0;
	note_chaos(r, t);
	gives_way = wants_switch(r, t, &within);
	poked = poke_news(&r->link.tree->pokes, &r->poked);
	if (!gives_way && !poked && !(point && wants_refresh(t)))
		return 0;
	if (p) {
		ev.flags = REC_F_POINT;
		ev.annex = annex;
		ev.annex_len = (uint32_t)exec_point_encode(p, annex);
		vcpu_branches_reset(t->vcpu);
	} else {
		recorder_stop_landing(r, t);
	}
	log_refreshed(r, t, &ev);
	if (point)
		signal_preempted(t);
	if (within) {
		if (sched_chaotic(t))
			__atomic_add_fetch(&r->link.tree->switches, 1, __ATOMIC_RELAXED);
		recorder_end_turn(r, t);
		before = sched_yield_baton(t);
		if (before)
			recorder_log_blocked(r, before);
		recorder_take_turn(r, t);
	} else if (t->proc->grouped) {
		number = group_pass_on(&r->link.tree->group, &orphaned);
		recorder_log_turn(r, t, number, 0, orphaned);
	}
	return 0;
}

/* The slice that t has begun ends at a branch. */
static void count_slice(struct task *t)
{
	uint64_t now;

	if (!t->proc->sched || (!sched_new_slice(t) && vcpu_branches_armed(t->vcpu)))
		return;
	sched_counts(t, vcpu_branches_read(t->vcpu, &now) == 0 &&
			vcpu_branches_arm(t->vcpu, now + sched_branches(t)) == 0);
}

int recorder_resume(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);
	uint64_t delay;

	if (r->landing.phase != LANDING_IDLE)
		return 0;
	count_slice(t);
	r->landing.timer = &recorded_of(t)->timer;
	if (kernel_shared_age(t->proc))
		landing_tick(&r->landing, SCHED_SLICE_NS);
	delay = sched_chaos_delay(t);
	if (delay)
		landing_tick(&r->landing, delay);
	if (!switch_asked(r, t))
		return walk_resume(&recorded_of(t)->walk, t, &r->landing, r->link.tree);
	return landing_kicked(&r->landing, t, true);
}

/* Nobody looks for a place for anything. */
bool recorder_serves(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);

	return r->landing.phase == LANDING_IDLE && !r->landing.ready && !(r->landing.timer && r->landing.timer->on) &&
	       !poke_news(&r->link.tree->pokes, &r->poked) && !process_self.chaos && !r->link.world && !switch_asked(r, t);
}

bool recorder_contended(struct session *s, struct task *t)
{
	return sched_contended(t) || (t->proc->grouped && group_wanted(&recorder_of(s)->link.tree->group));
}

int recorder_kicked(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);
	int rc = live_kicked(s, t);

	if (rc)
		return rc;
	look_at_slice(r, t);
	walk_over(&recorded_of(t)->walk, t);
	sched_ask(t);
	r->landing.timer = &recorded_of(t)->timer;
	if (kernel_shared_age(t->proc) >= SCHED_SLICE_NS)
		kernel_shared_push(t); /* that is seen by nobody but the kernel */
	return landing_kicked(&r->landing, t, t->pending || switch_asked(r, t) || wants_refresh(t));
}

int recorder_landed(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);

	if (walk_over(&recorded_of(t)->walk, t))
		return 0;
	if (r->landing.phase != LANDING_IDLE)
		return landing_hit(&r->landing, t);
	return t->proc->sched && sched_slice_used(t) ? landing_here(&r->landing, t) : 0;
}
