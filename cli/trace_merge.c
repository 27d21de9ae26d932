/*
 * Going through the events of a recording: those of its processes merged by time. Contract: trace_each_event, trace.h.
 *
 * A stream is open from its first event's time to its end, so no more are open at once than processes ran side by side.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/message.h"
#include "cli/trace.h"
#include "trace/stream.h"
#include "vmm/cleanup.h"

struct source {
	const struct trace_proc *proc;
	uint64_t first_ns;        /* of the first event wanted */
	struct stream_reader *r;  /* NULL: not open */
	struct event ev;          /* the next one, when open */
};

struct merge {
	int dir;
	const char *path;
	const struct trace_filter *f;
	struct source *src;       /* by first_ns */
	size_t n, next;           /* src[next...] have not been opened yet */
	struct source **active;
	size_t nactive;
	bool failed;
};

/* How reading ended: a cut recording is good up to there, a damaged one is a failure. */
static bool report_end(const char *path, const char *name, int rc, const struct stream_reader *r)
{
	const char *what = stream_reader_error(r);

	if (!rc)
		return true;
	if (rc == -ENODATA) {
		message("%s: process %s: %s", path, name, what ? what : "the recording was cut short");
		return true;
	}
	message_error("%s: process %s: %s", path, name, what ? what : strerror(-rc));
	message_hint(rc == -EPROTO ? "use the sandrec that made it, or record the program again" :
				     "the trace is damaged from there on; record the program again");
	return false;
}

static void shut(struct merge *m, struct source *s, int rc)
{
	if (!report_end(m->path, s->proc->name, rc, s->r))
		m->failed = true;
	stream_reader_close(s->r);
	s->r = NULL;
}

/* Moves to the next event wanted. false: there is none, and the stream has been closed. */
static bool advance(struct merge *m, struct source *s)
{
	int rc;

	do
		rc = stream_next(s->r, &s->ev);
	while (rc == 1 && m->f->tid && s->ev.tid != m->f->tid && s->ev.index <= m->f->to);
	if (rc == 1 && s->ev.index <= m->f->to)
		return true;
	shut(m, s, rc == 1 ? 0 : rc);
	return false;
}

static bool open_source(struct merge *m, struct source *s)
{
	int rc = trace_open_stream(m->dir, s->proc->number, &s->r);

	if (!s->r) {
		message_error("%s: process %s: %s", m->path, s->proc->name, strerror(-rc));
		m->failed = true;
		return false;
	}
	if (rc == 0 && m->f->from)
		rc = stream_seek(s->r, m->f->from);
	if (rc == 0)
		return advance(m, s);
	shut(m, s, rc == -EINVAL ? stream_end(s->r) : rc); /* EINVAL: it is shorter than that */
	return false;
}

static int compare_first(const void *a, const void *b)
{
	const struct source *x = a, *y = b;

	if (x->first_ns != y->first_ns)
		return x->first_ns < y->first_ns ? -1 : 1;
	return (x->proc->number > y->proc->number) - (x->proc->number < y->proc->number);
}

/* Finds out when each process comes in. One that holds nothing wanted is reported, if it has to be, and left out. */
static void look_ahead(struct merge *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct source s = m->src[i];

		if (m->f->number && s.proc->number != m->f->number)
			continue;
		if (!open_source(m, &s))
			continue;
		s.first_ns = s.ev.time_ns;
		stream_reader_close(s.r);
		s.r = NULL;
		m->src[kept++] = s;
	}
	m->n = kept;
	qsort(m->src, m->n, sizeof(*m->src), compare_first);
}

static size_t earliest(const struct merge *m)
{
	size_t best = 0;

	for (size_t i = 1; i < m->nactive; i++)
		if (m->active[i]->ev.time_ns < m->active[best]->ev.time_ns)
			best = i;
	return best;
}

/* The source of the next event, with those opened that have begun by then; m->nactive is 0 at the end. */
static size_t next_event(struct merge *m)
{
	size_t at = earliest(m);

	while (m->next < m->n && (!m->nactive || m->src[m->next].first_ns <= m->active[at]->ev.time_ns)) {
		struct source *s = &m->src[m->next++];

		if (!open_source(m, s))
			continue;
		m->active[m->nactive++] = s;
		at = earliest(m);
	}
	return at;
}

static bool read_memory(struct stream_reader *r, struct memory *mem)
{
	struct event_data d;
	int rc;

	memory_clear(mem);
	while ((rc = stream_data(r, &d)) > 0)
		if (!memory_add(mem, &d)) {
			message_error("out of memory");
			return false;
		}
	return rc == 0;
}

static void merge(struct merge *m, trace_fn *fn, void *arg)
{
	struct memory mem = { 0 };
	bool more = true;

	while (more) {
		size_t at = next_event(m);
		struct source *s = m->active[at];
		bool lasts = m->nactive;

		if (!lasts)
			break;
		if (read_memory(s->r, &mem)) {
			more = fn(arg, s->proc, &s->ev, &mem);
			lasts = advance(m, s);
		} else {
			shut(m, s, stream_end(s->r) ? stream_end(s->r) : -EBADMSG);
			lasts = false;
		}
		if (!lasts)
			m->active[at] = m->active[--m->nactive];
	}
	memory_free(&mem);
	for (size_t i = 0; i < m->nactive; i++)
		stream_reader_close(m->active[i]->r);
}

/* Each process that ran beside the others takes a descriptor or two. */
static void raise_limit(void)
{
	struct rlimit l;

	if (!getrlimit(RLIMIT_NOFILE, &l) && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

bool trace_each_event(int dir, const char *path, const struct trace_procs *ps, const struct trace_filter *f, trace_fn *fn,
		      void *arg)
{
	cleanup_free struct source *src = calloc(ps->n + 1, sizeof(*src));
	cleanup_free struct source **active = calloc(ps->n + 1, sizeof(struct source *));
	struct merge m = { .dir = dir, .path = path, .f = f, .src = src, .active = active };

	if (!src || !active) {
		message_error("out of memory");
		return false;
	}
	for (size_t i = 0; i < ps->n; i++)
		if (ps->p[i].has_stream)
			src[m.n++].proc = &ps->p[i];
	if (!m.n) {
		message_error("%s holds no events", path);
		return false;
	}
	raise_limit();
	look_ahead(&m);
	merge(&m, fn, arg);
	return !m.failed;
}
