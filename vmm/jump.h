/*
 * Jump patches: a system call site, `X; ...; syscall`, where one instruction X of five bytes or more has become a jump to a
 * stub. The stub executes X and what stands between, and enters guestlib's code for switchless calls (guestlib/switchless.S), so
 * the dear `syscall` instruction is spared. Nothing but X is changed: who comes to another place, by a restart or a jump, finds
 * what was there; and nobody can stand inside X, as that is one instruction.
 *
 * Stubs are in memory of the VM's own at JUMP_BASE (vmm/layout.h). The program cannot know their contents, so these
 * may change at any stop: they enter guestlib, or go back to the program's own `syscall` ("direct"), as breakpoints and searches
 * for execution points need it. vcpu_run() returns no stop inside a stub: it is in front of X, at the `syscall`, or a system call.
 *
 * Code that is farther away (executables that are not near the libraries) takes a step between: X becomes a jump to a *pad*, some
 * bytes of the program's own memory close by that belong to nobody. X is done there, and a jump by an address in memory leads to
 * the stub, which has the rest. The program may see a pad, so it never changes.
 *
 * Which sites, and their bytes in the program's memory: syscall-emu/text_jump.h.
 */
#ifndef SANDREC_JUMP_H
#define SANDREC_JUMP_H

#include "vmm/insn.h"
#include "vmm/layout.h"
#include "vmm/regs.h"
#include "vmm/vm.h"

#define JUMP_LEN 5       /* of jmp rel32 */
#define JUMP_X_MAX 14    /* bytes from X to the `syscall` */
#define JUMP_INSNS 5     /* and instructions */
#define JUMP_SLOT 64     /* bytes for a stub; its address is a multiple */
#define JUMP_SLOTS (JUMP_SIZE / JUMP_SLOT)

struct jump_site {
	uint64_t addr, stub;       /* of X and of its stub */
	uint64_t pad;              /* not 0: X is out of the stub's reach, and done here in the program's memory */
	uint8_t len;               /* from X to the `syscall` */
	uint8_t code[JUMP_X_MAX];  /* what stands there */
	/* Filled by jump_decode(). */
	uint8_t n, off[JUMP_INSNS + 1]; /* X is insn[0]; off[n] == len */
	struct insn insn[JUMP_INSNS];
};

/* From addr, len and code. False: not what a jump can replace. */
bool jump_decode(struct jump_site *s);

/*
 * The site whose `syscall` is at call: the shortest one. end points to that in a copy, of which avail bytes come before it. Bit k of
 * starts: an instruction is known to start k bytes before (vmm/text_scan.h); all of those from X on, and no others, must be
 * known; JUMP_ANY: whatever is possible. Fills all of s but the stub. False: there is none.
 */
#define JUMP_ANY UINT16_MAX
bool jump_find(struct jump_site *s, uint64_t call, const uint8_t *end, size_t avail, uint16_t starts);

/* Is that memory one of stubs, at all? */
bool jump_stub_ok(uint64_t stub);

/* What X becomes, s->insn[0].len bytes. False: stub or pad are out of reach, or what the code refers to is from there. */
bool jump_patch(const struct jump_site *s, uint8_t *out);

/* The bytes of the pad: how many. */
#define JUMP_PAD_MAX 32
#define JUMP_PAD_ALIGN 8
unsigned jump_pad(const struct jump_site *s, uint8_t out[JUMP_PAD_MAX]);

/*
 * The stub's code: its length. For a site that jump_patch() accepts. at: where in it the instructions are that are executed there,
 * and what comes behind them: all when it enters guestlib, X alone when it is direct; without X, whose place is unused then, where
 * there is a pad.
 */
unsigned jump_stub(const struct jump_site *s, bool direct, uint8_t out[JUMP_SLOT], uint8_t at[JUMP_INSNS + 1]);

/* What a place in a stub is for the program; *r becomes its registers, for all but JUMP_NOWHERE. */
enum jump_at {
	JUMP_NOWHERE, /* no such place */
	JUMP_BEFORE,  /* in front of X */
	JUMP_AFTER,   /* at an instruction behind it, or the `syscall` */
	JUMP_CALLED   /* behind the `syscall`, which has put its return address and the flags into registers */
};
enum jump_at jump_explain(const struct jump_site *s, bool direct, struct guest_regs *r);

/* ---- of a VM, while no vCPU of it runs ---- */

/* The first stub that is free, or 0: there are no more. */
uint64_t jump_free(const struct vm *vm);
/* Makes the stub, in place of any that is there: 0 or -ENOMEM. */
int jump_place(struct vm *vm, const struct jump_site *s);
void jump_remove(struct vm *vm, uint64_t stub);
/* All stubs are such from now on; at first they are direct. Not direct takes switchless_install(). */
void jump_direct(struct vm *vm, bool direct);

#endif
