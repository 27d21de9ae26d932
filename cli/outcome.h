/*
 * Ending as a program ended, and finding the program a command line names.
 */
#ifndef SANDREC_OUTCOME_H
#define SANDREC_OUTCOME_H

#include <stddef.h>

/* Exits with the code of a wait status, or dies of its signal (with a core file only if the program left one). */
_Noreturn void outcome_repeat(int wait_status);

/*
 * The file that execvp(3) would execute for name, into path. 0, -ENOENT (found nowhere), -EACCES (found, not
 * executable), -ENAMETOOLONG.
 */
int outcome_find_program(const char *name, char *path, size_t len);

struct replay_result;
/* The end of a replay, here or after the program's execve: messages, then the recorded outcome, or an exit status. */
int replay_outcome(int rc, const char *path, const struct replay_result *res);

#endif
