/* Which processes a recording holds, and what they are called. Contract: trace_procs_read in trace.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/trace.h"
#include "trace/parts.h"
#include "trace/stream.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"

/* The number in "events.123", or 0. */
static int stream_number(const char *name)
{
	char *end;
	long n;

	if (strncmp(name, "events.", 7) || name[7] < '1' || name[7] > '9')
		return 0;
	errno = 0;
	n = strtol(name + 7, &end, 10);
	return errno || *end || n > INT_MAX ? 0 : (int)n;
}

/* With room for one, or NULL after a message. */
static struct trace_proc *one_more(struct trace_procs *ps)
{
	struct trace_proc *more = ps->n % 64 ? ps->p : reallocarray(ps->p, ps->n + 64, sizeof(*more));

	if (!more) {
		message_error("out of memory");
		return NULL;
	}
	ps->p = more;
	ps->p[ps->n] = (struct trace_proc){ 0 };
	return &ps->p[ps->n++];
}

struct streams {
	struct trace_procs *ps;
	bool failed;
};

static int take_stream(void *arg, const char *name)
{
	struct streams *s = arg;
	int number = stream_number(name);
	struct trace_proc *p = number ? one_more(s->ps) : NULL;

	s->failed = number && !p;
	if (p) {
		p->number = number;
		p->has_stream = true;
	}
	return s->failed;
}

static bool take_streams(int dir, const char *path, struct trace_procs *ps)
{
	struct streams s = { .ps = ps };
	char why[160];
	int rc = trace_parts_check(dir, why, sizeof(why));

	if (rc < 0) {
		message_error("%s: %s", path, why);
		message_hint(rc == -EPROTO ? "use the sandrec that made it" : "take another copy of it");
		return false;
	}
	rc = trace_parts_each(dir, take_stream, &s);
	if (rc < 0)
		message_error("%s: %s", path, strerror(-rc));
	return rc == 0 && !s.failed;
}

static int by_number(const void *a, const void *b)
{
	const struct trace_proc *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static bool take_manifest(struct trace_procs *ps, const struct manifest *m)
{
	size_t streams = ps->n;

	for (size_t i = 0; i < m->nprocs; i++) {
		const struct trace_proc key = { .number = m->procs[i].number };
		struct trace_proc *p = streams ? bsearch(&key, ps->p, streams, sizeof(key), by_number) : NULL;

		if (!p && !(p = one_more(ps)))
			return false;
		p->number = m->procs[i].number;
		p->pid = m->procs[i].pid;
		p->parent = m->procs[i].parent;
	}
	qsort(ps->p, ps->n, sizeof(*ps->p), by_number);
	return true;
}

/* What the manifest does not know, as the recording was cut or goes on: the process's own view. */
static void ask_stream(int dir, struct trace_proc *p)
{
	struct stream_reader *r;
	struct fork_annex f;
	struct event ev;

	if (trace_open_stream(dir, p->number, &r) == 0 && stream_next(r, &ev) == 1) {
		p->pid = ev.tid;
		if (ev.type == REC_FORK && ev.annex_len == sizeof(f)) {
			memcpy(&f, ev.annex, sizeof(f));
			p->parent = f.parent_number;
		}
	}
	stream_reader_close(r);
}

struct use {
	pid_t pid;
	struct trace_proc *p;
};

static int by_pid(const void *a, const void *b)
{
	const struct use *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return by_number(x->p, y->p);
}

/* The pid; where several had it, with the count of those that had it up to then. */
static bool give_names(struct trace_procs *ps)
{
	cleanup_free struct use *use = calloc(ps->n + 1, sizeof(*use));

	if (!use) {
		message_error("out of memory");
		return false;
	}
	for (size_t i = 0; i < ps->n; i++)
		use[i] = (struct use){ ps->p[i].pid, &ps->p[i] };
	qsort(use, ps->n, sizeof(*use), by_pid);
	for (size_t i = 0, nth = 1; i < ps->n; i++) {
		bool first = !i || use[i - 1].pid != use[i].pid, last = i + 1 == ps->n || use[i + 1].pid != use[i].pid;
		struct trace_proc *p = use[i].p;

		nth = first ? 1 : nth + 1;
		p->nth = (int)nth;
		p->last = last;
		snprintf(p->name, sizeof(p->name), first && last ? "%d" : "%d.%zu", p->pid, nth);
	}
	return true;
}

bool trace_procs_read(int dir, const char *path, struct trace_procs *ps)
{
	char why[256];
	struct manifest m;
	bool good;

	memset(ps, 0, sizeof(*ps));
	good = take_streams(dir, path, ps);
	if (good && ps->n)
		qsort(ps->p, ps->n, sizeof(*ps->p), by_number);
	if (good && manifest_read(dir, &m, why, sizeof(why)) == 0) {
		good = take_manifest(ps, &m);
		manifest_free(&m);
	}
	for (size_t i = 0; good && i < ps->n; i++)
		if (!ps->p[i].pid)
			ask_stream(dir, &ps->p[i]);
	if (good && give_names(ps))
		return true;
	trace_procs_free(ps);
	return false;
}

void trace_procs_free(struct trace_procs *ps)
{
	free(ps->p);
	memset(ps, 0, sizeof(*ps));
}

const struct trace_proc *trace_proc_numbered(const struct trace_procs *ps, int number)
{
	const struct trace_proc key = { .number = number };

	return ps->n ? bsearch(&key, ps->p, ps->n, sizeof(key), by_number) : NULL;
}

/* "PID" or "PID.N"; nth 0: not given. */
static bool parse(const char *text, int *pid, int *nth)
{
	int end = 0;

	*nth = 0;
	if (*text < '0' || *text > '9')
		return false;
	if (sscanf(text, "%9d%n", pid, &end) == 1 && !text[end])
		return true;
	return end && text[end] == '.' && text[end + 1] >= '1' && text[end + 1] <= '9' &&
	       sscanf(text, "%9d.%9d%n", pid, nth, &end) == 2 && !text[end];
}

const struct trace_proc *trace_proc_find(const struct trace_procs *ps, const char *path, const char *text)
{
	int pid, nth;
	bool sense = parse(text, &pid, &nth);

	for (size_t i = 0; sense && i < ps->n; i++)
		if (ps->p[i].pid == pid && (nth ? ps->p[i].nth == nth : ps->p[i].last))
			return &ps->p[i];
	if (sense)
		message_error("%s holds no process %s", path, text);
	else
		message_error("`%s` is not a process: PID, or PID.N for the Nth that had this pid", text);
	message_hint("`sandrec ps %s` lists its processes", path);
	return NULL;
}
