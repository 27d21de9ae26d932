/*
 * Jump patches: a system call site, `X; syscall` with one instruction X of five bytes or more, whose X has become a jump to a
 * stub. The stub executes X and enters guestlib's code for switchless calls (guestlib/switchless.S), so the dear `syscall`
 * instruction is spared. It itself stays where it is: who comes to it another way, by a restart or a jump, finds it; and nobody
 * can stand inside X, as that is one instruction.
 *
 * Stubs are in memory of the VM's own at JUMP_BASE (vmm/layout.h). The program cannot know their contents, so these
 * may change at any stop: they enter guestlib, or go back to the program's own `syscall` ("direct"), as breakpoints and searches
 * for execution points need it. vcpu_run() returns no stop inside a stub: it is in front of X, at the `syscall`, or a system call.
 *
 * Which sites, and their bytes in the program's memory: syscall-emu/text_jump.h.
 */
#ifndef SANDREC_JUMP_H
#define SANDREC_JUMP_H

#include "vmm/layout.h"
#include "vmm/regs.h"
#include "vmm/vm.h"

#define JUMP_LEN 5      /* of jmp rel32 */
#define JUMP_X_MAX 8    /* of the instructions that are displaced */
#define JUMP_SLOT 32    /* bytes for a stub; its address is a multiple */
#define JUMP_SLOTS (JUMP_SIZE / JUMP_SLOT)

struct jump_site {
	uint64_t addr, stub;       /* of X and of its stub */
	uint8_t len;               /* of X; the `syscall` is right behind */
	uint8_t code[JUMP_X_MAX];  /* X */
};

/*
 * The X of a site, whose `syscall` is at end; avail bytes can be read before it. Bit k of starts: an instruction is known to start
 * k bytes before. Its length and a name for it; 0: of none of the shapes that are known.
 */
unsigned jump_shape(const uint8_t *end, size_t avail, uint16_t starts, const char **name);

/* Is that memory one of stubs, at all? */
bool jump_stub_ok(uint64_t stub);

/* What X becomes, s->len bytes. False: the stub is out of reach, or the site is none. */
bool jump_patch(const struct jump_site *s, uint8_t *out);

/* The stub's code: its length. For a site that jump_patch() accepts. */
unsigned jump_stub(const struct jump_site *s, bool direct, uint8_t out[JUMP_SLOT]);

/* What a place in a stub is for the program; *r becomes its registers, for all but JUMP_NOWHERE. */
enum jump_at {
	JUMP_NOWHERE, /* no such place */
	JUMP_BEFORE,  /* in front of X */
	JUMP_AFTER,   /* at the `syscall` */
	JUMP_CALLED   /* behind the `syscall`, which has put its return address and the flags into registers */
};
enum jump_at jump_explain(const struct jump_site *s, struct guest_regs *r);

/* ---- of a VM, while no vCPU of it runs ---- */

/* The first stub that is free, or 0: there are no more. */
uint64_t jump_free(const struct vm *vm);
/* Makes the stub, in place of any that is there: 0 or -ENOMEM. */
int jump_place(struct vm *vm, const struct jump_site *s);
void jump_remove(struct vm *vm, uint64_t stub);
/* All stubs are such from now on; at first they are direct. Not direct takes switchless_install(). */
void jump_direct(struct vm *vm, bool direct);

#endif
