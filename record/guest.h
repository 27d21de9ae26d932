/*
 * The guest process's own start: from a request to the first user instruction. Runs in the process that becomes the guest.
 */
#ifndef SANDREC_GUEST_H
#define SANDREC_GUEST_H

#include "record/run.h"
#include "syscall-emu/loader.h"

/*
 * Makes the process, loads the program and takes over signals. kvm and cpu must outlive the task. x is filled and stays
 * the caller's. Negative errno with a line in why; res->start_error is set when the program itself is at fault.
 */
int guest_start(struct session *s, const struct run_request *q, const struct kvm_host *kvm,
		const struct cpu_table *cpu, struct exec_params *x, struct task **out, struct run_result *res);

#endif
