/* sandrec dump: a recording as text like strace's, or as one JSON object a line. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/dump_json.h"
#include "cli/message.h"
#include "cli/trace.h"
#include "syscall-emu/loader.h"
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

static void print_exec(FILE *out, const struct event *ev)
{
	struct exec_params x;
	size_t n = 0;

	if (exec_params_decode(ev->annex, ev->annex_len, &x) < 0) {
		fputs("execve(?) = 0", out);
		return;
	}
	fputs("execve(", out);
	decode_quoted(out, x.path, strlen(x.path), false);
	fputs(", [", out);
	for (size_t i = 0; x.argv[i]; i++) {
		size_t len = strlen(x.argv[i]);
		bool more = len > DECODE_STRING_MAX;

		fputs(i ? ", " : "", out);
		decode_quoted(out, x.argv[i], more ? DECODE_STRING_MAX : len, more);
	}
	while (x.envp[n])
		n++;
	fprintf(out, "], /* %zu variable%s */) = 0", n, n == 1 ? "" : "s");
	exec_params_free(&x);
}

static void print_fork(FILE *out, const struct trace_procs *ps, const struct event *ev)
{
	const struct trace_proc *parent;
	struct fork_annex f;

	if (ev->annex_len != sizeof(f)) {
		fputs("--- made by an unknown process ---", out);
		return;
	}
	memcpy(&f, ev->annex, sizeof(f));
	parent = trace_proc_numbered(ps, f.parent_number);
	if (parent)
		fprintf(out, "--- made by process %s ---", parent->name);
	else
		fprintf(out, "--- made by process %d ---", f.parent);
}

static void print_call(FILE *out, const struct event *ev, const struct memory *mem)
{
	struct call c;

	decode_call(&c, ev, mem);
	decode_name(out, &c);
	fputc('(', out);
	for (unsigned i = 0; i < decode_nargs(&c); i++) {
		fputs(i ? ", " : "", out);
		decode_arg(out, &c, i);
	}
	fputs(") = ", out);
	decode_result(out, &c);
	decode_text(out, &c);
}

static void print_branches(FILE *out, const struct event *ev)
{
	uint64_t count;

	if (dump_branches(ev, &count))
		fprintf(out, ", branch %" PRIu64, count);
}

static void print_event(FILE *out, const struct trace_procs *ps, const struct event *ev, const struct memory *mem)
{
	switch (ev->type) {
	case REC_EXEC:
		print_exec(out, ev);
		break;
	case REC_FORK:
		print_fork(out, ps, ev);
		break;
	case REC_SYSCALL:
		print_call(out, ev, mem);
		break;
	case REC_SIGNAL:
	case REC_FAULT:
		fprintf(out, "--- %s ", dump_signal_name(ev));
		decode_siginfo(out, ev->annex, ev->annex_len);
		if (dump_is_at_point(ev))
			fprintf(out, " in a computation, at rip %#" PRIx64, ev->regs.rip);
		print_branches(out, ev);
		fputs(" ---", out);
		break;
	case REC_TSC:
		fprintf(out, "%s = %" PRIu64, ev->annex_len ? "rdtscp" : "rdtsc", (uint64_t)ev->result);
		break;
	case REC_EXIT:
		fputs("+++ ", out);
		decode_wait_status(out, (int)ev->result);
		fputs(" +++", out);
		break;
	case REC_SCHED:
		if (memory_written(mem))
			fprintf(out, "~~~ sees %" PRIu64 " bytes the kernel has written, ", memory_written(mem));
		else
			fputs("~~~ gives way ", out);
		fprintf(out, "%s, at rip %#" PRIx64,
			ev->flags & REC_F_POINT ? "in a computation" : "at a system call", ev->regs.rip);
		print_branches(out, ev);
		fputs(" ~~~", out);
		break;
	case REC_TURN:
		fprintf(out, "~~~ turn %" PRId64 " of the processes that share memory ~~~", ev->result);
		break;
	case REC_NOTE:
		fputs("note: ", out);
		decode_quoted(out, ev->annex, ev->annex ? ev->annex_len : 0, false);
		break;
	default:
		fprintf(out, "event of unknown kind %u", ev->type);
	}
}

static bool is_exec(const char *name)
{
	return !strcmp(name, "execve") || !strcmp(name, "execveat");
}

/* The image that follows says the same, and more. */
static bool is_successful_exec(const struct event *ev, const struct memory *mem)
{
	struct call c;

	if (ev->type != REC_SYSCALL || ev->result)
		return false;
	decode_call(&c, ev, mem);
	return c.row && is_exec(c.row->name);
}

/* A call's name, or that of one of its commands. */
static bool wanted(const char *name, const struct event *ev, const struct memory *mem)
{
	size_t len = strlen(name);
	struct call c;

	if (ev->type == REC_EXEC)
		return is_exec(name);
	if (ev->type != REC_SYSCALL)
		return false;
	decode_call(&c, ev, mem);
	return c.row && !strncmp(c.row->name, name, len) && (!c.row->name[len] || c.row->name[len] == '$');
}

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

	if (d->o->syscall && !wanted(d->o->syscall, ev, mem))
		return true;
	if (d->o->json) {
		if (!dump_json(stdout, p, ev, mem)) {
			message_error("out of memory");
			d->write_failed = true;
		}
	} else if (!is_successful_exec(ev, mem)) {
		print_place(d, p, ev);
		print_event(stdout, d->procs, ev, mem);
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
