/*
 * The branch clock of a vCPU: conditional branches that its user code has retired, counted by the guest's performance
 * counter 0, and stops at exact counts. Works where the host's counter was proven (vmm/pmu_proof.h); everywhere else all
 * calls say -EOPNOTSUPP. Threads may run several vCPUs, and vCPUs may come to other threads.
 *
 * The count is 0 before the first instruction. It does not notice stops, stubs, single steps or anything else but user
 * code, so two runs of the same code have the same count at the same place. A count names a place in a run: the state
 * behind its last branch.
 */
#ifndef SANDREC_BRANCHES_H
#define SANDREC_BRANCHES_H

#include "vmm/vcpu.h"

/* Can this vCPU count, and is the count that of its program alone? */
bool vcpu_branches_usable(const struct vcpu *v);

/* The count now, at a stop. -EIO: the counter was seen to be wrong (something else on this host uses it). */
int vcpu_branches_read(struct vcpu *v, uint64_t *count);

/* From here on the count starts at 0 again. Disarms. */
int vcpu_branches_reset(struct vcpu *v);

/* The vCPU is about to run code that is not the program's: it is not usable until the next reset. */
void vcpu_branches_spoil(struct vcpu *v);

/*
 * From now on vcpu_run() stops with VCPU_BRANCHES when the count is target, right behind that branch, before any other
 * instruction: at once, when it is already. Other stops come as usual and leave it armed; VCPU_BRANCHES disarms. When
 * the interrupt came later than any seen before, the stop is beyond target: vcpu_branches_read() tells.
 */
int vcpu_branches_arm(struct vcpu *v, uint64_t target);
void vcpu_branches_disarm(struct vcpu *v);
bool vcpu_branches_armed(const struct vcpu *v);
uint64_t vcpu_branches_steps(const struct vcpu *v); /* instructions that were stepped since it was armed */

/*
 * Another process uses the vCPU while this one's thread sleeps (vfork): what it runs there is not counted, and to it
 * the vCPU cannot count. To be called before and, with false, after.
 */
void vcpu_branches_lend(struct vcpu *v, bool lent);

#endif
