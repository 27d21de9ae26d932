/* The processes of a recording. Contract: procs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/message.h"
#include "cli/procs.h"
#include "cli/trace.h"
#include "syscall-emu/loader.h"
#include "trace/parts.h"
#include "trace/stream.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"

static uint64_t size_on_disk(int dir, const char *format, int number)
{
	char name[32];

	snprintf(name, sizeof(name), format, number);
	return trace_part_bytes(dir, name);
}

/* What can be read, from the stream itself: the manifest is as old as the supervisor's last word. */
static void measure(int dir, struct proc *p)
{
	struct stream_reader *r;
	int rc = trace_open_stream(dir, p->number, &r);

	p->end = rc;
	if (r && rc == 0) {
		p->events = stream_events(r);
		p->records = stream_record_bytes(r);
		p->end = stream_end(r);
	}
	stream_reader_close(r);
	p->bytes = size_on_disk(dir, TRACE_STREAM_NAME, p->number) + size_on_disk(dir, TRACE_RING_NAME, p->number);
}

struct proc *procs_find(const struct procs *ps, int number)
{
	size_t lo = 0, hi = ps->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (ps->p[mid].number == number)
			return &ps->p[mid];
		if (ps->p[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static void take_manifest(struct procs *ps, const struct manifest *m)
{
	for (size_t i = 0; i < m->nprocs; i++) {
		struct proc *p = procs_find(ps, m->procs[i].number);

		if (!p || p->comm)
			continue;
		p->ppid = m->procs[i].ppid;
		p->comm = m->procs[i].comm ? strdup(m->procs[i].comm) : NULL;
		p->ended = m->procs[i].ended;
		p->status = m->procs[i].status;
	}
}

bool procs_read(int dir, const char *path, const struct manifest *m, struct procs *out)
{
	struct trace_procs named;

	memset(out, 0, sizeof(*out));
	if (!trace_procs_read(dir, path, &named))
		return false;
	out->p = calloc(named.n + 1, sizeof(*out->p));
	for (size_t i = 0; out->p && i < named.n; i++) {
		struct proc *p = &out->p[out->n++];
		const struct trace_proc *parent = trace_proc_numbered(&named, named.p[i].parent);

		p->number = named.p[i].number;
		p->parent = named.p[i].parent;
		p->pid = named.p[i].pid;
		p->ppid = parent ? parent->pid : 0;
		memcpy(p->name, named.p[i].name, sizeof(p->name));
		measure(dir, p);
	}
	trace_procs_free(&named);
	if (!out->p) {
		message_error("out of memory");
		return false;
	}
	take_manifest(out, m);
	return true;
}

static void free_vector(char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}

static bool note_image(struct proc *p, const struct event *ev)
{
	struct proc_image *more;
	struct exec_params x;

	if (exec_params_decode(ev->annex, ev->annex_len, &x) < 0)
		return true; /* damaged: as if it were not there */
	more = reallocarray(p->image, p->nimages + 1, sizeof(*more));
	if (more) {
		p->image = more;
		p->image[p->nimages++] = (struct proc_image){ ev->time_ns, x.argv };
		x.argv = NULL;
	}
	exec_params_free(&x);
	return more;
}

static bool note_event(struct proc *p, const struct event *ev)
{
	struct fork_annex f;

	if (!p->start_ns)
		p->start_ns = ev->time_ns;
	p->end_ns = ev->time_ns;
	if (ev->type == REC_FORK && ev->annex_len == sizeof(f)) {
		memcpy(&f, ev->annex, sizeof(f));
		if (!p->ppid)
			p->ppid = f.parent;
	} else if (ev->type == REC_EXIT && !p->ended) {
		p->ended = true;
		p->status = (int)ev->result;
	} else if (ev->type == REC_EXEC) {
		return note_image(p, ev);
	}
	return true;
}

/* What a process ran at some time: an image of its own, else what its parent ran when it was made. */
static char **argv_at(const struct procs *ps, const struct proc *p, uint64_t time_ns)
{
	for (size_t steps = 0; p && steps <= ps->n; steps++) {
		for (size_t i = p->nimages; i-- > 0;)
			if (p->image[i].start_ns <= time_ns)
				return p->image[i].argv;
		time_ns = p->start_ns;
		p = procs_find(ps, p->parent);
	}
	return NULL;
}

bool procs_scan(int dir, struct procs *ps)
{
	bool good = true;

	for (size_t i = 0; good && i < ps->n; i++) {
		struct stream_reader *r;
		struct event ev;
		int rc = trace_open_stream(dir, ps->p[i].number, &r);

		if (rc == 0)
			while (good && (rc = stream_next(r, &ev)) == 1)
				good = note_event(&ps->p[i], &ev);
		if (rc < 0) /* damage that the frames' headers did not show */
			ps->p[i].end = rc;
		stream_reader_close(r);
	}
	if (!good)
		message_error("out of memory");
	for (size_t i = 0; i < ps->n; i++)
		ps->p[i].argv = argv_at(ps, &ps->p[i], UINT64_MAX);
	return good;
}

void procs_free(struct procs *ps)
{
	for (size_t i = 0; i < ps->n; i++) {
		for (size_t k = 0; k < ps->p[i].nimages; k++)
			free_vector(ps->p[i].image[k].argv);
		free(ps->p[i].image);
		free(ps->p[i].comm);
	}
	free(ps->p);
	memset(ps, 0, sizeof(*ps));
}
