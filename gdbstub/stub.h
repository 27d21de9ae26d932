/*
 * A server of gdb's remote protocol for one client: gdb, lldb, or an IDE over either. Source: "Debugging with GDB",
 * appendix E (Remote Protocol); lldb's docs/resources/lldbgdbremote.
 *
 * One thread, the caller's. What the client sends is hostile: a packet that cannot be understood gets an error or the
 * empty answer, never more.
 */
#ifndef SANDREC_STUB_H
#define SANDREC_STUB_H

#include "gdbstub/target.h"

enum stub_end {
	STUB_DETACHED, /* the client took its leave */
	STUB_KILLED,   /* and wants the program gone */
	STUB_LOST      /* or vanished */
};

/* Serves the client on these descriptors (which may be one) until it goes. -ENOMEM, or how it went. */
int stub_serve(struct debug_target *t, int in, int out);

/* Protocol numbers of Linux's signals and back; what has no number there is 143 (unknown), and 0 here. */
unsigned stub_signal_number(int signo);
int stub_signal_of(unsigned number);

#endif
