/*
 * A timeline in Chrome's trace event format, for Perfetto: "Trace Event Format", the JSON object form. Complete events
 * (X) for bars, instants (i) for moments, metadata (M) for names, flow events (s, f) from a parent to its child.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "cli/describe.h"
#include "cli/timeline.h"

static const char *const categories[] = { "syscall", "wait", "error", "exec", "signal", "switch", "exit", "other" };

/* Viewers know processes by one number; pids may have been used twice. */
static int id_of(const struct proc *p)
{
	return p->number;
}

static void put_us(FILE *f, const char *key, uint64_t ns)
{
	fprintf(f, ",\"%s\":%" PRIu64 ".%03" PRIu64, key, ns / 1000, ns % 1000);
}

static bool begin(struct timeline *t, const struct manifest *m)
{
	char command[200] = "?";

	if (m->argv)
		describe_command(m->argv, command, sizeof(command));
	fputs("{\"displayTimeUnit\":\"ns\",\"otherData\":{\"recorder\":\"sandrec\",\"command\":", t->f);
	if (!timeline_put_string(t->f, command))
		return false;
	fputs("},\n\"traceEvents\":[\n{\"ph\":\"M\",\"pid\":0,\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":\"sandrec\"}}", t->f);
	return true;
}

static bool process(struct timeline *t, const struct proc *p)
{
	char *const fallback[] = { p->comm ? p->comm : (char *)"?", NULL };
	char command[120], name[160];

	describe_command(p->argv ? p->argv : fallback, command, sizeof(command));
	snprintf(name, sizeof(name), "%s (pid %s)", command, p->name);
	fprintf(t->f, ",\n{\"ph\":\"M\",\"pid\":%d,\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":", id_of(p));
	if (!timeline_put_string(t->f, name))
		return false;
	fprintf(t->f, "}},\n{\"ph\":\"M\",\"pid\":%d,\"tid\":0,\"name\":\"process_sort_index\",\"args\":{\"sort_index\":%d}}", id_of(p),
		p->number);
	return true;
}

static bool bar(struct timeline *t, const struct proc *p, const struct bar *b)
{
	bool moment = bar_is_moment(b->kind);

	fprintf(t->f, ",\n{\"ph\":\"%s\",\"pid\":%d,\"tid\":%d,\"cat\":\"%s\",\"name\":", moment ? "i" : "X", id_of(p), b->tid,
		categories[b->kind]);
	if (!timeline_put_string(t->f, b->name))
		return false;
	put_us(t->f, "ts", moment ? b->end_ns : b->begin_ns);
	if (moment)
		fputs(",\"s\":\"t\"", t->f);
	else
		put_us(t->f, "dur", b->end_ns - b->begin_ns);
	fprintf(t->f, ",\"args\":{\"event\":%" PRIu64 ",\"text\":", b->event);
	if (!timeline_put_string(t->f, b->text))
		return false;
	fputs("}}", t->f);
	return true;
}

static bool process_end(struct timeline *t, const struct proc *p)
{
	(void)t, (void)p;
	return true;
}

static bool birth(struct timeline *t, const struct proc *parent, const struct proc *child, uint64_t ns)
{
	if (!parent)
		return true;
	fprintf(t->f, ",\n{\"ph\":\"s\",\"pid\":%d,\"tid\":%d,\"cat\":\"fork\",\"name\":\"fork\",\"id\":%d", id_of(parent), parent->pid,
		child->number);
	put_us(t->f, "ts", ns);
	fprintf(t->f, "},\n{\"ph\":\"f\",\"bp\":\"e\",\"pid\":%d,\"tid\":%d,\"cat\":\"fork\",\"name\":\"fork\",\"id\":%d", id_of(child),
		child->pid, child->number);
	put_us(t->f, "ts", ns);
	fputc('}', t->f);
	return true;
}

static bool end(struct timeline *t, bool cut)
{
	(void)cut;
	fputs("\n]}\n", t->f);
	return true;
}

const struct timeline_form timeline_chrome = { begin, process, bar, process_end, birth, end };
