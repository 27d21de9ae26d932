/* The set of replaced bytes, for the two files that work on it: text_patch.c and text_patch_scan.c. */
#ifndef SANDREC_TEXT_PATCH_INT_H
#define SANDREC_TEXT_PATCH_INT_H

#include "syscall-emu/mm_int.h"
#include "syscall-emu/text_answer.h"
#include "syscall-emu/text_cache.h"
#include "syscall-emu/text_patch.h"

#define PATCH_MAX TEXT_ANSWER_MAX

/* Beside the kinds of replaced instructions: */
enum { PATCH_JUMP = TEXT_KINDS, PATCH_STUB, PATCH_CALL /* text_jump.h: its stub is the VM's */, PATCH_PAD };

#define PATCH_CALL_INSN 2 /* bytes of the `syscall` of a PATCH_CALL, which stays */

struct patch {
	uint64_t addr;
	uint64_t stub;        /* of a PATCH_JUMP or PATCH_CALL: where it goes */
	uint64_t pad;         /* of a PATCH_CALL: by way of this PATCH_PAD; 0: of none */
	uint8_t len, kind;
	uint8_t site_len;     /* of a PATCH_CALL: up to the `syscall`; so much of `was` counts */
	uint8_t was[PATCH_MAX], is[PATCH_MAX];
};

struct text_patches {
	struct patch *p; /* ascending */
	size_t n, cap;
	struct text_cache cache;
};

/* The address space's set, made now if there is none; NULL: no memory. */
struct text_patches *text_patches_of(struct mm *mm);
/* Index of the first patch at or above addr. */
size_t patch_at(const struct text_patches *t, uint64_t addr);
/* The first address in [from, to) behind all stubs and pads. */
uint64_t patch_room(const struct text_patches *t, uint64_t from, uint64_t to);
/* Adds a copy, or replaces the one at its place: 0 or -ENOMEM. */
int patch_put(struct text_patches *t, const struct patch *p);

#endif
