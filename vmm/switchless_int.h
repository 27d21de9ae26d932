/* What vcpu.c knows of switchless system calls. Nobody outside vmm/ includes this. */
#ifndef SANDREC_SWITCHLESS_INT_H
#define SANDREC_SWITCHLESS_INT_H

#include "vmm/switchless.h"
#include "vmm/vcpu_int.h"

/* Around every KVM_RUN. After leave the server is not at work. */
void switchless_enter(struct switchless *s);
void switchless_leave(struct switchless *s);

bool switchless_inside(const struct switchless *s, uint64_t rip);

/*
 * User code was stopped inside: *r becomes the program's registers. True: its call has been made and it goes on with them;
 * false: it has not, and they are those of VCPU_SYSCALL.
 */
bool switchless_resolve(struct switchless *s, struct guest_regs *r);

#endif
