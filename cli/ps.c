/* sandrec ps: the processes of a recording, as a tree. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/describe.h"
#include "cli/message.h"
#include "cli/procs.h"
#include "cli/trace.h"
#include "vmm/cleanup.h"

struct options {
	bool json;
};

static const struct cli_option options[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct options, json), NULL, "print a JSON array" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "ps",
	.operands = "[TRACE]",
	.summary = "list the processes of a recording",
	.text = "Children stand below the process that made them. The command line is that of the last program each one\n"
		"executed. `sandrec dump --pid` and `sandrec replay -p` take the numbers shown here. Where several processes had\n"
		"the same pid one after the other, they are PID.1, PID.2 and so on; PID alone is the last of them.",
	.options = options,
	.max = 1,
};

#define COMMAND_SHOWN 100
#define DEPTH_SHOWN 20

/* The recording's processes in the order they began, and which of them have been shown. */
struct listing {
	const struct procs *ps;
	const struct proc **by_start;
	bool *shown;
};

static int compare_start(const void *a, const void *b)
{
	const struct proc *x = *(const struct proc *const *)a, *y = *(const struct proc *const *)b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

static void outcome(const struct proc *p, char *buf, size_t len)
{
	if (p->end == -ENODATA || p->end == -ENOENT)
		snprintf(buf, len, p->end == -ENODATA ? "cut short" : "no events");
	else if (p->end < 0)
		snprintf(buf, len, "damaged");
	else if (p->ended)
		describe_status(p->status, buf, len);
	else
		snprintf(buf, len, "running or cut");
}

static void command_line(const struct proc *p, char *buf, size_t len)
{
	char *const fallback[] = { p->comm ? p->comm : (char *)"?", NULL };

	describe_command(p->argv ? p->argv : fallback, buf, len);
}

static void print_process(const struct proc *p, unsigned depth)
{
	unsigned indent = depth < DEPTH_SHOWN ? depth : DEPTH_SHOWN;
	char how[48], text[COMMAND_SHOWN], ppid[16] = "?";

	outcome(p, how, sizeof(how));
	command_line(p, text, sizeof(text));
	if (p->ppid)
		snprintf(ppid, sizeof(ppid), "%d", p->ppid);
	printf("%7s %7s %9" PRIu64 "  %-14s %*s%s%s\n", p->name, ppid, p->events, how, indent ? 3 * (int)indent - 2 : 0, "",
	       indent ? "\\_ " : "", text);
}

static void print_tree(struct listing *l, size_t i, unsigned depth)
{
	const struct proc *p = l->by_start[i];

	if (l->shown[i])
		return;
	l->shown[i] = true;
	print_process(p, depth);
	for (size_t k = 0; k < l->ps->n; k++)
		if (l->by_start[k]->parent == p->number)
			print_tree(l, k, depth + 1);
}

static void print_text(struct listing *l)
{
	printf("%7s %7s %9s  %-14s %s\n", "PID", "PPID", "EVENTS", "OUTCOME", "COMMAND");
	for (size_t i = 0; i < l->ps->n; i++)
		if (!procs_find(l->ps, l->by_start[i]->parent))
			print_tree(l, i, 0);
	for (size_t i = 0; i < l->ps->n; i++) /* a damaged manifest may name ancestors in a circle */
		print_tree(l, i, 0);
}

static json_t *process_json(const struct proc *p)
{
	json_t *o = json_object(), *argv = json_array();
	char how[48];

	outcome(p, how, sizeof(how));
	for (size_t i = 0; p->argv && p->argv[i]; i++)
		json_array_append_new(argv, describe_text(p->argv[i]));
	json_object_set_new(o, "number", json_integer(p->number));
	json_object_set_new(o, "parent", p->parent ? json_integer(p->parent) : json_null());
	json_object_set_new(o, "pid", json_integer(p->pid));
	json_object_set_new(o, "ppid", p->ppid ? json_integer(p->ppid) : json_null());
	json_object_set_new(o, "argv", argv);
	json_object_set_new(o, "images", json_integer((json_int_t)p->nimages));
	json_object_set_new(o, "events", json_integer((json_int_t)p->events));
	json_object_set_new(o, "bytes", json_integer((json_int_t)p->bytes));
	json_object_set_new(o, "intact", json_boolean(!p->end));
	json_object_set_new(o, "outcome", json_string(how));
	if (p->ended)
		json_object_set_new(o, "status", json_integer(p->status));
	if (p->start_ns) {
		json_object_set_new(o, "start_ns", json_integer((json_int_t)p->start_ns));
		json_object_set_new(o, "end_ns", json_integer((json_int_t)p->end_ns));
	}
	return o;
}

static void print_json(const struct listing *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->ps->n; i++)
		json_array_append_new(list, process_json(l->by_start[i]));
	json_dumpf(list, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(list);
}

static int list(const struct procs *ps, bool json)
{
	cleanup_free const struct proc **by_start = calloc(ps->n + 1, sizeof(*by_start));
	cleanup_free bool *shown = calloc(ps->n + 1, sizeof(*shown));
	struct listing l = { ps, by_start, shown };

	if (!by_start || !shown) {
		message_error("out of memory");
		return STATUS_FAILED;
	}
	for (size_t i = 0; i < ps->n; i++)
		by_start[i] = &ps->p[i];
	qsort(by_start, ps->n, sizeof(*by_start), compare_start);
	if (json)
		print_json(&l);
	else
		print_text(&l);
	return STATUS_OK;
}

int cmd_ps(int argc, char **argv)
{
	struct options o = { 0 };
	struct procs ps;
	struct manifest m;
	char path[4096];
	int first, status;
	bool good;

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	cleanup_close int dir = trace_open(first < argc ? argv[first] : NULL, path, sizeof(path));

	if (dir < 0 || !trace_manifest(dir, path, &m))
		return STATUS_FAILED;
	good = procs_read(dir, path, &m, &ps);
	manifest_free(&m);
	if (!good)
		return STATUS_FAILED;
	status = procs_scan(dir, &ps) ? list(&ps, o.json) : STATUS_FAILED;
	procs_free(&ps);
	return status;
}
