/*
 * One instruction, as far as moving it elsewhere needs: how long it is, how it may be executed at another address, and
 * which of its bytes depend on where it stands. Any thread.
 */
#ifndef SANDREC_INSN_H
#define SANDREC_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_LEN_MAX 15

enum insn_kind {
	INSN_FIXED,    /* cannot be executed elsewhere, or nothing is known about it */
	INSN_PLAIN,    /* the same bytes do, with rip-relative operands corrected */
	INSN_JUMP,     /* jmp to target */
	INSN_BRANCH,   /* jcc to target; cond is the condition's number */
	INSN_LOOP,     /* loop, loope, loopne, jrcxz, jecxz to target: reach is one byte only */
	INSN_CALL,     /* call of target */
	INSN_CALL_IND  /* call through a register or memory */
};

struct insn {
	uint8_t len;
	uint8_t kind;
	uint8_t cond;
	uint8_t disp_at;   /* offset of a rip-relative 32-bit displacement, 0: none */
	uint8_t modrm_at;  /* of INSN_CALL_IND */
	bool ends;         /* jmp or ret: what follows is entered from elsewhere or not at all */
	bool string;       /* string instruction with a repeat prefix: an interrupt finds it half done */
	uint64_t target;
};

/* Decodes what stands at addr; code holds avail bytes of it. 0, or -EINVAL when that is no whole instruction we know. */
int insn_decode(const uint8_t *code, size_t avail, uint64_t addr, struct insn *out);

#endif
