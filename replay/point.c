/* Seeking execution points. Contract: point.h. */
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "replay/divergence.h"
#include "replay/point.h"
#include "vmm/branches.h"

static int begin(struct seek *k, const struct event *ev)
{
	size_t at = ev->type == REC_SIGNAL ? sizeof(siginfo_t) : 0;

	*k = (struct seek){ .active = true };
	if (ev->annex_len < at || exec_point_decode((const char *)ev->annex + at, ev->annex_len - at, &k->point) < 0)
		return divergence(ev, "its execution point is damaged or of a kind that this version does not know");
	return 0;
}

/* Equal registers are not yet the point: in a loop they may be the same each time round. */
static int look(struct seek *k, struct task *t, const struct event *ev)
{
	int rc = landmark_check(t, &ev->regs, &k->point, &k->differed);

	if (rc < 0)
		return rc;
	if (rc == 0) {
		k->false_hits++;
		return 0;
	}
	landmark_disarm(t);
	k->found = true;
	return TASK_SIGNAL;
}

int seek_condition(struct seek *k, const struct event *ev, struct tramp_cond *c)
{
	int rc = k->active ? 0 : begin(k, ev);

	if (rc < 0)
		return rc;
	*c = (struct tramp_cond){ .regs = ev->regs, .first = k->point.changed, .nwords = k->point.nwords };
	memcpy(c->word, k->point.word, sizeof(c->word));
	return 0;
}

/* By the branch clock. The state there has been recorded too: if it is another one, the way there was. */
static int at_count(struct seek *k, struct task *t, const struct event *ev)
{
	uint64_t count;
	int rc = vcpu_branches_read(t->vcpu, &count);

	if (rc < 0)
		return seek_resume(k, t, ev);
	if (count > k->point.branches)
		return divergence(ev, "its execution point, branch %" PRIu64 ", was passed: the counter stopped at %" PRIu64,
				  k->point.branches, count);
	rc = look(k, t, ev);
	return rc ? rc : divergence(ev, "at its execution point, branch %" PRIu64 ", rip %#" PRIx64 ", found rip %#" PRIx64
				    " and other %s", k->point.branches, ev->regs.rip, t->regs->rip, k->differed);
}

/* 1: on its way, 0: the clock is of no use here. */
static int seek_count(struct seek *k, struct task *t)
{
	if (k->point.kind != POINT_BRANCHES)
		return 0;
	return vcpu_branches_armed(t->vcpu) || vcpu_branches_arm(t->vcpu, k->point.branches) == 0;
}

int seek_resume(struct seek *k, struct task *t, const struct event *ev)
{
	struct tramp_cond c;
	int rc = seek_condition(k, ev, &c);

	if (rc < 0 || landmark_armed(t) || seek_count(k, t))
		return rc;
	if (t->regs->rip == ev->regs.rip) {
		rc = look(k, t, ev);
		if (rc)
			return rc;
	}
	rc = landmark_arm(t, ev->regs.rip, &c);
	if (rc < 0)
		return divergence(ev, "cannot stop at rip %#" PRIx64 ", where the signal came: error %d", ev->regs.rip, -rc);
	return 0;
}

int seek_look(struct seek *k, struct task *t, const struct event *ev)
{
	int rc = k->active ? 0 : begin(k, ev);

	if (rc < 0 || t->regs->rip != ev->regs.rip)
		return rc;
	return look(k, t, ev);
}

int seek_hit(struct seek *k, struct task *t, const struct event *ev)
{
	return t->stop.stop == VCPU_BRANCHES ? at_count(k, t, ev) : look(k, t, ev);
}

bool seek_end(struct seek *k, struct task *t)
{
	bool found = k->active && k->found;

	if (found) {
		k->active = false;
		vcpu_branches_reset(t->vcpu);
	}
	return found;
}

int seek_missed(const struct seek *k, const struct event *ev, const struct task *t, const char *found)
{
	const char *how = k->point.kind == POINT_BRANCHES && !vcpu_branches_usable(t->vcpu) ?
			  " (recorded with a branch counter, which cannot be used here)" : "";
	uint64_t count;

	if (k->point.kind == POINT_BRANCHES && vcpu_branches_read(t->vcpu, &count) == 0)
		return divergence(ev, "its execution point, branch %" PRIu64 " at rip %#" PRIx64 ", was missed: found a %s at "
				  "rip %#" PRIx64 " after branch %" PRIu64, k->point.branches, ev->regs.rip, found,
				  t->regs->rip, count);
	if (!k->false_hits)
		return divergence(ev, "its execution point, rip %#" PRIx64 ", was missed: found a %s at rip %#" PRIx64
				  " before its registers were seen there%s", ev->regs.rip, found, t->regs->rip, how);
	return divergence(ev, "its execution point, rip %#" PRIx64 ", was missed: found a %s at rip %#" PRIx64 "; %" PRIu64
			  " states came near it, the last differed in %s%s", ev->regs.rip, found, t->regs->rip,
			  k->false_hits, k->differed, how);
}
