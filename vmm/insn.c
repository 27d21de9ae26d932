/* Decoding for relocation, by capstone. Contract: insn.h. */
#include <errno.h>
#include <string.h>

#include "vmm/decoder.h"
#include "vmm/insn.h"

static bool in_group(const cs_insn *i, unsigned group)
{
	for (unsigned k = 0; k < i->detail->groups_count; k++)
		if (i->detail->groups[k] == group)
			return true;
	return false;
}

/* The opcode proper, behind the legacy prefixes and REX. */
static unsigned opcode_at(const cs_insn *i)
{
	unsigned at = 0;

	while (at + 1 < i->size && (strchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", i->bytes[at]) && i->bytes[at]))
		at++;
	if (at + 1 < i->size && (i->bytes[at] & 0xf0) == 0x40)
		at++;
	return at;
}

/*
 * x87 instructions leave their own address in the FPU's state, where signal frames show it. The others change what an
 * exit in the middle could not put right, or go where no displacement follows.
 */
static bool must_stay(const cs_insn *i)
{
	uint8_t op = i->bytes[opcode_at(i)];

	if (op >= 0xd8 && op <= 0xdf)
		return true;
	if (in_group(i, X86_GRP_INT) || in_group(i, X86_GRP_IRET) || in_group(i, X86_GRP_PRIVILEGE))
		return i->id != X86_INS_SYSCALL;
	switch (i->id) {
	case X86_INS_XBEGIN:
	case X86_INS_XABORT:
	case X86_INS_XEND:
	case X86_INS_POPF:
	case X86_INS_POPFD:
	case X86_INS_POPFQ:
	case X86_INS_LCALL:
	case X86_INS_LJMP:
	case X86_INS_RETF:
	case X86_INS_RETFQ:
	case X86_INS_INT3:
	case X86_INS_INT1:
	case X86_INS_UD2:
	case X86_INS_UD2B:
	case X86_INS_HLT:
	case X86_INS_SYSENTER:
	case X86_INS_SYSEXIT:
	case X86_INS_SYSRET:
		return true;
	case X86_INS_MOV: /* to ss: it delays traps */
	case X86_INS_POP:
		return i->detail->x86.op_count && i->detail->x86.operands[0].type == X86_OP_REG &&
		       i->detail->x86.operands[0].reg == X86_REG_SS;
	}
	return false;
}

static bool repeated_string(const cs_insn *i)
{
	uint8_t op = i->bytes[opcode_at(i)], prefix = i->detail->x86.prefix[0];

	if (prefix != X86_PREFIX_REP && prefix != X86_PREFIX_REPNE)
		return false;
	return (op >= 0xa4 && op <= 0xa7) || (op >= 0xaa && op <= 0xaf);
}

/* False when an operand is relative to rip in a way that cannot be found in the bytes. */
static bool find_disp(const cs_insn *i, struct insn *out)
{
	const cs_x86 *x = &i->detail->x86;

	for (unsigned k = 0; k < x->op_count; k++) {
		const cs_x86_op *op = &x->operands[k];
		int32_t disp;

		if (op->type != X86_OP_MEM || (op->mem.base != X86_REG_RIP && op->mem.base != X86_REG_EIP))
			continue;
		if (op->mem.base == X86_REG_EIP || x->encoding.disp_size != 4 || x->encoding.disp_offset + 4 > i->size)
			return false;
		memcpy(&disp, i->bytes + x->encoding.disp_offset, 4);
		if (disp != op->mem.disp)
			return false;
		out->disp_at = x->encoding.disp_offset;
	}
	return true;
}

/* Jumps and calls whose destination is in the instruction. */
static int relative(const cs_insn *i, struct insn *out)
{
	const cs_x86 *x = &i->detail->x86;
	unsigned at = opcode_at(i);
	uint8_t op = i->bytes[at];

	/* An operand size prefix here means one thing on Intel and another on AMD. */
	if (memchr(i->bytes, 0x66, at) || x->op_count != 1 || x->operands[0].type != X86_OP_IMM)
		return 0;
	out->target = (uint64_t)x->operands[0].imm;
	if (op == 0xe8 || op == 0xe9 || op == 0xeb) {
		out->kind = op == 0xe8 ? INSN_CALL : INSN_JUMP;
	} else if ((op & 0xf0) == 0x70) {
		out->kind = INSN_BRANCH;
		out->cond = op & 15;
	} else if (op == 0x0f && (i->bytes[at + 1] & 0xf0) == 0x80) {
		out->kind = INSN_BRANCH;
		out->cond = i->bytes[at + 1] & 15;
	} else if (op >= 0xe0 && op <= 0xe3) {
		out->kind = INSN_LOOP;
	}
	return 0;
}

static bool uses_rsp(const cs_insn *i)
{
	const cs_x86_op *op = &i->detail->x86.operands[0];

	if (i->detail->x86.op_count != 1)
		return true;
	return op->type == X86_OP_REG ? op->reg == X86_REG_RSP : op->mem.base == X86_REG_RSP || op->mem.base == X86_REG_ESP;
}

static void classify(const cs_insn *i, struct insn *out)
{
	unsigned at = opcode_at(i);
	uint8_t op = i->bytes[at];

	if (must_stay(i) || !find_disp(i, out))
		return;
	out->string = repeated_string(i);
	out->ends = op == 0xe9 || op == 0xeb || op == 0xc2 || op == 0xc3 ||
		    (op == 0xff && at + 1 < i->size && (i->bytes[at + 1] >> 3 & 7) == 4);
	if (in_group(i, X86_GRP_BRANCH_RELATIVE)) {
		relative(i, out);
		return;
	}
	if (op == 0xff && at + 1 < i->size && (i->bytes[at + 1] >> 3 & 7) == 2) {
		if (uses_rsp(i))
			return;
		out->modrm_at = (uint8_t)(at + 1);
		out->kind = INSN_CALL_IND;
		return;
	}
	out->kind = INSN_PLAIN;
}

int insn_decode(const uint8_t *code, size_t avail, uint64_t addr, struct insn *out)
{
	const cs_insn *i = decoder_insn(code, avail < INSN_LEN_MAX ? avail : INSN_LEN_MAX, addr, true);

	memset(out, 0, sizeof(*out));
	if (!i)
		return -EINVAL;
	out->len = (uint8_t)i->size;
	classify(i, out);
	return 0;
}
