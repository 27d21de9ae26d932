/*
 * One instruction of a program's text, as far as following code and judging it need: how long, what comes after it,
 * what it does with a few registers. Any thread.
 */
#ifndef SANDREC_TEXT_FLOW_H
#define SANDREC_TEXT_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum text_next {
	NEXT_FALLS,  /* the instruction behind it: plain ones, calls */
	NEXT_JUMPS,  /* target only */
	NEXT_BRANCH, /* both */
	NEXT_ENDS    /* return, indirect jump, trap */
};

struct text_insn {
	uint8_t len, next;
	uint64_t target; /* offset into the code; may lie outside */
};

/* What stands at offset at. False: no instruction, or one the decoder does not know. */
bool text_insn(const uint8_t *code, size_t len, uint64_t at, struct text_insn *out);

/* Legacy prefix or REX? */
bool text_prefix(uint8_t byte);

/* Is it one that compilers do not produce, at least not near cpuid? For bytes that text_insn() accepts. */
bool text_odd(const uint8_t *insn, unsigned len);

/* Bits of registers, whatever part of them. */
#define TEXT_EAX 1u
#define TEXT_EBX 2u
#define TEXT_ECX 4u
#define TEXT_EDX 8u

struct text_access {
	unsigned reads, writes;
};
bool text_access(const uint8_t *insn, size_t len, struct text_access *out);

#endif
