/*
 * Leaving the recording: a copy of a replayed process whose registers or memory the debugger has changed, or in which it
 * calls a function. It has no files, no descriptors and no other processes; of the outside world there is the time, the
 * terminal (its standard output and error), and memory. Everything else fails with ENOSYS.
 */
#ifndef SANDREC_DIVERSION_H
#define SANDREC_DIVERSION_H

#include "syscall-emu/task.h"

struct debuggee;

/* From here on t's process, which d stands for, runs so. 0 or -ENOMEM. */
int diversion_begin(struct task *t, struct debuggee *d);

#endif
