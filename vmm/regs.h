/*
 * The registers of a guest thread as user code sees them. Order is gdb's for x86-64 general registers, so that a
 * register set can be printed, compared, stored and shown to gdb by index.
 */
#ifndef SANDREC_REGS_H
#define SANDREC_REGS_H

#include <stdint.h>

enum guest_reg {
	GREG_RAX, GREG_RBX, GREG_RCX, GREG_RDX, GREG_RSI, GREG_RDI, GREG_RBP, GREG_RSP,
	GREG_R8, GREG_R9, GREG_R10, GREG_R11, GREG_R12, GREG_R13, GREG_R14, GREG_R15,
	GREG_RIP, GREG_RFLAGS, GREG_FS_BASE, GREG_GS_BASE,
	GUEST_NREGS
};

struct guest_regs {
	union {
		uint64_t r[GUEST_NREGS];
		struct {
			uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp;
			uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
			uint64_t rip, rflags, fs_base, gs_base;
		};
	};
};

extern const char *const guest_reg_name[GUEST_NREGS]; /* "rax", ... */

#endif
