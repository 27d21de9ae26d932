/*
 * One user instruction of a vCPU by RFLAGS.TF, invisible to the program: what it pushes or saves of its flags is put
 * right. Nothing may be armed meanwhile (branches.h, landmark.h).
 */
#ifndef SANDREC_STEP_H
#define SANDREC_STEP_H

#include "vmm/vcpu.h"

/*
 * 1: one instruction has run (a repeated string instruction whole), *branch says whether it was a conditional branch.
 * 0: something else happened first or instead, which is in exit as vcpu_run() leaves it; so it is at every instruction
 * while the program itself has TF set. Or vcpu_run()'s negative errno.
 */
int vcpu_step(struct vcpu *v, struct vcpu_exit *exit, bool *branch);

#endif
