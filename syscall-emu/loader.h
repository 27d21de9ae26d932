/*
 * execve's work: from a file to registers at the first user instruction. ELF (static, static PIE, dynamic), `#!`
 * scripts, the initial stack. Source: Linux fs/binfmt_elf.c and fs/binfmt_script.c for rules and errnos, execve(2),
 * getauxval(3), the System V x86-64 ABI for the stack.
 *
 * Everything the result depends on is in struct exec_params, which is recorded: replay calls loader_exec() with the
 * recorded parameters and gets the same memory.
 */
#ifndef SANDREC_LOADER_H
#define SANDREC_LOADER_H

#include "syscall-emu/session.h"
#include "trace/files.h"

#define EXEC_FILES_MAX 8 /* script, nested interpreters (BINPRM limit 5), program, ELF interpreter */

struct exec_params {
	char *path;            /* as given to execve, resolved by the caller for PATH look-ups; AT_EXECFN */
	char **argv, **envp;   /* NULL-terminated, owned */
	uint8_t random[16];    /* AT_RANDOM */
	uint64_t uid, euid, gid, egid, clktck, stack_limit, minsigstksz;
	uint32_t hwcap, hwcap2;
	uint64_t sigmask, sigignored; /* inherited: blocked and ignored signals, bit n-1 for signal n */
	pid_t pid;
	uint32_t nfiles;       /* filled by the session as files are opened */
	struct exec_file { struct file_ref ref; char *path; uint64_t dev, ino; uint32_t mode; } file[EXEC_FILES_MAX];
};

/* Encodes to one blob for REC_EXEC / decodes a hostile one (-EBADMSG). exec_params_free frees what is inside. */
int exec_params_encode(const struct exec_params *x, void **blob, uint32_t *len);
int exec_params_decode(const void *blob, uint32_t len, struct exec_params *x);
void exec_params_free(struct exec_params *x);

/*
 * Loads the program into the empty address space of t->proc->mm, sets t's registers, proc->exe, comm and the
 * /proc fields. 0, or Linux's negative errno (ENOENT, EACCES, ENOEXEC, ELIBBAD, E2BIG, ENOMEM...). why (may be NULL)
 * gets a line for people ("32-bit program").
 */
int loader_exec(struct task *t, struct exec_params *x, char *why, size_t len);

/* Everything that loader_exec() may refuse before it maps anything: the errors that execve(2) returns to its caller. */
int loader_check(struct task *t, struct exec_params *x, char *why, size_t len);

#endif
