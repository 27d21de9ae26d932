/* What `gdb` and `serve` share: a recording that is being debugged, and its client on a descriptor or a socket. */
#ifndef SANDREC_CLI_SERVE_H
#define SANDREC_CLI_SERVE_H

#include <stdbool.h>

#include "gdbstub/target.h"

/* name: the trace, NULL: the latest. pid NULL: its first process. false after a message. */
bool serve_begin(const char *name, const char *pid, bool quiet, int output, struct debug_target **out);

#endif
