/* A session that runs without recording (`sandrec run --no-record`): forwards and forgets. */
#ifndef SANDREC_PLAIN_H
#define SANDREC_PLAIN_H

#include "syscall-emu/session.h"

struct plain {
	struct session base; /* base.ops = &plain_ops */
	int program_fd;      /* the program being loaded, opened before exec; -1 */
	int shared_fd;       /* tree.h: here only for what processes find out for each other; hidden, -1: there is none */
};

extern const struct session_ops plain_ops;

#endif
