/* A timeline as a page: cli/timeline.html with the data in it. Contract: timeline.h. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/describe.h"
#include "cli/timeline.h"
#include "trace/escape.h"
#include "vmm/cleanup.h"

#define DATA_MARK "@DATA@"
#define NAMES_MAX 5000

extern const char timeline_page[];

struct html {
	json_t *names;        /* name: its number */
	size_t nthreads;      /* of the process at hand */
	struct page_thread {
		int tid, nth;
		FILE *f;      /* a temporary file: its events, as JSON */
		bool comma;
	} *thread;
	bool comma;           /* a process stands before */
	FILE *births;
	char *births_text;
	size_t births_len;
};

bool timeline_put_string(FILE *f, const char *text)
{
	cleanup_free char *escaped = escape_bytes(text);
	json_t *v = escaped ? json_string(escaped) : NULL;
	cleanup_free char *quoted = v ? json_dumps(v, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;

	json_decref(v);
	for (const char *c = quoted; c && *c; c++) {
		if (*c == '<')
			fputs("\\u003c", f);
		else
			fputc(*c, f);
	}
	return quoted;
}

static bool begin(struct timeline *t, const struct manifest *m)
{
	struct html *h = calloc(1, sizeof(*h));
	char command[200] = "?";

	t->state = h;
	if (!h)
		return false;
	h->names = json_object();
	h->births = open_memstream(&h->births_text, &h->births_len);
	fwrite(timeline_page, 1, (size_t)(strstr(timeline_page, DATA_MARK) - timeline_page), t->f);
	if (m->argv)
		describe_command(m->argv, command, sizeof(command));
	fputs("{\"command\":", t->f);
	if (!h->names || !h->births || !timeline_put_string(t->f, command))
		return false;
	fputs(",\n\"processes\":[", t->f);
	return true;
}

static bool process(struct timeline *t, const struct proc *p)
{
	struct html *h = t->state;
	char *const fallback[] = { p->comm ? p->comm : (char *)"?", NULL };
	char command[120];

	describe_command(p->argv ? p->argv : fallback, command, sizeof(command));
	fprintf(t->f, "%s\n{\"number\":%d,\"name\":\"%s\",\"command\":", h->comma ? "," : "", p->number, p->name);
	h->comma = true;
	if (!timeline_put_string(t->f, command))
		return false;
	fputs(",\"threads\":[", t->f);
	return true;
}

static struct page_thread *thread_of(struct html *h, const struct bar *b)
{
	struct page_thread *more;

	for (size_t i = h->nthreads; i-- > 0;)
		if (h->thread[i].nth == b->nth)
			return &h->thread[i];
	more = reallocarray(h->thread, h->nthreads + 1, sizeof(*more));
	if (!more)
		return NULL;
	h->thread = more;
	more = &h->thread[h->nthreads++];
	*more = (struct page_thread){ .tid = b->tid, .nth = b->nth };
	more->f = tmpfile();
	return more->f ? more : NULL;
}

static json_int_t name_number(struct html *h, const char *name)
{
	json_t *known = json_object_get(h->names, name);

	if (!known && json_object_size(h->names) >= NAMES_MAX)
		known = json_object_get(h->names, name = "(others)");
	if (known)
		return json_integer_value(known);
	json_object_set_new(h->names, name, json_integer((json_int_t)json_object_size(h->names)));
	return (json_int_t)json_object_size(h->names) - 1;
}

static bool bar(struct timeline *t, const struct proc *p, const struct bar *b)
{
	struct html *h = t->state;
	struct page_thread *th = thread_of(h, b);

	(void)p;
	if (!th)
		return false;
	fprintf(th->f, "%s\n[%" PRIu64 ",%" PRIu64 ",%d,%" JSON_INTEGER_FORMAT ",", th->comma ? "," : "", b->begin_ns, b->end_ns,
		(int)b->kind, name_number(h, b->name));
	th->comma = true;
	if (!timeline_put_string(th->f, b->text))
		return false;
	fprintf(th->f, ",%" PRIu64 "]", b->event);
	return !ferror(th->f);
}

static bool copy(FILE *from, FILE *to)
{
	char buf[65536];
	size_t n;

	rewind(from);
	while ((n = fread(buf, 1, sizeof(buf), from)))
		fwrite(buf, 1, n, to);
	return !ferror(from);
}

static bool drop_threads(struct html *h)
{
	for (size_t i = 0; i < h->nthreads; i++)
		if (h->thread[i].f)
			fclose(h->thread[i].f);
	free(h->thread);
	h->thread = NULL;
	h->nthreads = 0;
	return true;
}

static bool process_end(struct timeline *t, const struct proc *p)
{
	struct html *h = t->state;
	bool good = true;

	(void)p;
	for (size_t i = 0; good && i < h->nthreads; i++) {
		fprintf(t->f, "%s{\"tid\":%d,\"nth\":%d,\"events\":[", i ? "," : "", h->thread[i].tid, h->thread[i].nth);
		good = copy(h->thread[i].f, t->f);
		fputs("]}", t->f);
	}
	fputs("]}", t->f);
	drop_threads(h);
	return good;
}

static bool birth(struct timeline *t, const struct proc *parent, const struct proc *child, uint64_t ns)
{
	struct html *h = t->state;

	if (parent)
		fprintf(h->births, "%s[%d,%d,%" PRIu64 "]", ftell(h->births) ? "," : "", parent->number, child->number, ns);
	return true;
}

static bool put_names(struct html *h, FILE *f)
{
	bool good = true;
	const char *name;
	json_t *v;

	/* jansson keeps the order in which they came, and so the numbers. */
	json_object_foreach(h->names, name, v) {
		fputs(json_integer_value(v) ? "," : "", f);
		good = good && timeline_put_string(f, name);
	}
	return good;
}

static bool end(struct timeline *t, bool cut)
{
	struct html *h = t->state;
	bool good = h && h->births && !fclose(h->births) && h->births_text;

	if (good) {
		fprintf(t->f, "],\n\"births\":[%s],\n\"cut\":%s,\n\"names\":[", h->births_text, cut ? "true" : "false");
		good = put_names(h, t->f);
		fprintf(t->f, "]}%s", strstr(timeline_page, DATA_MARK) + strlen(DATA_MARK));
	}
	if (h) {
		drop_threads(h);
		free(h->births_text);
		json_decref(h->names);
	}
	free(h);
	t->state = NULL;
	return good;
}

const struct timeline_form timeline_html = { begin, process, bar, process_end, birth, end };
