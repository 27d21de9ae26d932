/* sandrec info: what a recording holds. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/decode.h"
#include "cli/describe.h"
#include "cli/procs.h"
#include "cli/trace.h"
#include "vmm/cleanup.h"

struct options {
	bool json;
};

static const struct cli_option options[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct options, json), NULL, "print a JSON object" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "info",
	.operands = "[TRACE]",
	.summary = "say what a recording holds",
	.options = options,
	.max = 1,
};

static const char *end_text(int end)
{
	if (!end)
		return "";
	return end == -ENODATA ? ", cut short" : end == -ENOENT ? ", its events are missing" : ", damaged";
}

/* One line, whatever the trace says. */
static void line(const char *label, const char *text)
{
	printf("%-10s ", label);
	for (; text && *text; text++)
		putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
	putchar('\n');
}

static void print_process(const struct proc *p)
{
	cleanup_free char *text = NULL;
	char size[16];
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return;
	describe_size(p->bytes, size, sizeof(size));
	fprintf(f, "%s (%s), %" PRIu64 " event%s in %s%s", p->name, p->comm ? p->comm : "?", p->events,
		p->events == 1 ? "" : "s", size, end_text(p->end));
	if (p->ended) {
		fputs(", ", f);
		decode_wait_status(f, p->status);
	}
	if (!fclose(f))
		line("process", text);
}

/* What compression and keeping files once make of it. A file that two recordings share is counted in each. */
struct weight {
	uint64_t records, stored, files;
};

static struct weight weigh(const struct description *d, const struct procs *ps)
{
	struct weight w = { 0 };

	for (size_t i = 0; i < ps->n; i++) {
		w.records += ps->p[i].records;
		w.stored += ps->p[i].bytes;
	}
	w.files = d->bytes > w.stored ? d->bytes - w.stored : 0;
	return w;
}

static void print_weight(const struct weight *w)
{
	char records[16], stored[16], files[16], text[128];

	describe_size(w->records, records, sizeof(records));
	describe_size(w->stored, stored, sizeof(stored));
	describe_size(w->files, files, sizeof(files));
	snprintf(text, sizeof(text), "%s of records in %s (1/%.1f), %s of files", records, stored,
		 w->stored ? (double)w->records / (double)w->stored : 0.0, files);
	line("holds", text);
}

static void print_text(const char *path, const struct description *d, const struct procs *ps)
{
	const struct manifest *m = &d->manifest;
	const struct weight w = weigh(d, ps);
	char text[64];
	size_t n = 0;

	line("trace", path);
	line("command", d->command);
	line("directory", m->cwd);
	line("started", d->start);
	line("took", d->duration);
	line("outcome", d->outcome);
	line("machine", m->host);
	line("kernel", m->kernel);
	while (m->envp && m->envp[n])
		n++;
	snprintf(text, sizeof(text), "%zu variables", n);
	line("environ", text);
	snprintf(text, sizeof(text), "%u leaves, XCR0 %#" PRIx64, m->cpu.n, m->cpu.xcr0);
	line("cpuid", text);
	line("clock", m->clock);
	if (m->chaos) {
		snprintf(text, sizeof(text), "seed %" PRIu64 ", %" PRIu64 " places, %" PRIu64 " forced switches", m->seed, m->places,
			 m->switches);
		line("chaos", text);
	}
	snprintf(text, sizeof(text), "%d, by sandrec %.40s", m->format, m->sandrec ? m->sandrec : "?");
	line("format", text);
	snprintf(text, sizeof(text), "%s (%" PRIu64 " bytes)", d->size, d->bytes);
	line("size", text);
	print_weight(&w);
	for (size_t i = 0; i < ps->n; i++)
		print_process(&ps->p[i]);
}

static json_t *process_json(const struct proc *p)
{
	json_t *o = json_object();

	json_object_set_new(o, "number", json_integer(p->number));
	json_object_set_new(o, "pid", json_integer(p->pid));
	json_object_set_new(o, "ppid", json_integer(p->ppid));
	json_object_set_new(o, "comm", describe_text(p->comm));
	json_object_set_new(o, "events", json_integer((json_int_t)p->events));
	json_object_set_new(o, "bytes", json_integer((json_int_t)p->bytes));
	json_object_set_new(o, "intact", json_boolean(!p->end));
	if (p->ended)
		json_object_set_new(o, "status", json_integer(p->status));
	return o;
}

static void print_json(const char *path, const struct description *d, const struct procs *ps)
{
	const struct manifest *m = &d->manifest;
	const struct weight w = weigh(d, ps);
	json_t *o = describe_json(NULL, path, d), *procs = json_array(), *envp = json_array();

	json_object_set_new(o, "record_bytes", json_integer((json_int_t)w.records));
	json_object_set_new(o, "stored_bytes", json_integer((json_int_t)w.stored));
	json_object_set_new(o, "file_bytes", json_integer((json_int_t)w.files));
	json_object_set_new(o, "format", json_integer(m->format));
	json_object_set_new(o, "sandrec", describe_text(m->sandrec));
	json_object_set_new(o, "host", describe_text(m->host));
	json_object_set_new(o, "kernel", describe_text(m->kernel));
	json_object_set_new(o, "chaos", m->chaos ? json_integer((json_int_t)m->seed) : json_null());
	if (m->chaos) {
		json_object_set_new(o, "places", json_integer((json_int_t)m->places));
		json_object_set_new(o, "switches", json_integer((json_int_t)m->switches));
	}
	json_object_set_new(o, "cwd", describe_text(m->cwd));
	json_object_set_new(o, "clock", describe_text(m->clock));
	for (size_t i = 0; m->envp && m->envp[i]; i++)
		json_array_append_new(envp, describe_text(m->envp[i]));
	json_object_set_new(o, "envp", envp);
	if (m->cut)
		json_object_set_new(o, "cut", describe_text(m->cut));
	for (size_t i = 0; i < ps->n; i++)
		json_array_append_new(procs, process_json(&ps->p[i]));
	json_object_set_new(o, "processes", procs);
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(o);
}

int cmd_info(int argc, char **argv)
{
	struct options o = { 0 };
	struct description d;
	struct manifest m;
	struct procs ps;
	char path[4096];
	int first, status;

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	cleanup_close int dir = trace_open(first < argc ? argv[first] : NULL, path, sizeof(path));

	if (dir < 0 || !trace_manifest(dir, path, &m))
		return STATUS_FAILED;
	manifest_free(&m);
	describe_trace(path, &d);
	status = STATUS_FAILED;
	if (d.readable && procs_read(dir, path, &d.manifest, &ps)) {
		if (o.json)
			print_json(path, &d, &ps);
		else
			print_text(path, &d, &ps);
		procs_free(&ps);
		status = STATUS_OK;
	}
	describe_free(&d);
	return status;
}
