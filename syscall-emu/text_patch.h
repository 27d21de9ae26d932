/*
 * Replacing instructions in the guest's text that would run without our knowing (vm_cpu()->patch says which): they become
 * ud2, and a cpuid is then answered from the guest's CPUID table; the others give #UD like on a CPU without them.
 *
 * Scanned is private memory that is executable and not writable, when it becomes so. It gets its own bytes back when it
 * becomes writable. Only the mapped bytes and the mapped file decide, so record and replay replace the same.
 */
#ifndef SANDREC_TEXT_PATCH_H
#define SANDREC_TEXT_PATCH_H

#include "syscall-emu/session.h"

struct text_patches; /* of one address space; in struct mm, so that fork copies it */

/* [start, end) has new content or permissions. fd: the file that start maps at `offset`, or -1 if that is not at hand. */
void text_patch_scan(struct mm *mm, uint64_t start, uint64_t end, int fd, uint64_t offset);

/* The range has become writable: puts the program's own bytes back. */
void text_patch_undo(struct mm *mm, uint64_t start, uint64_t end);

/* Bytes are about to be written there all the same, by who may: a system call site among them is no jump any more. */
void text_patch_written(struct mm *mm, uint64_t addr, uint64_t len);

/* Private memory in the range has its first content again (the file's, or zeros). */
void text_patch_again(struct mm *mm, uint64_t start, uint64_t end);

/* The range's content is gone, or has moved by shift with what was replaced in it. */
void text_patch_forget(struct mm *mm, uint64_t start, uint64_t end);
void text_patch_moved(struct mm *mm, uint64_t start, uint64_t end, int64_t shift);

void text_patch_free(struct mm *mm);

/* A copy of memory at addr: puts back the program's own bytes where it has others. */
void text_patch_hide(const struct mm *mm, uint64_t addr, uint8_t *bytes, size_t len);

/*
 * After #UD: 1 when a cpuid was replaced at rip: it has been carried out now (registers, rip), and a program that single-steps
 * has its trap to come. 0: an undefined instruction, of the program's own or one that the guest's CPU does not have.
 */
int text_patch_undefined(struct task *t);

#endif
