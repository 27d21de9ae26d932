/* Reading recordings. Contract: trace.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/message.h"
#include "cli/trace.h"
#include "trace/stream.h"
#include "trace/tracedir.h"

int trace_open(const char *name, char *path, size_t len)
{
	int dir;

	path[0] = '\0';
	dir = tracedir_open(name, path, len);
	if (dir >= 0)
		return dir;
	if (!name)
		message_error("there is no recording yet: %s", strerror(-dir));
	else
		message_error("%s: %s", name, dir == -ENOENT ? "no such recording" : strerror(-dir));
	message_hint(name ? "`sandrec ls` lists the recordings" : "`sandrec run PROG` makes one");
	return -1;
}

bool trace_manifest(int dir, const char *path, struct manifest *m)
{
	char why[256] = "";
	int rc = manifest_read(dir, m, why, sizeof(why));

	if (!rc)
		return true;
	message_error("%s: %s", path, why[0] ? why : strerror(-rc));
	if (rc == -EPROTO)
		message_hint("use the sandrec that made it, or record the program again");
	else
		message_hint("`sandrec dump` may still be able to read its events");
	return false;
}

int trace_open_stream(int dir, int number, struct stream_reader **r)
{
	char name[32], ring[32];

	snprintf(name, sizeof(name), TRACE_STREAM_NAME, number);
	snprintf(ring, sizeof(ring), TRACE_RING_NAME, number);
	*r = NULL;
	return stream_reader_open(dir, name, ring, r);
}

uint64_t trace_count_events(int dir, const struct trace_procs *ps, const struct trace_proc *one)
{
	uint64_t n = 0;

	for (size_t i = 0; i < ps->n; i++) {
		struct stream_reader *r;

		if (one && one != &ps->p[i])
			continue;
		if (trace_open_stream(dir, ps->p[i].number, &r) == 0)
			n += stream_events(r);
		stream_reader_close(r);
	}
	return n;
}
