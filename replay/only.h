/*
 * Replaying one process of a recording. A replay cannot begin in the middle, with what a process got from its parent at
 * its birth: so its ancestors are replayed up to where they made it, without their output, and end there. Their other
 * children are not made, but for those that run in their parent's memory (vfork), which live until their execve.
 */
#ifndef SANDREC_ONLY_H
#define SANDREC_ONLY_H

#include <stdbool.h>

#include "record/tree.h"
#include "replay/replay.h"

/*
 * Finds the way from the recording's first process to the one of this number, by the first events of the streams in dir. 0;
 * -ESRCH (no such process), -EBADMSG, -ELOOP (too deep), with a line in why.
 */
int only_find(int dir, int number, struct tree_only *o, char *why, size_t len);

static inline bool only_one(const struct tree *t) { return t->only.number; }

/* Is this the process, or does it lie on the way to it? (The first process is not asked about.) */
bool only_on_way(const struct tree *t, int number);

/* Is what this process writes to the original outputs repeated? */
static inline bool only_shows(const struct tree *t, int number) { return !t->only.number || t->only.number == number; }

/* The end of a process's replay: noted when it is the one. cut: why its recording ended early, or NULL. */
void only_note_end(struct tree *t, int number, int status, uint64_t events, const char *cut);

/* For the first process, when all others are gone: the outcome of the one into res. rc: the replay's own result. */
int only_result(const struct tree *t, int rc, struct replay_result *res);

#endif
