/*
 * Watchpoints without debug registers: the pages that are watched are kept from the program while it runs. An access
 * faults, its instruction runs alone with the pages given back, and the values are compared. System calls cannot fault;
 * what they wrote shows when the program goes on. Contract: debuggee_int.h.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "replay/debuggee_int.h"
#include "syscall-emu/exception.h"
#include "syscall-emu/mm.h"

#define PAGE_MASK (~(PAGE_SIZE_4K - 1))

static bool watches(const struct link_point *p)
{
	return p->kind >= DEBUG_WATCH_WRITE;
}

static bool any(const struct debuggee *d)
{
	for (unsigned i = 0; d->run.points && i < d->npoints; i++)
		if (watches(&d->point[i]))
			return true;
	return false;
}

static void look(struct watched *w, const struct link_point *p)
{
	w->touched = false;
	w->readable = guest_read(w->bytes, p->addr, p->len < WATCH_BYTES ? p->len : WATCH_BYTES) == 0;
}

void watch_begin(struct debuggee *d)
{
	for (unsigned i = 0; i < d->npoints; i++)
		if (watches(&d->point[i]))
			look(&d->watched[i], &d->point[i]);
}

/* ---- reading ---- */

static bool note_access(void *arg, uint64_t addr, uint64_t len, bool write)
{
	struct debuggee *d = arg;

	for (unsigned i = 0; i < d->npoints; i++) {
		const struct link_point *p = &d->point[i];

		if (p->kind > DEBUG_WATCH_WRITE && addr < p->addr + p->len && p->addr < addr + len)
			d->watched[i].touched |= !write || p->kind == DEBUG_WATCH_ACCESS;
	}
	return false;
}

/* What the instruction at hand, which is about to run alone, will read; and write, as that may change nothing. */
static void note_accesses(struct debuggee *d, const struct task *t)
{
	for (unsigned i = 0; i < d->npoints; i++)
		if (d->point[i].kind > DEBUG_WATCH_WRITE) {
			insn_accesses(t, note_access, d);
			return;
		}
}

static bool differs(const struct watched *was, const struct watched *now, const struct link_point *p)
{
	if (p->kind == DEBUG_WATCH_READ)
		return false;
	return now->readable != was->readable ||
	       (now->readable && memcmp(now->bytes, was->bytes, p->len < WATCH_BYTES ? p->len : WATCH_BYTES));
}

bool watch_changed(struct debuggee *d, struct debug_stop *stop)
{
	bool found = false;

	for (unsigned i = 0; d->run.points && i < d->npoints; i++) {
		const struct link_point *p = &d->point[i];
		struct watched now;

		if (!watches(p))
			continue;
		look(&now, p);
		now.touched = d->watched[i].touched && d->watch_step;
		if (differs(&d->watched[i], &now, p) || (d->watched[i].touched && !d->watch_step)) {
			if (!found)
				*stop = (struct debug_stop){ .kind = DEBUG_WATCHPOINT, .point = (enum debug_point)p->kind,
							     .addr = p->addr, .tid = d->t->tid };
			found = true;
		}
		d->watched[i] = now;
	}
	return found;
}

/* ---- pages ---- */

/* For each page of each point, the part of one mapping at a time: guest entry first, host call second (vmm/vm.h). */
static void each_page(struct debuggee *d, struct task *t, bool arm)
{
	for (unsigned i = 0; i < d->npoints; i++) {
		const struct link_point *p = &d->point[i];

		if (!watches(p))
			continue;
		for (uint64_t at = p->addr & PAGE_MASK; at < p->addr + p->len; at += PAGE_SIZE_4K) {
			const struct vma *v = mm_find(t->proc->mm, at);
			int less = p->kind == DEBUG_WATCH_WRITE && v ? v->prot & ~PROT_WRITE : PROT_NONE;

			if (!v || !v->prot || less == v->prot || !guest_range_ok(at, PAGE_SIZE_4K))
				continue;
			if (arm) {
				if (vm_query(t->proc->vm, at) < 0)
					continue; /* not filled yet: the first access faults anyway */
				vm_allow(t->proc->vm, at, PAGE_SIZE_4K, less, false);
				mprotect((void *)(uintptr_t)at, PAGE_SIZE_4K, less);
			} else {
				mprotect((void *)(uintptr_t)at, PAGE_SIZE_4K, v->prot | PROT_READ);
				if (vm_query(t->proc->vm, at) >= 0 || less == PROT_NONE)
					vm_allow(t->proc->vm, at, PAGE_SIZE_4K, v->prot, false);
			}
		}
	}
}

int watch_arm(struct debuggee *d, struct task *t)
{
	if (any(d) && !d->watch_step && !d->run.coarse) {
		each_page(d, t, true);
		d->watch_armed = true;
	}
	return 0;
}

void watch_disarm(struct debuggee *d, struct task *t)
{
	if (!d->watch_armed)
		return;
	each_page(d, t, false);
	d->watch_armed = false;
}

bool watch_fault(struct debuggee *d, const struct task *t)
{
	if (t->stop.stop != VCPU_EXCEPTION || t->stop.vector != V_PF || !any(d) || d->run.coarse)
		return false;
	for (unsigned i = 0; i < d->npoints; i++) {
		const struct link_point *p = &d->point[i];
		uint64_t start = p->addr & PAGE_MASK, end = (p->addr + p->len + PAGE_SIZE_4K - 1) & PAGE_MASK;

		if (watches(p) && t->stop.cr2 >= start && t->stop.cr2 < end && !d->watch_step) {
			d->watch_step = true;
			d->watch_faults++;
			note_accesses(d, t);
			return true;
		}
	}
	return false;
}
