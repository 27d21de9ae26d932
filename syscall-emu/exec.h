/*
 * execve and execveat: the request as the guest made it. What follows is the session's: our own binary is executed with
 * the state handed over, so that the kernel does what exec means (record/handover.h). Source: execve(2), execveat(2),
 * fs/exec.c.
 */
#ifndef SANDREC_EXEC_H
#define SANDREC_EXEC_H

#include "syscall-emu/session.h"

struct exec_request {
	char *path;           /* AT_EXECFN: the path, or /dev/fd/N[/path] */
	char **argv, **envp;  /* NULL-terminated */
	int fd;               /* the program file, opened for reading; -1 when not opened yet */
};

sys_handler do_execve, do_execveat;

/*
 * For live sessions: reads path and vectors out of the guest and opens the file with exec's own checks. Linux's negative
 * errno; free with exec_request_free() in either case.
 */
int exec_collect(struct task *t, const struct plan *p, struct exec_request *q);
void exec_request_free(struct exec_request *q);

#endif
