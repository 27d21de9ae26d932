/* What the files of the loader share. */
#ifndef SANDREC_LOADER_INT_H
#define SANDREC_LOADER_INT_H

#include <elf.h>

#include "syscall-emu/loader.h"
#include "syscall-emu/mm.h"

#define BINPRM_SIZE 256 /* Linux looks at this much of a file to tell its format */

struct argv {
	char **v; /* owned, as are the strings; NULL-terminated */
	size_t n;
};

struct image {
	uint64_t bias, entry, phdr, brk, start_code, end_code, start_data, end_data, base;
	unsigned phnum;
};

struct loader {
	struct task *t;
	struct exec_params *x;
	char *why;
	size_t why_len;
	unsigned index;       /* of the next file */
	struct argv args;
	char **envp;
	struct image prog;    /* what the auxiliary vector tells */
	uint64_t entry;       /* of the interpreter, if there is one */
	bool check_only;      /* nothing is mapped */
	int stack_prot;
	uint64_t sp;
};

int loader_say(struct loader *l, int rc, const char *what); /* returns rc */
/* Opens the next file of the image: a descriptor of ours, and which entry of x->file describes it. */
int loader_open(struct loader *l, const char *path, unsigned *index);
/* Whole count or -errno; short is -EIO. */
int loader_read(int fd, void *buf, size_t len, uint64_t offset);

/*
 * loader_script.c. head: the first bytes, zero-padded. 1: it is a script, *interp (owned by the caller) is to be
 * executed and the arguments have been changed for it; 0: it is none; or a negative errno.
 */
int script_parse(const char head[BINPRM_SIZE], const char *path, struct argv *args, char **interp);
int argv_copy(char *const *from, struct argv *to);
void argv_free(struct argv *a);

/* loader_elf.c: maps program and interpreter; fills l->prog, entry and stack_prot. */
int elf_load(struct loader *l, int fd, unsigned index, const char head[BINPRM_SIZE]);

/* loader_stack.c: limits of execve, and the initial stack. */
int stack_check(const struct loader *l);
int stack_build(struct loader *l);

#endif
