/*
 * What the descriptor modules (fd*.c, procfs*.c, limits.c) share and nobody else sees.
 */
#ifndef SANDREC_FDTABLE_H
#define SANDREC_FDTABLE_H

#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "syscall-emu/fd.h"

#define FD_KNOWN 1024            /* descriptor numbers whose facts are remembered; higher ones are asked each time */
#define FD_COPY_MAX (1u << 20)   /* output carried by one emulated sendfile or splice: a short result is allowed there */

/* Facts about the open file behind a number; they hold until that number is closed or replaced. */
struct fd_facts {
	bool valid, regular;
	uint8_t kind;                /* REC_F_STDOUT, REC_F_STDERR, 0 */
	mode_t mode;
	dev_t dev, rdev;
	ino_t ino;
};

/* A limit the guest set whose host value is another one, because the VMM lives under it too. */
struct shown_limit {
	bool set;
	struct rlimit guest;
	uint64_t headroom;
};

struct fdtable {
	struct { int fd; struct stat st; int flags; } saved[3]; /* hidden duplicates of 1 and 2, or -1; [0] unused */
	bool one_file;               /* 1 and 2 were the same open file */
	bool no_kcmp;
	bool shared;                 /* with another process: nothing about a number is known for long */
	struct fd_facts known[FD_KNOWN];

	int proc_root;               /* hidden O_PATH descriptor of /proc, or -1: the guest may chroot */
	int exe_fd;                  /* hidden O_PATH descriptor of the guest's program, or -1 */
	dev_t self_dev;              /* our own binary */
	ino_t self_ino;
	char self_path[PATH_MAX];

	bool published;              /* the kernel itself knows the guest's arguments, environment and auxv */
	int mem_fd;                  /* hidden memfd that stands for /proc/self/mem, or -1 while none was opened */
	bool other_mem;              /* the memory of another process was opened, once */
	dev_t mem_dev;
	ino_t mem_ino;

	struct shown_limit limit[RLIM_NLIMITS];
	char *buf;                   /* FD_COPY_MAX bytes, made on first use: bytes in flight, valid until the next call */
};

/* fd_output.c. out->valid is false for a number that is not open. */
void fd_facts_get(struct fdtable *f, int fd, struct fd_facts *out);
void fd_forget(struct fdtable *f, int fd);       /* the number is about to mean something else */
void fd_same(struct fdtable *f, int from, int to); /* to is now a duplicate of from */
void fd_output_released(struct fdtable *f);      /* one of the guest's output descriptors is gone: drop ours if last */
bool fd_file_mapped(const struct mm *mm, const struct fd_facts *facts);
char *fd_buffer(struct fdtable *f);              /* NULL: no memory */

/* fd.c: the object of one of our memfds, reached by some other road (map_files)? */
bool fd_is_our_object(dev_t dev, ino_t ino);

/* fd_open.c: opens what fd refers to again with other flags. */
int fd_reopen(const struct fdtable *f, int fd, int flags);
bool fd_on_procfs(int fd, const struct stat *st);

/* limits.c: the value the guest sees for a resource, if it differs from the host's. */
const struct rlimit *limit_shown(const struct fdtable *f, unsigned resource);

#endif
