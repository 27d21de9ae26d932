/* The processes of a recording. Contract: procs.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/message.h"
#include "cli/procs.h"
#include "cli/trace.h"
#include "syscall-emu/loader.h"
#include "trace/stream.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"

static int open_stream(int dir, pid_t pid, struct stream_reader **r)
{
	char name[32], ring[32];

	snprintf(name, sizeof(name), TRACE_STREAM_NAME, pid);
	snprintf(ring, sizeof(ring), TRACE_RING_NAME, pid);
	*r = NULL;
	return stream_reader_open(dir, name, ring, r);
}

static uint64_t size_on_disk(int dir, const char *format, pid_t pid)
{
	char name[32];
	struct stat st;

	snprintf(name, sizeof(name), format, pid);
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
}

/* What can be read, from the stream itself: the manifest is as old as the supervisor's last word. */
static void measure(int dir, struct proc *p)
{
	struct stream_reader *r;
	int rc = open_stream(dir, p->pid, &r);

	p->end = rc;
	if (r && rc == 0) {
		p->events = stream_events(r);
		p->end = stream_end(r);
	}
	stream_reader_close(r);
	p->bytes = size_on_disk(dir, TRACE_STREAM_NAME, p->pid) + size_on_disk(dir, TRACE_RING_NAME, p->pid);
}

struct proc *procs_find(const struct procs *ps, pid_t pid)
{
	for (size_t i = 0; i < ps->n; i++)
		if (ps->p[i].pid == pid)
			return &ps->p[i];
	return NULL;
}

static struct proc *add(struct procs *ps, pid_t pid)
{
	struct proc *p = &ps->p[ps->n++];

	p->pid = pid;
	return p;
}

bool procs_read(int dir, const char *path, const struct manifest *m, struct procs *out)
{
	size_t npids;
	cleanup_free int *pids = trace_pids(dir, path, &npids);

	memset(out, 0, sizeof(*out));
	if (!pids)
		return false;
	out->p = calloc(m->nprocs + npids + 1, sizeof(*out->p));
	if (!out->p) {
		message_error("out of memory");
		return false;
	}
	for (size_t i = 0; i < m->nprocs; i++) {
		struct proc *p = add(out, m->procs[i].pid);

		p->ppid = m->procs[i].ppid;
		p->comm = m->procs[i].comm ? strdup(m->procs[i].comm) : NULL;
		p->ended = m->procs[i].ended;
		p->status = m->procs[i].status;
	}
	for (size_t i = 0; i < npids; i++)
		if (!procs_find(out, pids[i]))
			add(out, pids[i]);
	for (size_t i = 0; i < out->n; i++)
		measure(dir, &out->p[i]);
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
		p = procs_find(ps, p->ppid);
	}
	return NULL;
}

bool procs_scan(int dir, struct procs *ps)
{
	bool good = true;

	for (size_t i = 0; good && i < ps->n; i++) {
		struct stream_reader *r;
		struct event ev;
		int rc = open_stream(dir, ps->p[i].pid, &r);

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
