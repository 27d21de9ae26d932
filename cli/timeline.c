/* sandrec timeline: who ran when. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/dump_json.h"
#include "cli/event_text.h"
#include "cli/message.h"
#include "cli/progress_line.h"
#include "cli/timeline.h"
#include "cli/trace.h"
#include "vmm/cleanup.h"

#define TEXT_MAX 400      /* of one event */
#define WAIT_NS 200000    /* what a call that may wait takes when it did */
#define LIMIT 500000

struct options {
	const char *output, *pid;
	uint64_t limit;
};

static const struct cli_option options[] = {
	{ "output", 'o', OPT_STRING, offsetof(struct options, output), "FILE", "FILE.html: a page; FILE.json: for Perfetto" },
	{ "pid", 0, OPT_STRING, offsetof(struct options, pid), "P", "only process P" },
	{ "limit", 0, OPT_UINT, offsetof(struct options, limit), "N", "show at most N events (default: 500000)" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "timeline",
	.operands = "[TRACE]",
	.summary = "show who ran when, as a page or for Perfetto",
	.text = "The page needs nothing but a browser: threads as lanes, system calls as bars, signals and thread switches as\n"
		"marks, with zoom and search; a click shows the call. FILE.json is the trace event format that\n"
		"ui.perfetto.dev and chrome://tracing open. Without -o: timeline.html.",
	.options = options,
	.max = 1,
};

/* The threads of the process at hand. */
struct drawn_thread {
	int tid;
	uint64_t last_ns;
	bool gave_way;
};

struct drawing {
	const struct timeline_form *form;
	struct timeline out;
	const struct trace_procs *named;
	const struct procs *procs;
	const struct proc *proc;
	struct drawn_thread *thread;
	size_t nthreads, last;
	uint64_t start_ns, shown, limit;
	struct progress_line line;
	uint64_t done;
	char *text;           /* of the event at hand */
	size_t len;
	bool cut, failed;
};

static struct drawn_thread *thread_of(struct drawing *d, int tid)
{
	struct drawn_thread *more;

	for (size_t i = 0; i < d->nthreads; i++) {
		size_t at = (d->last + i) % d->nthreads;

		if (d->thread[at].tid == tid) {
			d->last = at;
			return &d->thread[at];
		}
	}
	more = reallocarray(d->thread, d->nthreads + 1, sizeof(*more));
	if (!more)
		return NULL;
	d->thread = more;
	d->last = d->nthreads;
	d->thread[d->nthreads] = (struct drawn_thread){ .tid = tid };
	return &d->thread[d->nthreads++];
}

/* The event's text, and behind its end the call's name. NULL: out of memory. */
static const char *describe(struct drawing *d, const struct event *ev, const struct memory *mem, const char **name)
{
	struct call c;
	size_t at;
	FILE *f;

	free(d->text);
	d->text = NULL;
	f = open_memstream(&d->text, &d->len);
	if (!f)
		return NULL;
	event_text(f, d->named, ev, mem);
	fflush(f);
	if (d->len > TEXT_MAX) {
		fseek(f, TEXT_MAX, SEEK_SET);
		fputs("...", f);
	}
	fputc('\0', f);
	at = (size_t)ftell(f);
	if (ev->type == REC_SYSCALL) {
		decode_call(&c, ev, mem);
		decode_name(f, &c);
	}
	fputc('\0', f);
	if (fclose(f))
		return NULL;
	*name = d->text + at;
	return d->text;
}

static enum bar_kind call_kind(const struct event *ev, const struct memory *mem, uint64_t took)
{
	struct call c;

	decode_call(&c, ev, mem);
	if (c.row && c.row->block != BLOCK_NEVER && took > WAIT_NS)
		return BAR_WAIT;
	return c.failed ? BAR_FAILED : BAR_CALL;
}

static enum bar_kind kind_of(const struct event *ev, const struct memory *mem, const struct drawn_thread *t, uint64_t took)
{
	switch (ev->type) {
	case REC_SYSCALL:
		return t->gave_way ? BAR_WAIT : call_kind(ev, mem, took);
	case REC_EXEC:
		return BAR_IMAGE;
	case REC_SIGNAL:
	case REC_FAULT:
		return BAR_SIGNAL;
	case REC_SCHED:
	case REC_TURN:
		return BAR_SWITCH;
	case REC_EXIT:
		return BAR_END;
	default:
		return BAR_OTHER;
	}
}

static const char *name_of(const struct event *ev, const char *call)
{
	switch (ev->type) {
	case REC_SYSCALL:
		return call;
	case REC_EXEC:
		return "execve";
	case REC_SIGNAL:
	case REC_FAULT:
		return dump_signal_name(ev);
	case REC_SCHED:
		return "gives way";
	case REC_TURN:
		return "turn";
	case REC_EXIT:
		return "exit";
	case REC_FORK:
		return "made";
	default:
		return "note";
	}
}

static bool draw_bar(struct drawing *d, struct drawn_thread *t, int nth, const struct event *ev, const struct memory *mem)
{
	uint64_t ns = ev->time_ns > d->start_ns ? ev->time_ns - d->start_ns : 0;
	struct bar b = { .end_ns = ns, .event = ev->index, .tid = ev->tid, .nth = nth };
	const char *call;

	b.begin_ns = t->last_ns && t->last_ns - 1 < ns ? t->last_ns - 1 : ns;
	b.kind = kind_of(ev, mem, t, ns - b.begin_ns);
	b.text = describe(d, ev, mem, &call);
	if (!b.text)
		return false;
	b.name = name_of(ev, call);
	t->last_ns = ns + 1; /* 0: none yet */
	t->gave_way = ev->type == REC_SCHED;
	return d->form->bar(&d->out, d->proc, &b);
}

static bool draw_event(void *arg, const struct trace_proc *p, const struct event *ev, const struct memory *mem)
{
	struct drawing *d = arg;
	struct drawn_thread *t;
	bool good = true;

	(void)p;
	progress_line(&d->line, ++d->done);
	if (ev->type == REC_TSC || event_starts_image(ev, mem))
		return true;
	if (d->shown == d->limit) {
		d->cut = true;
		return false;
	}
	d->shown++;
	t = thread_of(d, ev->tid);
	if (ev->type == REC_FORK)
		good = d->form->birth(&d->out, procs_find(d->procs, d->proc->parent), d->proc,
				      ev->time_ns > d->start_ns ? ev->time_ns - d->start_ns : 0);
	d->failed = !good || !t || !draw_bar(d, t, (int)d->last + 1, ev, mem);
	return !d->failed;
}

static bool draw_process(struct drawing *d, int dir, const char *path, const struct proc *p)
{
	const struct trace_filter f = { .to = UINT64_MAX, .number = p->number };
	bool good;

	d->proc = p;
	d->nthreads = 0;
	d->failed = !d->form->process(&d->out, p);
	good = !d->failed && trace_each_event(dir, path, d->named, &f, draw_event, d);
	d->failed |= !d->form->process_end(&d->out, p);
	if (d->failed)
		message_error("out of memory");
	return good && !d->failed;
}

static bool draw(struct drawing *d, int dir, const char *path, const struct manifest *m, const struct trace_proc *one)
{
	bool good = d->form->begin(&d->out, m);

	d->start_ns = UINT64_MAX;
	for (size_t i = 0; i < d->procs->n; i++)
		if (d->procs->p[i].start_ns && d->procs->p[i].start_ns < d->start_ns)
			d->start_ns = d->procs->p[i].start_ns;
	progress_line_begin(&d->line, progress_line_wanted() ? trace_count_events(dir, d->named, one) : 0, "events");
	for (size_t i = 0; good && i < d->procs->n && !d->cut; i++)
		if (!one || one->number == d->procs->p[i].number)
			good = draw_process(d, dir, path, &d->procs->p[i]);
	progress_line_end(&d->line);
	if (!d->form->end(&d->out, d->cut) && good) {
		message_error("out of memory");
		good = false;
	}
	free(d->thread);
	free(d->text);
	return good;
}

static const struct timeline_form *form_of(const char *output)
{
	const char *dot = strrchr(output, '.');

	if (dot && (!strcmp(dot, ".html") || !strcmp(dot, ".htm")))
		return &timeline_html;
	if (dot && !strcmp(dot, ".json"))
		return &timeline_chrome;
	message_error("%s: is it to be a page or for Perfetto?", output);
	message_hint("name it FILE.html or FILE.json");
	return NULL;
}

static int cannot_write(const char *output, int error)
{
	message_error("cannot write %s: %s", output, strerror(error));
	message_hint("check the directory's permissions and the disk's space");
	return STATUS_FAILED;
}

static int write_timeline(int dir, const char *path, const struct options *o, struct drawing *d, const struct manifest *m)
{
	const struct trace_proc *one = o->pid ? trace_proc_find(d->named, path, o->pid) : NULL;
	bool good, written;

	if (o->pid && !one)
		return STATUS_FAILED;
	d->out.f = fopen(o->output, "we");
	if (!d->out.f)
		return cannot_write(o->output, errno);
	good = draw(d, dir, path, m, one);
	written = !ferror(d->out.f);
	if (fclose(d->out.f) || !written)
		return cannot_write(o->output, errno ? errno : EIO);
	if (d->cut)
		message("%s shows the first %" PRIu64 " events: --limit shows more, --pid one process", o->output, d->limit);
	return good ? STATUS_OK : STATUS_FAILED;
}

int cmd_timeline(int argc, char **argv)
{
	struct options o = { .output = "timeline.html", .limit = LIMIT };
	struct drawing d = { .line = { .what = "drawing" } };
	struct trace_procs named;
	struct manifest m;
	struct procs procs;
	char path[4096];
	int first, status;

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	d.form = form_of(o.output);
	if (!d.form)
		return STATUS_USAGE;
	d.limit = o.limit;
	cleanup_close int dir = trace_open(first < argc ? argv[first] : NULL, path, sizeof(path));

	if (dir < 0 || !trace_manifest(dir, path, &m))
		return STATUS_FAILED;
	status = STATUS_FAILED;
	if (trace_procs_read(dir, path, &named)) {
		if (procs_read(dir, path, &m, &procs)) {
			d.named = &named;
			d.procs = &procs;
			if (procs_scan(dir, &procs))
				status = write_timeline(dir, path, &o, &d, &m);
			procs_free(&procs);
		}
		trace_procs_free(&named);
	}
	manifest_free(&m);
	return status;
}
