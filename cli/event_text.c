/* Events as lines of text. Contract: event_text.h. */
#include <inttypes.h>
#include <string.h>

#include "cli/dump_json.h"
#include "cli/event_text.h"
#include "syscall-emu/loader.h"

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
}

static void print_branches(FILE *out, const struct event *ev)
{
	uint64_t count;

	if (dump_branches(ev, &count))
		fprintf(out, ", branch %" PRIu64, count);
}

void event_more(FILE *out, const struct event *ev, const struct memory *mem)
{
	struct call c;

	if (ev->type != REC_SYSCALL)
		return;
	decode_call(&c, ev, mem);
	decode_text(out, &c);
}

void event_text(FILE *out, const struct trace_procs *ps, const struct event *ev, const struct memory *mem)
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
			fprintf(out, "~~~ sees %" PRIu64 " bytes that others have written, ", memory_written(mem));
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

bool event_starts_image(const struct event *ev, const struct memory *mem)
{
	struct call c;

	if (ev->type != REC_SYSCALL || ev->result)
		return false;
	decode_call(&c, ev, mem);
	return c.row && is_exec(c.row->name);
}

bool event_is_call(const struct event *ev, const struct memory *mem, const char *name)
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
