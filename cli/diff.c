/* sandrec diff: where two recordings differ in what they asked of Linux and what they got. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "cli/align.h"
#include "cli/cli.h"
#include "cli/diff_print.h"
#include "cli/message.h"
#include "cli/progress_line.h"
#include "vmm/cleanup.h"

#define STATUS_DIFFERENT 1
#define STATUS_TROUBLE 2 /* as diff(1) */

struct options {
	bool json, quiet;
	uint64_t context;
	struct compare_how how;
};

static const struct cli_option options[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct options, json), NULL, "print a JSON object" },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct options, quiet), NULL, "print nothing; the exit status says it" },
	{ "pids", 0, OPT_FLAG, offsetof(struct options, how.pids), NULL, "compare process numbers too" },
	{ "addresses", 0, OPT_FLAG, offsetof(struct options, how.addresses), NULL, "compare addresses too" },
	{ "times", 0, OPT_FLAG, offsetof(struct options, how.times), NULL, "compare what clocks said too" },
	{ "random", 0, OPT_FLAG, offsetof(struct options, how.random), NULL, "compare what getrandom gave too" },
	{ "no-data", 0, OPT_FLAG, offsetof(struct options, how.no_data), NULL, "do not compare what is in buffers" },
	{ "syscall", 0, OPT_STRING, offsetof(struct options, how.syscall), "NAME",
	  "only this call: openat, or ioctl$TCGETS" },
	{ "context", 0, OPT_UINT, offsetof(struct options, context), "N", "show N equal events around (default: 2)" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "diff",
	.operands = "TRACE TRACE",
	.summary = "compare the system calls of two recordings",
	.text = "Processes are compared with their counterparts (the first with the first, children by what they executed and\n"
		"in which order they were made), threads in the order in which they began. A line with - stands in the first\n"
		"recording only, one with + in the second; the number is the event's. Exit status: 0 no difference, 1 some,\n"
		"2 trouble.",
	.options = options,
	.min = 2,
	.max = 2,
	.usage_status = STATUS_TROUBLE,
};

/* One side of a pair of processes: the events of its threads. */
struct load {
	const struct compare_how *how;
	const struct side *side;
	struct sequence *seq;
	size_t nseq;
	struct progress_line *line;
	uint64_t *done;
	struct text_buffer buf;
	bool failed;
};

static struct sequence *sequence_of(struct load *l, int number, int tid)
{
	const struct pairing_thread *t = side_thread(l->side, number, tid);
	struct sequence *more;

	if (!t)
		return NULL; /* the trace has grown since: it is being recorded */
	if ((size_t)t->nth > l->nseq) {
		more = reallocarray(l->seq, (size_t)t->nth, sizeof(*more));
		if (!more)
			return NULL;
		memset(more + l->nseq, 0, ((size_t)t->nth - l->nseq) * sizeof(*more));
		l->seq = more;
		l->nseq = (size_t)t->nth;
	}
	return &l->seq[t->nth - 1];
}

static bool load_event(void *arg, const struct trace_proc *p, const struct event *ev, const struct memory *mem)
{
	struct load *l = arg;
	struct sequence *s;
	const char *text;

	progress_line(l->line, ++*l->done);
	if (!compare_wanted(l->how, ev, mem))
		return true;
	s = sequence_of(l, p->number, ev->tid);
	text = s ? text_of_event(&l->buf, l->how, &l->side->ids, ev, mem, SIZE_MAX) : NULL;
	l->failed = !text || !sequence_add(s, XXH3_64bits(text, l->buf.len), compare_kind(ev), ev->index);
	return !l->failed;
}

static bool load(struct load *l, ptrdiff_t at)
{
	struct trace_filter f = { .to = UINT64_MAX };
	bool good;

	if (at < 0)
		return true;
	f.number = l->side->procs.p[at].number;
	good = trace_each_event(l->side->dir, l->side->path, &l->side->named, &f, load_event, l) && !l->failed;
	if (l->failed)
		message_error("out of memory");
	free(l->buf.text);
	return good;
}

static void free_sequences(struct load *l)
{
	for (size_t i = 0; i < l->nseq; i++)
		sequence_free(&l->seq[i]);
	free(l->seq);
}

/* The runs in which two threads differ, handed on to be printed. */
static bool compare_threads(struct diff_print *out, const struct pair *p, int nth, const struct sequence *a,
			    const struct sequence *b)
{
	struct align_run *runs;
	size_t n;
	bool good;

	if (align(a->key, a->n, b->key, b->n, &runs, &n) < 0) {
		message_error("out of memory");
		return false;
	}
	good = !n || diff_print_thread(out, p, nth, a, b, runs, n);
	free(runs);
	return good;
}

static bool compare_pair(struct diff_print *out, const struct options *o, const struct pair *p, struct progress_line *line,
			 uint64_t *done)
{
	static const struct sequence none;
	struct load a = { .how = &o->how, .side = out->a, .line = line, .done = done };
	struct load b = { .how = &o->how, .side = out->b, .line = line, .done = done };
	bool good = true;

	if (p->a < 0 || p->b < 0) {
		/* With a filter, a process that made no such call is no difference. */
		if (o->how.syscall) {
			good = load(&a, p->a) && load(&b, p->b);
			if (good && (a.nseq || b.nseq))
				good = diff_print_alone(out, p);
		} else {
			good = diff_print_alone(out, p);
		}
	} else {
		good = load(&a, p->a) && load(&b, p->b);
		for (size_t i = 0; good && (i < a.nseq || i < b.nseq); i++)
			good = compare_threads(out, p, (int)i + 1, i < a.nseq ? &a.seq[i] : &none, i < b.nseq ? &b.seq[i] : &none);
	}
	free_sequences(&a);
	free_sequences(&b);
	return good;
}

static bool compare(struct side *a, struct side *b, const struct options *o, uint64_t *differences)
{
	struct progress_line line = { .what = "comparing" };
	struct diff_print out = { .a = a, .b = b, .how = &o->how, .context = o->context < 1000 ? o->context : 1000,
				  .kind = o->quiet ? DIFF_QUIET : o->json ? DIFF_JSON : DIFF_TEXT };
	struct pairing p;
	uint64_t done = 0;
	bool good = pairing_find(a, b, &p) && diff_print_begin(&out);

	progress_line_begin(&line, progress_line_wanted() ? trace_count_events(a->dir, &a->named, NULL) +
							    trace_count_events(b->dir, &b->named, NULL) : 0, "events");
	for (size_t i = 0; good && i < p.n; i++)
		good = compare_pair(&out, o, &p.pair[i], &line, &done);
	progress_line_end(&line);
	diff_print_end(&out, good);
	pairing_free(&p);
	*differences = out.differences;
	return good;
}

static bool check_syscall(const char *name)
{
	if (!name || sys_by_name(name))
		return true;
	message_error("diff: --syscall: there is no call named %s", name);
	message_hint("`sandrec syscalls` lists them");
	return false;
}

int cmd_diff(int argc, char **argv)
{
	struct options o = { .context = 2 };
	struct side a = { .dir = -1 }, b = { .dir = -1 };
	uint64_t differences = 0;
	int first, status;

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	if (!check_syscall(o.how.syscall))
		return STATUS_TROUBLE;
	status = STATUS_TROUBLE;
	if (side_open(&a, argv[first]) && side_open(&b, argv[first + 1]) && compare(&a, &b, &o, &differences))
		status = differences ? STATUS_DIFFERENT : STATUS_OK;
	side_close(&a);
	side_close(&b);
	return status;
}
