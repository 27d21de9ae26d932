/*
 * A replayed process under the debugger: what the replaying session calls so that it stops where the debugger wants it
 * to, and does what it is told while it stands still (debug_link.h). The other side is debug.h.
 *
 * The program runs as it does without: code is changed for breakpoints only while it runs, flags while it steps.
 * Instructions are counted where they are stepped through; a place reached by running is known by its state.
 */
#ifndef SANDREC_DEBUGGEE_H
#define SANDREC_DEBUGGEE_H

#include "replay/debug_link.h"
#include "syscall-emu/session.h"
#include "trace/event.h"

struct debuggee;

/* sock: to the debugger, owned from here on. number: the process debugged; its ancestors are replayed undisturbed. */
int debuggee_create(int sock, int number, struct debuggee **out);

/* d, when this is the number of the process debugged; NULL otherwise, and when d is NULL. */
struct debuggee *debuggee_for(struct debuggee *d, int number);
int debuggee_socket(const struct debuggee *d);
int debuggee_number(const struct debuggee *d);

/*
 * Before user code runs: stands still as often as there is reason to. Then the session seeks its own next point if
 * debuggee_lets_seek() (else it only looks whether it is there), and calls debuggee_enter() last: 0 or a negative errno.
 */
void debuggee_resume(struct debuggee *d, struct task *t, uint64_t point); /* rip of the point that comes next; 0: none */
bool debuggee_lets_seek(struct debuggee *d, struct task *t, uint64_t point, const struct tramp_cond *c);
int debuggee_enter(struct debuggee *d, struct task *t);

/* After user code ran: 1 when the stop was the debugger's, and nothing for the program; else 0. */
int debuggee_stopped(struct debuggee *d, struct task *t);
int debuggee_landed(struct debuggee *d, struct task *t); /* 1: the landmark was the debugger's */

/* A new program image has been loaded (by execve). */
void debuggee_executed(struct debuggee *d);

/* The event (its number, and what it is) is about to happen. nr: of a system call. si: of a signal. */
enum debuggee_event { DEBUGGEE_SYSCALL, DEBUGGEE_SIGNAL, DEBUGGEE_OTHER };
void debuggee_event(struct debuggee *d, struct task *t, enum debuggee_event what, int nr, const siginfo_t *si);
/* So many events are done. */
void debuggee_done(struct debuggee *d, uint64_t events, bool syscall);
void debuggee_thread_begins(struct debuggee *d, const struct task *by, const struct task *made);
void debuggee_thread_ends(struct debuggee *d, struct task *t);
void debuggee_forked(struct debuggee *d, pid_t child, bool vfork);

/* Was this event's output not shown yet, by any copy of the process? *shown: how many events' output was. */
bool debuggee_shows(uint64_t *shown, uint64_t event);

/* The process has ended, or cannot go on: stands still for good. */
_Noreturn void debuggee_ended(struct debuggee *d, struct task *t);
_Noreturn void debuggee_failed(struct debuggee *d);

#endif
