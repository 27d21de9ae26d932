/* Replaying one process. Contract: only.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "replay/only.h"
#include "replay/replayer.h"

/* Who made it: the first event of its stream says that. */
static int parent_of(int dir, int number, char *why, size_t len)
{
	struct stream_reader *r;
	struct fork_annex f = { 0 };
	struct event ev;
	int rc = replayer_open_stream(dir, number, &r, why, len);

	if (rc == -ENOENT) {
		snprintf(why, len, "it holds no stream number %d", number);
		return -ESRCH;
	}
	if (rc < 0)
		return rc;
	rc = stream_next(r, &ev);
	if (rc == 1 && ev.type == REC_FORK && ev.annex_len == sizeof(f))
		memcpy(&f, ev.annex, sizeof(f));
	stream_reader_close(r);
	if (f.parent_number > 0)
		return f.parent_number;
	snprintf(why, len, "it does not say which process made that of stream number %d", number);
	return -EBADMSG;
}

int only_find(int dir, int number, struct tree_only *o, char *why, size_t len)
{
	o->number = number;
	o->depth = 0;
	while (number != 1) {
		if (o->depth == TREE_DEPTH) {
			snprintf(why, len, "the process has more than %d ancestors", TREE_DEPTH);
			return -ELOOP;
		}
		o->way[o->depth++] = number;
		number = parent_of(dir, number, why, len);
		if (number < 0)
			return number;
	}
	return 0;
}

bool only_on_way(const struct tree *t, int number)
{
	for (int32_t i = 0; i < t->only.depth; i++)
		if (t->only.way[i] == number)
			return true;
	return false;
}

void only_note_end(struct tree *t, int number, int status, uint64_t events, const char *cut)
{
	struct tree_only *o = &t->only;

	if (o->number != number)
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

	if (rc < 0 || !o->number)
		return rc;
	if (!__atomic_load_n(&o->ended, __ATOMIC_ACQUIRE)) {
		snprintf(res->why, sizeof(res->why), "the replay ended before the process did");
		return -ESRCH;
	}
	res->status = o->status;
	res->events = o->events;
	snprintf(res->cut, sizeof(res->cut), "%s", o->cut);
	return 0;
}
