/* Checker and interpreter of seccomp's classic BPF. Contract: seccomp_bpf.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/seccomp_bpf.h"

#define ALL_WORDS ((1u << BPF_MEMWORDS) - 1)
#define SHIFT_MASK 31 /* what x86 and the kernel's interpreter make of a larger count in X */

/* ---- what is accepted ---- */

static bool is_jump_if(uint16_t code)
{
	switch (code) {
	case BPF_JMP | BPF_JEQ | BPF_K:
	case BPF_JMP | BPF_JEQ | BPF_X:
	case BPF_JMP | BPF_JGE | BPF_K:
	case BPF_JMP | BPF_JGE | BPF_X:
	case BPF_JMP | BPF_JGT | BPF_K:
	case BPF_JMP | BPF_JGT | BPF_X:
	case BPF_JMP | BPF_JSET | BPF_K:
	case BPF_JMP | BPF_JSET | BPF_X:
		return true;
	}
	return false;
}

static bool is_arithmetic(uint16_t code)
{
	switch (code & ~BPF_X) {
	case BPF_ALU | BPF_ADD:
	case BPF_ALU | BPF_SUB:
	case BPF_ALU | BPF_MUL:
	case BPF_ALU | BPF_DIV:
	case BPF_ALU | BPF_AND:
	case BPF_ALU | BPF_OR:
	case BPF_ALU | BPF_XOR:
	case BPF_ALU | BPF_LSH:
	case BPF_ALU | BPF_RSH:
		return true;
	}
	return code == (BPF_ALU | BPF_NEG);
}

static bool operand_ok(const struct sock_filter *i)
{
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		return i->k < sizeof(struct seccomp_data) && !(i->k & 3);
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
		return i->k < BPF_MEMWORDS;
	case BPF_ALU | BPF_DIV | BPF_K:
		return i->k != 0;
	case BPF_ALU | BPF_LSH | BPF_K:
	case BPF_ALU | BPF_RSH | BPF_K:
		return i->k < 32;
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
		return true;
	}
	return is_arithmetic(i->code);
}

/* Targets stay inside; they are all ahead, so that every program ends. left: instructions behind this one. */
static bool instruction_ok(const struct sock_filter *i, unsigned left)
{
	if (i->code == (BPF_JMP | BPF_JA))
		return i->k < left;
	if (is_jump_if(i->code))
		return i->jt < left && i->jf < left;
	return operand_ok(i);
}

/* No word of M[] is read on a path that has not written it. */
static bool memory_ok(const struct sock_filter *f, unsigned len)
{
	uint16_t reach[BPF_MAXINSNS], valid = 0;

	memset(reach, 0xff, len * sizeof(*reach));
	for (unsigned pc = 0; pc < len; pc++) {
		const struct sock_filter *i = &f[pc];

		valid &= reach[pc];
		if (i->code == BPF_ST || i->code == BPF_STX)
			valid |= (uint16_t)(1u << i->k);
		else if ((i->code == (BPF_LD | BPF_MEM) || i->code == (BPF_LDX | BPF_MEM)) && !(valid & 1u << i->k))
			return false;
		else if (i->code == (BPF_JMP | BPF_JA)) {
			reach[pc + 1 + i->k] &= valid;
			valid = ALL_WORDS;
		} else if (is_jump_if(i->code)) {
			reach[pc + 1 + i->jt] &= valid;
			reach[pc + 1 + i->jf] &= valid;
			valid = ALL_WORDS;
		}
	}
	return true;
}

int seccomp_bpf_check(const struct sock_filter *f, unsigned len)
{
	uint16_t last;

	if (!len || len > BPF_MAXINSNS)
		return -EINVAL;
	for (unsigned pc = 0; pc < len; pc++)
		if (!instruction_ok(&f[pc], len - pc - 1))
			return -EINVAL;
	last = f[len - 1].code;
	if (last != (BPF_RET | BPF_K) && last != (BPF_RET | BPF_A))
		return -EINVAL;
	return memory_ok(f, len) ? 0 : -EINVAL;
}

/* ---- what it says ---- */

static uint32_t load(const struct seccomp_data *d, uint32_t k)
{
	uint32_t v;

	memcpy(&v, (const char *)d + k, sizeof(v));
	return v;
}

/* A division by zero ends the program with 0; that is the caller's. */
static uint32_t arithmetic(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return a / b;
	case BPF_AND:
		return a & b;
	case BPF_OR:
		return a | b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << (b & SHIFT_MASK);
	case BPF_RSH:
		return a >> (b & SHIFT_MASK);
	default: /* BPF_NEG */
		return -a;
	}
}

static bool condition(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	default: /* BPF_JSET */
		return a & b;
	}
}

struct machine { uint32_t a, x, mem[BPF_MEMWORDS]; };

/* Loads, stores and moves: what neither jumps nor computes. */
static void move(struct machine *m, const struct sock_filter *i, const struct seccomp_data *d)
{
	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		m->a = load(d, i->k);
		break;
	case BPF_LD | BPF_W | BPF_LEN:
		m->a = sizeof(*d);
		break;
	case BPF_LDX | BPF_W | BPF_LEN:
		m->x = sizeof(*d);
		break;
	case BPF_LD | BPF_IMM:
		m->a = i->k;
		break;
	case BPF_LDX | BPF_IMM:
		m->x = i->k;
		break;
	case BPF_LD | BPF_MEM:
		m->a = m->mem[i->k];
		break;
	case BPF_LDX | BPF_MEM:
		m->x = m->mem[i->k];
		break;
	case BPF_ST:
		m->mem[i->k] = m->a;
		break;
	case BPF_STX:
		m->mem[i->k] = m->x;
		break;
	case BPF_MISC | BPF_TAX:
		m->x = m->a;
		break;
	case BPF_MISC | BPF_TXA:
		m->a = m->x;
		break;
	}
}

uint32_t seccomp_bpf_run(const struct sock_filter *f, unsigned len, const struct seccomp_data *d)
{
	struct machine m = { 0 };

	for (unsigned pc = 0; pc < len; pc++) {
		const struct sock_filter *i = &f[pc];
		uint32_t operand = BPF_SRC(i->code) == BPF_X ? m.x : i->k;

		switch (BPF_CLASS(i->code)) {
		case BPF_RET:
			return BPF_RVAL(i->code) == BPF_A ? m.a : i->k;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA)
				pc += i->k;
			else
				pc += condition(BPF_OP(i->code), m.a, operand) ? i->jt : i->jf;
			break;
		case BPF_ALU:
			if (BPF_OP(i->code) == BPF_DIV && !operand)
				return 0;
			m.a = arithmetic(BPF_OP(i->code), m.a, operand);
			break;
		default:
			move(&m, i, d);
		}
	}
	fprintf(stderr, "sandrec: internal error: a system call filter of %u instructions has no end\n", len);
	abort();
}

/* ---- how long it is ---- */

#define TRANSLATED_START 3 /* clears A and X, takes the context */

static unsigned translated_jump(const struct sock_filter *i)
{
	/* An immediate operand with the sign bit set goes through a register. */
	unsigned n = BPF_SRC(i->code) == BPF_K && i->k >> 31 ? 1 : 0;

	if (!i->jf || (!i->jt && BPF_OP(i->code) != BPF_JSET))
		return n + 1;
	return n + 2;
}

unsigned seccomp_bpf_translated(const struct sock_filter *f, unsigned len)
{
	unsigned n = TRANSLATED_START;

	for (unsigned pc = 0; pc < len; pc++) {
		const struct sock_filter *i = &f[pc];

		if (is_jump_if(i->code))
			n += translated_jump(i);
		else if (i->code == (BPF_ALU | BPF_DIV | BPF_X))
			n += 5; /* tests for zero */
		else
			n += i->code == (BPF_RET | BPF_K) ? 2 : 1;
	}
	return n;
}
