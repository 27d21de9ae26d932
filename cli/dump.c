/* sandrec dump: a recording as text like strace's, or as one JSON object a line. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/dump_json.h"
#include "cli/event_text.h"
#include "cli/message.h"
#include "cli/trace.h"
#include "vmm/cleanup.h"

struct options {
	bool json;
	uint64_t tid, from, to;
	const char *pid, *syscall;
};

static const struct cli_option options[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct options, json), NULL, "one JSON object a line" },
	{ "pid", 0, OPT_STRING, offsetof(struct options, pid), "P", "only process P" },
	{ "tid", 0, OPT_UINT, offsetof(struct options, tid), "T", "only thread T" },
	{ "from", 0, OPT_UINT, offsetof(struct options, from), "E", "begin with event number E" },
	{ "to", 0, OPT_UINT, offsetof(struct options, to), "E", "end with event number E" },
	{ "syscall", 0, OPT_STRING, offsetof(struct options, syscall), "NAME",
	  "only this call: openat, or ioctl$TCGETS" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "dump",
	.operands = "[TRACE]",
	.summary = "print a recording as text or JSON",
	.text = "Each line begins with the event's number in its process and the thread; where a recording has several\n"
		"processes, their events are merged by time and the process stands in brackets. Buffers are cut to 32\n"
		"bytes; an address stands for memory that the recording does not hold. An execve that succeeded is one\n"
		"line, that of the new program image.",
	.options = options,
	.max = 1,
};

struct dump {
	const struct options *o;
	const struct trace_procs *procs;
	bool several; /* processes are shown */
	bool write_failed;
};

static void print_place(const struct dump *d, const struct trace_proc *p, const struct event *ev)
{
	if (!d->several)
		printf("%" PRIu64 " %d ", ev->index, ev->tid);
	else if (ev->tid == p->pid)
		printf("%" PRIu64 " [pid %s] ", ev->index, p->name);
	else
		printf("%" PRIu64 " [pid %s/%d] ", ev->index, p->name, ev->tid);
}

static bool dump_event(void *arg, const struct trace_proc *p, const struct event *ev, const struct memory *mem)
{
	struct dump *d = arg;

	if (d->o->syscall && !event_is_call(ev, mem, d->o->syscall))
		return true;
	if (d->o->json) {
		if (!dump_json(stdout, p, ev, mem)) {
			message_error("out of memory");
			d->write_failed = true;
		}
	} else if (!event_starts_image(ev, mem)) {
		print_place(d, p, ev);
		event_text(stdout, d->procs, ev, mem);
		event_more(stdout, ev, mem);
		putchar('\n');
	}
	return !d->write_failed && !ferror(stdout);
}

static bool check_syscall(const char *name)
{
	if (!name || sys_by_name(name))
		return true;
	message_error("dump: --syscall: there is no call named %s", name);
	message_hint("`sandrec syscalls` lists them");
	return false;
}

static int as_id(uint64_t v)
{
	return v > INT_MAX ? INT_MAX : (int)v; /* nobody's */
}

static bool dump(int dir, const char *path, struct dump *d)
{
	const struct options *o = d->o;
	const struct trace_proc *one = o->pid ? trace_proc_find(d->procs, path, o->pid) : NULL;
	const struct trace_filter f = { o->from, o->to, one ? one->number : 0, as_id(o->tid) };

	d->several = d->procs->n > 1 && !one;
	return (one || !o->pid) && trace_each_event(dir, path, d->procs, &f, dump_event, d);
}

int cmd_dump(int argc, char **argv)
{
	struct options o = { .to = UINT64_MAX };
	struct dump d = { .o = &o };
	char path[4096];
	int first, status;

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	if (!check_syscall(o.syscall))
		return STATUS_USAGE;
	cleanup_close int dir = trace_open(first < argc ? argv[first] : NULL, path, sizeof(path));
	struct trace_procs procs;
	bool good;

	if (dir < 0 || !trace_procs_read(dir, path, &procs))
		return STATUS_FAILED;
	d.procs = &procs;
	good = dump(dir, path, &d) && !d.write_failed;
	trace_procs_free(&procs);
	return good ? STATUS_OK : STATUS_FAILED;
}
