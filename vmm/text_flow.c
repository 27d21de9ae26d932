/* Decoding with capstone. Contract: text_flow.h. Source: Intel SDM vol. 2, 2.1 and appendix A (opcode maps). */
#include <string.h>

#include "vmm/decoder.h"
#include "vmm/text_flow.h"

static const cs_insn *decode(const uint8_t *code, size_t len, bool detail)
{
	return decoder_insn(code, len, 0, detail);
}

bool text_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67: case 0xf0: case 0xf2:
	case 0xf3:
		return true;
	}
	return (byte & 0xf0) == 0x40;
}

static unsigned opcode_at(const uint8_t *b, unsigned len)
{
	unsigned at = 0;

	while (at + 1 < len && text_prefix(b[at]))
		at++;
	return at;
}

/* Displacements of jumps are the last bytes of the instruction. */
static void jump(struct text_insn *i, enum text_next next, uint64_t at, const uint8_t *b, unsigned size)
{
	int32_t disp = (int8_t)b[i->len - 1];

	if (size == 4)
		memcpy(&disp, b + i->len - 4, 4);
	i->next = next;
	i->target = at + i->len + (uint64_t)(int64_t)disp;
}

static void find_next(struct text_insn *i, uint64_t at, const uint8_t *b)
{
	unsigned k = opcode_at(b, i->len);
	uint8_t op = b[k], second = k + 1 < i->len ? b[k + 1] : 0;

	i->next = NEXT_FALLS;
	if ((op & 0xf0) == 0x70 || (op & 0xfc) == 0xe0)
		jump(i, NEXT_BRANCH, at, b, 1);
	else if (op == 0x0f && (second & 0xf0) == 0x80)
		jump(i, NEXT_BRANCH, at, b, 4);
	else if (op == 0xeb)
		jump(i, NEXT_JUMPS, at, b, 1);
	else if (op == 0xe9)
		jump(i, NEXT_JUMPS, at, b, 4);
	else if (op == 0xc7 && second == 0xf8) /* xbegin: its fallback path */
		jump(i, NEXT_BRANCH, at, b, 4);
	else if (op == 0xff && (second >> 3 & 7) >= 4 && (second >> 3 & 7) <= 5)
		i->next = NEXT_ENDS;
	else if (op == 0x0f && (second == 0x0b || second == 0xb9 || second == 0xff))
		i->next = NEXT_ENDS;
	else if (op == 0xc2 || op == 0xc3 || op == 0xca || op == 0xcb || op == 0xcc || op == 0xcf || op == 0xf4)
		i->next = NEXT_ENDS;
	/* An operand size prefix on a jump means one thing on Intel and another on AMD. */
	if (i->next != NEXT_FALLS && i->next != NEXT_ENDS && memchr(b, 0x66, k))
		i->next = NEXT_ENDS;
}

bool text_insn(const uint8_t *code, size_t len, uint64_t at, struct text_insn *out)
{
	const cs_insn *i = at < len ? decode(code + at, len - at < 15 ? len - at : 15, false) : NULL;

	if (!i)
		return false;
	out->len = (uint8_t)i->size;
	out->target = 0;
	find_next(out, at, code + at);
	return true;
}

/* Opcodes of the one-byte map: 8-bit arithmetic into memory by zeros, strings, x87, ports, flags, far transfers... */
static bool odd_opcode(uint8_t op)
{
	switch (op) {
	case 0x00: case 0x02: case 0x06: case 0x07: case 0x0e: case 0x10: case 0x12: case 0x14: case 0x16: case 0x17:
	case 0x1c: case 0x1e: case 0x1f: case 0x27: case 0x2f: case 0x37: case 0x3f:
	case 0x60: case 0x61: case 0x6c: case 0x6d: case 0x6e: case 0x6f:
	case 0x8c: case 0x8e: case 0x9a: case 0x9b: case 0x9c: case 0x9d: case 0x9e: case 0x9f:
	case 0xa0: case 0xa1: case 0xa2: case 0xa3: case 0xa6: case 0xa7: case 0xac: case 0xad: case 0xae: case 0xaf:
	case 0xc8: case 0xca: case 0xcb: case 0xcd: case 0xce: case 0xcf:
	case 0xf1: case 0xf4: case 0xf5: case 0xfa: case 0xfb: case 0xfd:
		return true;
	}
	return (op >= 0xd4 && op <= 0xe7) || (op >= 0xea && op <= 0xef && op != 0xeb);
}

static bool odd_two(uint8_t op, uint8_t modrm)
{
	switch (op) {
	case 0x01:
		return modrm != 0xd0 && modrm != 0xf9; /* xgetbv, rdtscp */
	case 0x00: case 0x02: case 0x03: case 0x06: case 0x07: case 0x08: case 0x09: case 0x20: case 0x21: case 0x22:
	case 0x23: case 0x30: case 0x32: case 0x33: case 0x34: case 0x35: case 0x37: case 0xa0: case 0xa1: case 0xa8:
	case 0xa9: case 0xaa: case 0xb2: case 0xb4: case 0xb5: case 0xb9: case 0xff:
		return true;
	}
	return false;
}

bool text_odd(const uint8_t *insn, unsigned len)
{
	unsigned k = opcode_at(insn, len);
	uint8_t op = insn[k];

	if (memchr(insn, 0x26, k) || memchr(insn, 0x36, k))
		return true;
	/* Of these, padding and `notrack jmp` are full. */
	if (memchr(insn, 0x2e, k) || memchr(insn, 0x3e, k) || memchr(insn, 0x67, k))
		return op != 0x90 && op != 0xff && !(op == 0x0f && k + 1 < len && insn[k + 1] == 0x1f);
	if (op == 0x0f)
		return k + 1 < len && odd_two(insn[k + 1], k + 2 < len ? insn[k + 2] : 0);
	return odd_opcode(op);
}

static unsigned bit_of(unsigned reg)
{
	switch (reg) {
	case X86_REG_AL: case X86_REG_AH: case X86_REG_AX: case X86_REG_EAX: case X86_REG_RAX:
		return TEXT_EAX;
	case X86_REG_BL: case X86_REG_BH: case X86_REG_BX: case X86_REG_EBX: case X86_REG_RBX:
		return TEXT_EBX;
	case X86_REG_CL: case X86_REG_CH: case X86_REG_CX: case X86_REG_ECX: case X86_REG_RCX:
		return TEXT_ECX;
	case X86_REG_DL: case X86_REG_DH: case X86_REG_DX: case X86_REG_EDX: case X86_REG_RDX:
		return TEXT_EDX;
	}
	return 0;
}

/* xor or sub of a register with itself: what was in it does not matter. */
static bool clears(const cs_insn *i)
{
	unsigned k = opcode_at(i->bytes, i->size);
	uint8_t op = i->bytes[k], modrm = k + 1 < i->size ? i->bytes[k + 1] : 0;

	return (op == 0x31 || op == 0x33 || op == 0x29 || op == 0x2b) && modrm >= 0xc0 && (modrm >> 3 & 7) == (modrm & 7);
}

bool text_access(const uint8_t *insn, size_t len, struct text_access *out)
{
	const cs_insn *i = decode(insn, len, true);
	uint8_t nr, nw;
	cs_regs r, w;

	*out = (struct text_access){ 0 };
	if (!i || cs_regs_access(decoder_handle(true), i, r, &nr, w, &nw) != CS_ERR_OK)
		return false;
	for (unsigned k = 0; k < nr && !clears(i); k++)
		out->reads |= bit_of(r[k]);
	for (unsigned k = 0; k < nw; k++)
		out->writes |= bit_of(w[k]);
	return true;
}
