/*
 * Calls that may wait while other threads of the process run: the kernel then writes into scratch memory of ours, and the
 * guest sees it when its thread has the baton again, so that the moment is one that a recording holds.
 */
#ifndef SANDREC_PLAN_SCRATCH_H
#define SANDREC_PLAN_SCRATCH_H

#include "syscall-emu/plan.h"

/* May this call wait? By its row, its flags, and the kind of file. */
bool plan_may_block(const struct plan *p);

/*
 * Before plan_forward() gives the pointers to the kernel: every region that is written gets a scratch copy. Regions that
 * must stay in place, or that the guest could not write to as a whole (the kernel is to say what it says), are left.
 */
void plan_scratch(struct plan *p, struct task *t);

/* After the call: what was written goes to the guest's memory, and the scratch copies are forgotten. */
void plan_unscratch(struct plan *p, struct task *t, int64_t ret);

#endif
