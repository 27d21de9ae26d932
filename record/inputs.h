/*
 * What a system call reads, kept for the log: whole strings, the head of everything else (a longer one of objects). Taken before the call (which
 * may change or unmap it). `sandrec dump` prints it and replay compares it.
 */
#ifndef SANDREC_INPUTS_H
#define SANDREC_INPUTS_H

#include "syscall-emu/plan.h"

#define INPUT_HEAD 64u     /* bytes kept of a buffer */
#define INPUT_OBJECT 256u  /* and of an object whose content says what the call is */
#define INPUT_PIECES 64u
#define INPUT_BYTES 16384u

struct inputs {
	unsigned n, used;
	struct { uint64_t addr; uint32_t len, at; } piece[INPUT_PIECES];
	unsigned char bytes[INPUT_BYTES];
};

void inputs_take(struct inputs *in, const struct plan *p);

#endif
