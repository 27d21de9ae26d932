/*
 * The registers as gdb numbers them, and the target description that says so. Source: "Debugging with GDB", appendix G
 * (Target Descriptions, i386 Features); SDM vol. 1, 10.5.1 and 13.4 for the XSAVE image.
 */
#ifndef SANDREC_STUB_REGS_H
#define SANDREC_STUB_REGS_H

#include "gdbstub/target.h"

#define STUB_REGS_MAX 176
#define STUB_REG_SIZE 32 /* of the largest */

struct stub_reg {
	char name[16];
	uint8_t size;        /* bytes */
	uint8_t feature, kind;
	uint16_t at;
	const char *type;
};

struct stub_regs {
	unsigned n;
	struct stub_reg reg[STUB_REGS_MAX];
};

/* The registers of a program with this extended state. */
void stub_regs_make(struct stub_regs *s, const struct debug_layout *l);

/* The target description, malloc'ed; NULL: no memory. */
char *stub_regs_xml(const struct stub_regs *s);

/* Register n as gdb wants it: its size, the bytes in buf. n must be below s->n. */
unsigned stub_reg_get(const struct stub_regs *s, unsigned n, const struct debug_regs *r, uint8_t buf[STUB_REG_SIZE]);
/* False: this one cannot be changed (to this value). */
bool stub_reg_set(const struct stub_regs *s, unsigned n, struct debug_regs *r, const uint8_t *buf);

#endif
