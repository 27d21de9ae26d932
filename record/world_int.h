/* What world.c and world_load.c share. */
#ifndef SANDREC_WORLD_INT_H
#define SANDREC_WORLD_INT_H

#include "record/world.h"
#include "trace/event.h"
#include "trace/files.h"

#define WORLD_FDS 1024

/* A file as far as one descriptor's calls tell. */
struct world_file {
	char *path;             /* or NULL */
	unsigned char *bytes;
	uint64_t size;
	struct file_ref ref;    /* has_ref: a stored copy of all of it */
	bool has_ref;
};

struct world_event {
	uint8_t type, flags;
	bool used;
	struct guest_regs regs;
	int64_t result;
	const struct sys_desc *desc;
	uint32_t aux;           /* REC_TSC */
	size_t nwritten, nread, ncarried;
	struct world_piece *written, *read, *carried; /* carried: into the program's output, by a copy inside the kernel */
	ptrdiff_t file;         /* that an open made, in world.file; -1 */
};

enum world_fd { WORLD_FD_NONE, WORLD_FD_FILE, WORLD_FD_LIVE };

struct world {
	int dir;
	struct exec_params image;
	pid_t pid;              /* recorded */
	size_t nevents, next;   /* next: the first behind the one used last */
	struct world_event *event;
	size_t nfiles;
	struct world_file *file;
	char *program;
	struct files_store *files;
	uint8_t fd[WORLD_FDS];  /* enum world_fd */
	size_t next_tsc;
	uint64_t tsc;
	unsigned char *carried;
	struct world_piece *moved; /* the last answer's, where the program wants them */
};

#endif
