/* sandrec stat: what a recording holds, in numbers. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/describe.h"
#include "cli/message.h"
#include "cli/progress_line.h"
#include "cli/tally.h"
#include "cli/trace.h"
#include "vmm/cleanup.h"

struct options {
	bool json;
	const char *pid;
	int order;
};

static const struct cli_option options[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct options, json), NULL, "print a JSON object" },
	{ "pid", 0, OPT_STRING, offsetof(struct options, pid), "P", "only process P" },
	{ "sort", 0, OPT_CHOICE, offsetof(struct options, order), "time|calls|errors|bytes|name|outside",
	  "the order of the system calls" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "stat",
	.operands = "[TRACE]",
	.summary = "count system calls, times and bytes",
	.text = "TIME is what passed from the thread's previous event to the end of the call: the call, and what the program\n"
		"computed before it. MOVED: bytes, by the results of calls that return a length. RECORDED: bytes in the\n"
		"recording, before compression. OUTSIDE: calls for which the program left the machine, all others were made\n"
		"on the fast path.",
	.options = options,
	.max = 1,
};

struct count {
	struct tally tally;
	struct progress_line progress;
	bool failed;
};

static bool count_event(void *arg, const struct trace_proc *p, const struct event *ev, const struct memory *mem)
{
	struct count *c = arg;

	progress_line(&c->progress, c->tally.events);
	c->failed = !tally_event(&c->tally, p->number, ev, mem);
	if (c->failed)
		message_error("out of memory");
	return !c->failed;
}

static const struct {
	uint8_t type;
	const char *key, *one, *more;
} kinds[] = {
	{ REC_SYSCALL, "syscalls", "system call", "system calls" },
	{ REC_EXEC, "images", "program image", "program images" },
	{ REC_FORK, "forks", "process made", "processes made" },
	{ REC_SIGNAL, "signals", "signal", "signals" },
	{ REC_FAULT, "faults", "fault", "faults" },
	{ REC_TSC, "tsc", "time stamp", "time stamps" },
	{ REC_SCHED, "switches", "thread switch", "thread switches" },
	{ REC_TURN, "turns", "turn among processes", "turns among processes" },
	{ REC_EXIT, "exits", "exit", "exits" },
	{ REC_NOTE, "notes", "note", "notes" },
};

#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static size_t count_processes(const struct tally *t, const struct trace_procs *ps)
{
	size_t n = 0;

	for (size_t i = 0; i < ps->n; i++)
		n += tally_process(t, ps->p[i].number).events > 0;
	return n;
}

static const struct {
	const char *key, *text;
} verdicts[SITE_VERDICTS] = {
	[SITE_PATCHED] = { "patched", "replaced by a jump" },
	[SITE_SHAPE] = { "unknown_shape", "of unknown shape" },
	[SITE_UNPROVEN] = { "unproven", "not understood" },
	[SITE_FAR] = { "out_of_reach", "out of reach" },
	[SITE_MEMORY] = { "other_memory", "in memory that may change" },
};

/* What became of the places where busy calls are made, and what it was good for. */
static void print_sites(const struct tally *t)
{
	const char *sep = "system call sites: ";
	uint64_t sum = 0;

	for (unsigned i = 0; i < SITE_VERDICTS; i++)
		sum += t->sites[i];
	if (!sum && !t->jumped)
		return;
	for (unsigned i = 0; i < SITE_VERDICTS; i++) {
		if (!t->sites[i])
			continue;
		printf("%s%" PRIu64 " %s", sep, t->sites[i], verdicts[i].text);
		sep = ", ";
	}
	printf("%s%" PRIu64 " calls came by a jump\n", sum ? "; " : "", t->jumped);
}

static json_t *sites_json(const struct tally *t)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < SITE_VERDICTS; i++)
		json_object_set_new(o, verdicts[i].key, json_integer((json_int_t)t->sites[i]));
	json_object_set_new(o, "calls", json_integer((json_int_t)t->jumped));
	return o;
}

static void print_head(const char *path, const struct tally *t, const struct trace_procs *ps)
{
	size_t procs = count_processes(t, ps);
	const char *sep = "";

	printf("%s: %" PRIu64 " event%s in %.3f s, %zu process%s, %zu thread%s\n", path, t->events, t->events == 1 ? "" : "s",
	       seconds(t->last_ns - t->first_ns), procs, procs == 1 ? "" : "es", t->nthreads, t->nthreads == 1 ? "" : "s");
	for (size_t i = 0; i < NKINDS; i++) {
		uint64_t n = t->kind[kinds[i].type];

		if (!n)
			continue;
		printf("%s%" PRIu64 " %s", sep, n, n == 1 ? kinds[i].one : kinds[i].more);
		sep = ", ";
	}
	putchar('\n');
	if (t->sum.served)
		printf("%" PRIu64 " of the system calls were made on the fast path, inside the machine\n", t->sum.served);
}

static void print_sums(const struct tally_sums *s, const char *name)
{
	char moved[16], recorded[16];

	describe_size(s->moved, moved, sizeof(moved));
	describe_size(s->recorded, recorded, sizeof(recorded));
	printf("%9" PRIu64 " %9" PRIu64 " %8" PRIu64 " %11.6f %8s %9s  %s\n", s->calls, s->calls - s->served, s->errors,
	       seconds(s->ns), moved, recorded, name);
}

static void print_header(const char *last)
{
	printf("\n%9s %9s %8s %11s %8s %9s  %s\n", "CALLS", "OUTSIDE", "ERRORS", "TIME", "MOVED", "RECORDED", last);
}

static void print_calls(const struct tally *t)
{
	print_header("SYSTEM CALL");
	for (size_t i = 0; i < t->ncalls; i++)
		print_sums(&t->call[i].sum, t->call[i].name);
	print_sums(&t->sum, "total");
}

static size_t threads_of(const struct tally *t, int process)
{
	size_t n = 0;

	for (size_t i = 0; i < t->nthreads; i++)
		n += t->thread[i].process == process;
	return n;
}

/* A process by its name, its threads below it where it has several. */
static void print_processes(const struct tally *t, const struct trace_procs *ps)
{
	print_header("PROCESS");
	for (size_t i = 0; i < ps->n; i++) {
		struct tally_thread all = tally_process(t, ps->p[i].number);
		char name[48];

		if (!all.events)
			continue;
		print_sums(&all.sum, ps->p[i].name);
		for (size_t k = 0; threads_of(t, all.process) > 1 && k < t->nthreads; k++) {
			if (t->thread[k].process != all.process)
				continue;
			snprintf(name, sizeof(name), "   thread %d", t->thread[k].tid);
			print_sums(&t->thread[k].sum, name);
		}
	}
}

static json_t *sums_json(const struct tally_sums *s)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "calls", (json_int_t)s->calls, "fast_path",
			 (json_int_t)s->served, "errors", (json_int_t)s->errors,
			 "time_ns", (json_int_t)s->ns, "moved", (json_int_t)s->moved, "recorded",
			 (json_int_t)s->recorded);
}

static json_t *calls_json(const struct tally *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->ncalls; i++) {
		json_t *o = sums_json(&t->call[i].sum);

		json_object_set_new(o, "name", json_string(t->call[i].name));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *threads_json(const struct tally *t, const struct trace_procs *ps)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->nthreads; i++) {
		const struct tally_thread *th = &t->thread[i];
		const struct trace_proc *p = trace_proc_numbered(ps, th->process);
		json_t *o = sums_json(&th->sum);

		json_object_set_new(o, "process", json_string(p->name));
		json_object_set_new(o, "pid", json_integer(p->pid));
		json_object_set_new(o, "tid", json_integer(th->tid));
		json_object_set_new(o, "events", json_integer((json_int_t)th->events));
		json_object_set_new(o, "start_ns", json_integer((json_int_t)th->first_ns));
		json_object_set_new(o, "end_ns", json_integer((json_int_t)th->last_ns));
		json_array_append_new(list, o);
	}
	return list;
}

static void print_json(const char *path, const struct tally *t, const struct trace_procs *ps)
{
	json_t *o = json_object(), *events = json_object();

	json_object_set_new(o, "path", describe_text(path));
	for (size_t i = 0; i < NKINDS; i++)
		json_object_set_new(events, kinds[i].key, json_integer((json_int_t)t->kind[kinds[i].type]));
	json_object_set_new(o, "events", events);
	json_object_set_new(o, "start_ns", json_integer((json_int_t)t->first_ns));
	json_object_set_new(o, "end_ns", json_integer((json_int_t)t->last_ns));
	json_object_set_new(o, "fast_path", json_integer((json_int_t)t->sum.served));
	json_object_set_new(o, "sites", sites_json(t));
	json_object_set_new(o, "syscalls", calls_json(t));
	json_object_set_new(o, "threads", threads_json(t, ps));
	json_object_set_new(o, "total", sums_json(&t->sum));
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(o);
}

static void print(const char *path, const struct tally *t, const struct trace_procs *ps)
{
	print_head(path, t, ps);
	print_sites(t);
	print_calls(t);
	print_processes(t, ps);
}

static int count(int dir, const char *path, const struct options *o, const struct trace_procs *ps)
{
	const struct trace_proc *one = o->pid ? trace_proc_find(ps, path, o->pid) : NULL;
	const struct trace_filter f = { .to = UINT64_MAX, .number = one ? one->number : 0 };
	struct count c = { .progress = { "counting" } };
	bool good;

	if (o->pid && !one)
		return STATUS_FAILED;
	progress_line_begin(&c.progress, progress_line_wanted() ? trace_count_events(dir, ps, one) : 0, "events");
	good = trace_each_event(dir, path, ps, &f, count_event, &c) && !c.failed;
	progress_line_end(&c.progress);
	if (!c.failed) {
		tally_sort_calls(&c.tally, (enum tally_order)o->order);
		(o->json ? print_json : print)(path, &c.tally, ps);
	}
	tally_free(&c.tally);
	return good ? STATUS_OK : STATUS_FAILED;
}

int cmd_stat(int argc, char **argv)
{
	struct options o = { 0 };
	struct trace_procs ps;
	char path[4096];
	int first, status;

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	cleanup_close int dir = trace_open(first < argc ? argv[first] : NULL, path, sizeof(path));

	if (dir < 0 || !trace_procs_read(dir, path, &ps))
		return STATUS_FAILED;
	status = count(dir, path, &o, &ps);
	trace_procs_free(&ps);
	return status;
}
