/*
 * Which system call sites become jumps (vmm/jump.h), and when. At run time, once a site has been busy on the fast path, at a stop
 * in front of its call, which carries the news in its own event: replay makes the same bytes at the same event, wherever
 * it runs. A program that reads its own code reads the jump, on record and replay alike.
 *
 * Patched is private memory that is executable and not writable, where all from X to the `syscall` is on one page and X is known to
 * be an instruction: the function around, by the mapped file's own account, has been followed to it. All else stays as it is,
 * and is counted. Undone as all replaced text (text_patch.h).
 */
#ifndef SANDREC_TEXT_JUMP_H
#define SANDREC_TEXT_JUMP_H

#include "syscall-emu/session.h"
#include "trace/event.h"

/*
 * A call made from rip (behind its `syscall`) is to be served: is it now that the site should be looked at? Counts. at_once: it
 * is the first time it is seen. Server's thread, or the task's while that is not at work; as the next one.
 */
bool text_jump_due(uint64_t rip, bool at_once);
/* Has the site been patched? */
bool text_jump_patched(uint64_t rip);

/* The site is as it was: it may become busy again. */
void text_jump_undone(uint64_t rip);

/* The task stands at a system call, outside: patches its site or finds out why not, and says so in t->site. */
void text_jump_try(struct task *t);

/* Replay: what an event says of the site at addr. -EINVAL: it cannot be so. */
int text_jump_apply(struct mm *mm, uint64_t addr, const struct data_site *d);

/* A VM has been made for the address space: its stubs. 0 or a negative errno. */
int text_jump_reborn(struct mm *mm);

#endif
