/*
 * What a live session does on the host, recorded or not: the parts of struct session_ops that plain.c uses as they are
 * and recorder.c wraps with its log.
 */
#ifndef SANDREC_LIVE_H
#define SANDREC_LIVE_H

#include "syscall-emu/exec.h"
#include "syscall-emu/file_map.h"
#include "syscall-emu/loader.h"
#include "syscall-emu/session.h"

int live_tsc(struct session *s, struct task *t, bool rdtscp, uint64_t *tsc, uint32_t *aux);
int live_signal(struct session *s, struct task *t, bool after, siginfo_t *si);
int live_kicked(struct session *s, struct task *t);
int live_set_mask(struct session *s, struct task *t);
int live_set_action(struct session *s, struct task *t, int sig);

/* Fills src and m for a mapping of the guest's descriptor; m->ref is left to the caller. Linux's negative errno. */
int live_map_file(struct task *t, int fd, int prot, int flags, uint64_t offset, uint64_t len, struct map_source *src,
		  struct file_map *m);
void live_map_done(struct session *s, struct map_source *src);

/* Opens a program file as execve would: a descriptor, or EACCES, ENOENT... */
int live_image_file(const char *path);
int live_image_fd(int fd); /* fd itself if it can be a program, else it is closed and -EACCES returned */

/*
 * execve up to the point of no return: fills q, sets *program_fd (what the session's image_file gives for the program) and
 * checks what loader_check() can. The caller frees q.
 */
int64_t live_exec(struct task *t, struct plan *p, struct exec_request *q, int *program_fd);

#endif
