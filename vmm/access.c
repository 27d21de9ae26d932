/* Which memory an instruction touches. Contract: access.h. */
#include <errno.h>
#include <string.h>

#include "vmm/access.h"
#include "vmm/decoder.h"
#include "vmm/insn.h"

static int8_t reg_number(x86_reg reg)
{
	switch (reg) {
	case X86_REG_RAX: case X86_REG_EAX: return GREG_RAX;
	case X86_REG_RBX: case X86_REG_EBX: return GREG_RBX;
	case X86_REG_RCX: case X86_REG_ECX: return GREG_RCX;
	case X86_REG_RDX: case X86_REG_EDX: return GREG_RDX;
	case X86_REG_RSI: case X86_REG_ESI: return GREG_RSI;
	case X86_REG_RDI: case X86_REG_EDI: return GREG_RDI;
	case X86_REG_RBP: case X86_REG_EBP: return GREG_RBP;
	case X86_REG_RSP: case X86_REG_ESP: return GREG_RSP;
	case X86_REG_R8: case X86_REG_R8D: return GREG_R8;
	case X86_REG_R9: case X86_REG_R9D: return GREG_R9;
	case X86_REG_R10: case X86_REG_R10D: return GREG_R10;
	case X86_REG_R11: case X86_REG_R11D: return GREG_R11;
	case X86_REG_R12: case X86_REG_R12D: return GREG_R12;
	case X86_REG_R13: case X86_REG_R13D: return GREG_R13;
	case X86_REG_R14: case X86_REG_R14D: return GREG_R14;
	case X86_REG_R15: case X86_REG_R15D: return GREG_R15;
	case X86_REG_RIP: return GREG_RIP;
	default: return -1;
	}
}

/* Operands in memory that are not accessed. */
static bool only_address(const cs_insn *i)
{
	if (i->id == X86_INS_LEA || i->id == X86_INS_NOP)
		return true;
	return i->bytes[0] == 0x0f && (i->bytes[1] == 0x18 || i->bytes[1] == 0x0d || i->bytes[1] == 0x1e || i->bytes[1] == 0x1f);
}

/* capstone takes the operand of some of these for one that is only read. */
static bool is_atomic(const cs_insn *i)
{
	return i->detail->x86.prefix[0] == X86_PREFIX_LOCK || i->id == X86_INS_XCHG || i->id == X86_INS_CMPXCHG || i->id == X86_INS_XADD;
}

static void take_operand(const cs_x86_op *op, bool changes, struct insn_access *out)
{
	const x86_op_mem *m = &op->mem;

	out->memory = true;
	out->writes |= (op->access & CS_AC_WRITE) != 0 || changes;
	out->thread_local = m->segment == X86_REG_FS || m->segment == X86_REG_GS;
	out->base = reg_number(m->base);
	out->index = reg_number(m->index);
	out->scale = (uint8_t)m->scale;
	out->disp = m->disp;
}

int insn_access_decode(const uint8_t *code, size_t avail, uint64_t addr, struct insn_access *out)
{
	const cs_insn *i = decoder_insn(code, avail < INSN_LEN_MAX ? avail : INSN_LEN_MAX, addr, true);

	*out = (struct insn_access){ .base = -1, .index = -1 };
	if (!i)
		return -EINVAL;
	out->len = (uint8_t)i->size;
	out->jumps = i->id == X86_INS_CALL || i->id == X86_INS_JMP;
	if (only_address(i))
		return 0;
	for (unsigned k = 0; k < i->detail->x86.op_count; k++)
		if (i->detail->x86.operands[k].type == X86_OP_MEM)
			take_operand(&i->detail->x86.operands[k], is_atomic(i), out);
	return 0;
}

uint64_t insn_access_address(const struct insn_access *a, const struct guest_regs *regs)
{
	uint64_t at = (uint64_t)a->disp;

	if (a->base >= 0)
		at += regs->r[a->base] + (a->base == GREG_RIP ? a->len : 0);
	if (a->index >= 0)
		at += regs->r[a->index] * a->scale;
	return at;
}
