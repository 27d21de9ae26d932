/*
 * Conditional breakpoints that decide inside the guest: machine code that compares registers and memory words with
 * wanted values and traps only when all agree. Nothing but memory of its own is changed, the flags included.
 *
 * The site, where a 5-byte jump is written, may cover several instructions. A jump into their middle (from elsewhere)
 * must not run the jump's own bytes: its displacement is chosen so that each covered instruction begins with a byte that
 * traps in user mode, and that trap goes on in the displaced copy. So any place in straight code can carry one, in a loop
 * of short instructions too. Where no such displacement exists the site has only such a byte, and every pass leaves the guest.
 *
 * This file makes and explains code; who maps it and writes the site is syscall-emu/landmark.c.
 */
#ifndef SANDREC_TRAMPOLINE_H
#define SANDREC_TRAMPOLINE_H

#include "vmm/insn.h"
#include "vmm/layout.h"
#include "vmm/regs.h"

#define TRAMP_JUMP_LEN 5
#define TRAMP_TRAP 0x06 /* push %es: #UD in 64-bit mode */
#define TRAMP_SITE_MAX (TRAMP_JUMP_LEN - 1 + INSN_LEN_MAX)
#define TRAMP_PIECES 24
#define TRAMP_WORDS 16
#define TRAMP_CODE_PAGES 2
#define TRAMP_PAGES (TRAMP_CODE_PAGES + 1) /* the last one holds what the code saves */
#define TRAMP_CODE_MAX 3072

/* An address below TRAMP_LANES is half n % 2 of XMM register n / 2. */
#define TRAMP_LANES 32
struct tramp_word {
	uint64_t addr, value;
};

struct tramp_cond {
	bool always;                 /* every pass is a hit */
	bool never;                  /* none is, but the counted one */
	uint64_t count;              /* passes are counted down from here, the one that makes it 0 is a hit; 0: not counted */
	struct guest_regs regs;      /* the 16 general ones count */
	uint32_t first;              /* bit n: compare register n first, it is the likeliest to differ */
	unsigned nwords;
	struct tramp_word word[TRAMP_WORDS];
};

struct tramp {
	uint64_t addr;               /* of the site */
	unsigned len;                /* bytes of the instructions displaced */
	unsigned n;                  /* how many */
	struct insn insn[TRAMP_JUMP_LEN];
	uint8_t off[TRAMP_JUMP_LEN];
	uint8_t code[TRAMP_SITE_MAX]; /* what stood there */
	uint8_t patch[TRAMP_JUMP_LEN];
	unsigned patch_len;
	bool crossed;                /* something inside is likely to be jumped to, which leaves the guest each time */

	/* Filled by tramp_generate(). */
	uint64_t base;               /* where its code starts */
	unsigned size, hit, copies;  /* offsets, these and the next */
	unsigned count_hit;          /* 0: nothing is counted */
	unsigned rcx_saved, rax_saved, rax_loaded; /* behind the instructions that do so; 0: never */
	uint16_t copy_at[TRAMP_JUMP_LEN];
	unsigned npieces;
	struct tramp_piece { uint16_t at; uint8_t off; int8_t rsp; uint64_t to; } piece[TRAMP_PIECES];
};

/*
 * Looks at the code at addr. 0: t says which instructions a jump would cover, or the first one only when patch_len is
 * 1; -EOPNOTSUPP when the first instruction cannot be executed elsewhere.
 */
int tramp_survey(struct tramp *t, uint64_t addr, const uint8_t *code, size_t avail);

/*
 * Addresses where the code could go, nearest first: i counts from 0. False when there are no more. The caller looks
 * whether TRAMP_PAGES pages from the one that holds *base are free.
 */
bool tramp_candidate(const struct tramp *t, unsigned i, uint64_t *base);

/*
 * Writes the code for base into buf (TRAMP_CODE_MAX bytes) and fills t->patch; its data is in the page
 * tramp_data(base). -ERANGE when something is out of reach from there.
 */
int tramp_generate(struct tramp *t, uint64_t base, const struct tramp_cond *c, uint8_t *buf);
static inline uint64_t tramp_data(uint64_t base) { return (base & ~(PAGE_SIZE_4K - 1)) + TRAMP_CODE_PAGES * PAGE_SIZE_4K; }

/* Registers saved there. */
struct tramp_saved {
	uint64_t rcx, rax;
	uint64_t left;               /* of the count: set by who places it */
};

/*
 * The guest stopped with rip in the trampoline's pages: makes *r the state as the program has it, as if the site had
 * not been changed. False when rip is nowhere the code can stand (nothing changed then).
 */
bool tramp_translate(const struct tramp *t, const struct tramp_saved *s, struct guest_regs *r);
/* Where to go on for an original address inside the site: the displaced copy, or addr itself elsewhere. */
uint64_t tramp_resume(const struct tramp *t, uint64_t addr);
/*
 * Covered instructions that cannot be executed elsewhere have a trap as their copy. If rip is one, the address of the
 * original, which has to be executed there with the site restored; else 0.
 */
uint64_t tramp_fixed(const struct tramp *t, uint64_t rip);
/* Is addr the start of a covered instruction that is not the first? */
bool tramp_inner(const struct tramp *t, uint64_t addr);

#endif
