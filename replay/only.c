/* Replaying one process. Contract: only.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "replay/only.h"
#include "replay/replayer.h"

/* Who made pid: the first event of its stream says it. */
static int parent_of(int dir, int pid, char *why, size_t len)
{
	struct stream_reader *r;
	struct fork_annex f = { 0 };
	struct event ev;
	int rc = replayer_open_stream(dir, pid, &r, why, len);

	if (rc == -ENOENT) {
		snprintf(why, len, "it holds no process %d", pid);
		return -ESRCH;
	}
	if (rc < 0)
		return rc;
	rc = stream_next(r, &ev);
	if (rc == 1 && ev.type == REC_FORK && ev.annex_len == sizeof(f))
		memcpy(&f, ev.annex, sizeof(f));
	stream_reader_close(r);
	if (f.parent > 0)
		return f.parent;
	snprintf(why, len, "it does not say which process made process %d", pid);
	return -EBADMSG;
}

int only_find(int dir, int first, int pid, struct tree_only *o, char *why, size_t len)
{
	o->pid = pid;
	o->depth = 0;
	while (pid != first) {
		if (o->depth == TREE_DEPTH) {
			snprintf(why, len, "process %d has more than %d ancestors", o->pid, TREE_DEPTH);
			return -ELOOP;
		}
		o->way[o->depth++] = pid;
		pid = parent_of(dir, pid, why, len);
		if (pid < 0)
			return pid;
	}
	return 0;
}

bool only_on_way(const struct tree *t, int pid)
{
	for (int32_t i = 0; i < t->only.depth; i++)
		if (t->only.way[i] == pid)
			return true;
	return false;
}

void only_note_end(struct tree *t, int pid, int status, uint64_t events, const char *cut)
{
	struct tree_only *o = &t->only;

	if (o->pid != pid)
		return;
	/* A process that SIGKILL ends cannot log its end: in a whole recording that is how it ended. */
	if (cut && !t->cut && WIFSIGNALED(o->status) && WTERMSIG(o->status) == SIGKILL)
		cut = NULL;
	else if (!cut)
		o->status = status;
	o->events = events;
	snprintf(o->cut, sizeof(o->cut), "%s", cut ? cut : "");
	__atomic_store_n(&o->ended, 1, __ATOMIC_RELEASE);
}

int only_result(const struct tree *t, int rc, struct replay_result *res)
{
	const struct tree_only *o = &t->only;

	if (rc < 0 || !o->pid)
		return rc;
	if (!__atomic_load_n(&o->ended, __ATOMIC_ACQUIRE)) {
		snprintf(res->why, sizeof(res->why), "the replay ended before process %d did", o->pid);
		return -ESRCH;
	}
	res->status = o->status;
	res->events = o->events;
	snprintf(res->cut, sizeof(res->cut), "%s", o->cut);
	return 0;
}
