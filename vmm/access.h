/*
 * Does an instruction touch memory, and where? For who looks for places where another thread could see the difference
 * (record/walk.h). Any thread.
 */
#ifndef SANDREC_ACCESS_H
#define SANDREC_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/regs.h"

struct insn_access {
	uint8_t len;
	bool memory;            /* an explicit operand is in memory: reads and writes, no lea, nop or prefetch, not the stack's own */
	bool writes;            /* that operand */
	bool thread_local;      /* through fs or gs */
	bool jumps;             /* a jump or call to what the operand holds */
	int8_t base, index;     /* enum guest_reg; GREG_RIP: the address behind the instruction; -1: none */
	uint8_t scale;
	int64_t disp;
};

/* Decodes what stands at addr; code holds avail bytes of it. 0 or -EINVAL. */
int insn_access_decode(const uint8_t *code, size_t avail, uint64_t addr, struct insn_access *out);

/* The address that its operand in memory has, decoded at regs->rip. */
uint64_t insn_access_address(const struct insn_access *a, const struct guest_regs *regs);

#endif
