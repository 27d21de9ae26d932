/*
 * The recorded world: a program runs live, and recorded anew, but its calls get the results that equal calls have in an older
 * recording. `run --answers`, which `test --exec` uses to run a changed program where nothing else has changed.
 *
 * A call is answered when the recording has one with the same number, arguments and bytes read (pointers and process
 * numbers aside) that has not been used, at most WORLD_AHEAD events further on or WORLD_BEHIND back. Calls whose effect is on
 * the process itself (memory, signals, descriptors) are made as well or instead. Files: an answered open gives a descriptor
 * of what the recording knows of the file's content (all of it when it was mapped, else what was read), so that reads
 * of other sizes find the same bytes; so does an open that the recording does not have, of a path that it has. Any other call
 * goes to Linux.
 *
 * Recordings of one process with one thread and one program image only. Signals from outside and timers are not repeated.
 * Of the guest's one thread.
 */
#ifndef SANDREC_WORLD_H
#define SANDREC_WORLD_H

#include "record/inputs.h"
#include "syscall-emu/loader.h"

#define WORLD_AHEAD 16
#define WORLD_BEHIND 64

struct world;

/* dir: the trace, which must stay open. -EBADMSG, -EOPNOTSUPP (not such a recording), -ENOMEM, with a line in why. */
int world_load(int dir, struct world **out, char *why, size_t len);

/* How the program was started, and the number of its process. */
const struct exec_params *world_image(const struct world *w);
pid_t world_pid(const struct world *w);

/* In the guest's process, before it is loaded; hide: fd_hide. program: the file to execute instead of the recorded one. */
int world_begin(struct world *w, const char *program, int (*hide)(int fd));

/* As session_ops.image_file: a descriptor, a negative errno, or WORLD_NONE: not ours. */
#define WORLD_NONE (-4096)
int world_image_file(struct world *w, const struct exec_params *x, unsigned index, const char *path);

struct world_piece {
	uint64_t addr;
	uint32_t len;
	const unsigned char *bytes;
};

struct world_answer {
	int64_t result;
	size_t n;
	const struct world_piece *piece; /* guest memory that has been written; valid until the next call */
	uint8_t output;                  /* REC_F_STDOUT or REC_F_STDERR: the call has put this into the program's output */
	uint64_t ncarried;
	const unsigned char *carried;    /* valid until the next call */
};

/*
 * t->plan is prepared, in has what the call reads. True: it is answered, a says how. False: it is to be made, and
 * world_made() told the result.
 */
bool world_call(struct world *w, struct task *t, const struct sys_desc *desc, const struct inputs *in, struct world_answer *a);
void world_made(struct world *w, const struct task *t, int64_t result);

/* The next time stamp, or false. */
bool world_tsc(struct world *w, uint64_t *tsc, uint32_t *aux);

#endif
