/* Whose turn it is while recording: threads of the process, and processes that share memory. Contract: recorder_int.h. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "record/group.h"
#include "record/live.h"
#include "record/recorder_int.h"
#include "record/robust.h"
#include "record/sched.h"
#include "record/thread.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/mm_join.h"
#include "vmm/layout.h"

/* ---- threads ---- */

void recorder_log_blocked(struct recorder *r, struct task *before)
{
	struct inputs *in = &recorded_of(before)->in;
	const struct plan *p = &before->plan;
	struct event ev = { .type = REC_SCHED, .tid = before->tid, .regs = *before->regs };

	ev.ndata = in->n + recorder_early(p, false);
	recorder_log(r, &ev);
	recorder_log_inputs(r, in);
	recorder_log_early(r, p, false);
	in->n = 0; /* they are not what the memory holds when the call is over */
}

/* ---- processes that share memory ---- */

#define LOOK_PAGES 512

/* Gives piece what is in memory of a mapping; the rest of it nobody has touched. */
static void present(uint64_t start, uint64_t end, void (*piece)(void *arg, uint64_t addr, uint64_t len), void *arg)
{
	unsigned char in[LOOK_PAGES];

	while (start < end) {
		uint64_t n = (end - start) / PAGE_SIZE_4K, from = 0;

		n = n < LOOK_PAGES ? n : LOOK_PAGES;
		if (mincore((void *)(uintptr_t)start, n * PAGE_SIZE_4K, in) < 0)
			return;
		for (uint64_t i = 0; i <= n; i++) {
			if (i < n && in[i] & 1)
				continue;
			if (i > from)
				piece(arg, start + from * PAGE_SIZE_4K, (i - from) * PAGE_SIZE_4K);
			from = i + 1;
		}
		start += n * PAGE_SIZE_4K;
	}
}

static void shared_memory(const struct task *t, void (*piece)(void *arg, uint64_t addr, uint64_t len), void *arg)
{
	for (const struct vma *v = mm_next(t->proc->mm, NULL); v; v = mm_next(t->proc->mm, v))
		if (v->prot && (v->joined || (v->flags & MAP_SHARED && v->may & PROT_WRITE)))
			present(v->start, v->end, piece, arg);
}

static void count(void *arg, uint64_t addr, uint64_t len)
{
	struct event *ev = arg;

	(void)addr;
	ev->ndata += ring_data_count(len);
}

static void log_memory(void *arg, uint64_t addr, uint64_t len)
{
	recorder_log_bytes(arg, addr, (const void *)(uintptr_t)addr, len, DATA_MEMORY);
}

void recorder_log_turn(struct recorder *r, struct task *t, uint32_t number, uint8_t flags, bool orphaned)
{
	struct event ev = { .type = REC_TURN, .flags = flags, .tid = t->tid, .regs = *t->regs, .result = number };

	if (orphaned)
		shared_memory(t, count, &ev);
	recorder_log(r, &ev);
	if (orphaned)
		shared_memory(t, log_memory, r);
	r->slice_over = false;
	landing_timer_every(&recorded_of(t)->slice, GROUP_SLICE_NS);
	mm_join_follow(t->proc->mm);
}

void recorder_take_turn(struct recorder *r, struct task *t)
{
	bool orphaned;
	uint32_t number;

	if (!t->proc->grouped)
		return;
	number = group_enter(&r->link.tree->group, &orphaned);
	recorder_log_turn(r, t, number, 0, orphaned);
}

void recorder_end_turn(struct recorder *r, struct task *t)
{
	if (!t->proc->grouped)
		return;
	landing_timer_every(&recorded_of(t)->slice, 0);
	group_leave(&r->link.tree->group);
}

void recorder_shares(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);
	bool orphaned;
	uint32_t number;

	if (t->proc->grouped)
		return;
	t->proc->grouped = true;
	number = group_enter(&r->link.tree->group, &orphaned);
	recorder_log_turn(r, t, number, REC_F_AFTER, orphaned);
}

/* ---- giving way ---- */

void recorder_blocks(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);

	/* Another process cannot write in our log: it is said beforehand. */
	if (t->proc->grouped) {
		recorder_log_blocked(r, t);
		recorder_end_turn(r, t);
	}
	if (t->proc->sched)
		sched_leave(t, t->proc->grouped);
}

void recorder_unblocks(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);
	struct task *before = t->proc->sched ? sched_enter(t) : NULL;

	if (before)
		recorder_log_blocked(r, before);
	recorder_take_turn(r, t);
}

static void begin_thread(struct task *made, struct task *before)
{
	struct recorder *r = recorder_of(made->proc->sess);

	if (before)
		recorder_log_blocked(r, before);
	recorder_take_turn(r, made);
}

int64_t recorder_thread(struct session *s, struct task *t, struct plan *p, struct task *made)
{
	(void)s, (void)p;
	made->of_session = calloc(1, sizeof(struct recorded));
	return made->of_session ? live_thread(t, made, begin_thread) : -ENOMEM;
}

int recorder_thread_ended(struct session *s, struct task *t, struct task **next)
{
	landing_timer_end(&recorded_of(t)->timer);
	if (t->proc->grouped)
		robust_note(&recorder_of(s)->link.tree->robusts, t); /* nothing any more */
	recorder_end_turn(recorder_of(s), t);
	landing_timer_end(&recorded_of(t)->slice);
	return live_thread_ended(s, t, next);
}
