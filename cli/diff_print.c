/* The output of diff. Contract: diff_print.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/describe.h"
#include "cli/diff_log.h"
#include "cli/diff_print.h"
#include "cli/event_text.h"
#include "cli/message.h"
#include "cli/progress_line.h"
#include "trace/stream.h"
#include "vmm/cleanup.h"

#define WINDOW_BEFORE 24 /* characters shown before the first one that differs, and from it on */
#define WINDOW_AFTER 56

bool sequence_add(struct sequence *s, uint64_t key, uint64_t kind, uint64_t index)
{
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 256;
		uint64_t *v = reallocarray(NULL, room, 3 * sizeof(*v));

		if (!v)
			return false;
		if (s->n) {
			memcpy(v, s->key, s->n * sizeof(*v));
			memcpy(v + room, s->kind, s->n * sizeof(*v));
			memcpy(v + 2 * room, s->index, s->n * sizeof(*v));
		}
		free(s->key);
		s->key = v;
		s->kind = v + room;
		s->index = v + 2 * room;
		s->room = room;
	}
	s->key[s->n] = key;
	s->kind[s->n] = kind;
	s->index[s->n++] = index;
	return true;
}

void sequence_free(struct sequence *s)
{
	free(s->key);
	*s = (struct sequence){ 0 };
}

static FILE *buffer_begin(struct text_buffer *b)
{
	free(b->text);
	b->text = NULL;
	return open_memstream(&b->text, &b->len);
}

const char *text_of_event(struct text_buffer *b, const struct compare_how *how, const struct compare_ids *ids,
			  const struct event *ev, const struct memory *mem, size_t string_max)
{
	FILE *f = buffer_begin(b);

	if (!f)
		return NULL;
	compare_text(f, how, ids, ev, mem, string_max);
	return fclose(f) ? NULL : b->text;
}

/* ---- reading events again ---- */

struct lookup {
	const struct side *side;
	struct stream_reader *r;
	struct event ev;
	struct memory mem;
	uint64_t next;
};

static bool lookup_open(struct lookup *l, const struct side *side, ptrdiff_t at)
{
	*l = (struct lookup){ .side = side };
	return trace_open_stream(side->dir, side->procs.p[at].number, &l->r) == 0;
}

static void lookup_close(struct lookup *l)
{
	stream_reader_close(l->r);
	memory_free(&l->mem);
}

static bool lookup(struct lookup *l, uint64_t index)
{
	struct event_data d;
	int rc = 0;

	if (index != l->next || !index)
		rc = stream_seek(l->r, index);
	if (rc == 0)
		rc = stream_next(l->r, &l->ev) == 1 ? 0 : -EBADMSG;
	memory_clear(&l->mem);
	while (rc == 0 && (rc = stream_data(l->r, &d)) == 1)
		rc = memory_add(&l->mem, &d) ? 0 : -ENOMEM;
	l->next = index + 1;
	if (rc == 0)
		return true;
	message_error("%s: event %" PRIu64 " cannot be read again", l->side->path, index);
	return false;
}

/* ---- one difference ---- */

struct showing {
	struct diff_print *d;
	struct lookup a, b;
	const struct sequence *sa, *sb;
	json_t *removed, *added;
};

static const char *paint(const struct diff_print *d, char sign)
{
	if (!d->colour)
		return "";
	return sign == '-' ? "\033[31m" : sign == '+' ? "\033[32m" : sign == '@' ? "\033[36m" : sign == '*' ? "\033[1m" : "";
}

static const char *plain(const struct diff_print *d)
{
	return d->colour ? "\033[0m" : "";
}

/* As dump shows it, with the numbers of its own recording. */
static bool put_event(struct showing *s, char sign, const struct sequence *seq, size_t i)
{
	struct lookup *l = sign == '+' ? &s->b : &s->a;
	struct text_buffer b = { 0 };
	FILE *f;

	if (!lookup(l, seq->index[i]))
		return false;
	f = buffer_begin(&b);
	if (f)
		event_text(f, &l->side->named, &l->ev, &l->mem);
	if (!f || fclose(f)) {
		free(b.text);
		message_error("out of memory");
		return false;
	}
	if (s->d->kind == DIFF_TEXT)
		printf("%s%c%" PRIu64 " %s%s\n", paint(s->d, sign), sign, seq->index[i], b.text, plain(s->d));
	else if (sign != ' ')
		json_array_append_new(sign == '-' ? s->removed : s->added,
				      json_pack("{s:I, s:s}", "event", (json_int_t)seq->index[i], "text", b.text));
	free(b.text);
	return true;
}

static void put_window(struct showing *s, char sign, const char *text, size_t len, size_t at)
{
	size_t from = at > WINDOW_BEFORE ? at - WINDOW_BEFORE : 0, to = at + WINDOW_AFTER < len ? at + WINDOW_AFTER : len;
	cleanup_free char *shown = strndup(text + from, to - from);
	json_t *list = sign == '-' ? s->removed : s->added;

	if (!shown)
		return;
	if (s->d->kind == DIFF_TEXT)
		printf("%s%c    %s%s%s%s\n", paint(s->d, sign), sign, from ? "..." : "", shown, to < len ? "..." : "", plain(s->d));
	else
		json_object_set_new(json_array_get(list, json_array_size(list) - 1), "differs", json_string(shown));
}

static void put_log_line(void *arg, char sign, const char *line, int len)
{
	struct showing *s = arg;
	json_t *list = sign == '-' ? s->removed : s->added, *event, *log;
	cleanup_free char *text = strndup(line, (size_t)len);

	if (!text)
		return;
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = *c == '\t' ? ' ' : '?';
	if (s->d->kind == DIFF_TEXT) {
		printf("%s%c    | %s%s\n", paint(s->d, sign), sign, text, plain(s->d));
		return;
	}
	event = json_array_get(list, json_array_size(list) - 1);
	log = json_object_get(event, "log");
	if (!log) {
		log = json_array();
		json_object_set_new(event, "log", log);
	}
	json_array_append_new(log, json_string(text));
}

/*
 * Two events of one kind. Where a line cut as dump cuts it is the same, the difference is further on in a buffer: the
 * place is shown.
 */
static bool put_places(struct showing *s, size_t i, size_t k)
{
	struct text_buffer a = { 0 }, b = { 0 }, cut_a = { 0 }, cut_b = { 0 };
	const struct diff_print *d = s->d;
	size_t at = 0;
	bool good;

	if (!lookup(&s->a, s->sa->index[i]) || !lookup(&s->b, s->sb->index[k]))
		return false;
	good = text_of_event(&a, d->how, &d->a->ids, &s->a.ev, &s->a.mem, SIZE_MAX) &&
	       text_of_event(&b, d->how, &d->b->ids, &s->b.ev, &s->b.mem, SIZE_MAX) &&
	       text_of_event(&cut_a, d->how, &d->a->ids, &s->a.ev, &s->a.mem, DECODE_STRING_MAX) &&
	       text_of_event(&cut_b, d->how, &d->b->ids, &s->b.ev, &s->b.mem, DECODE_STRING_MAX);
	while (good && at < a.len && at < b.len && a.text[at] == b.text[at])
		at++;
	if (good && !strcmp(cut_a.text, cut_b.text)) {
		put_window(s, '-', a.text, a.len, at);
		put_window(s, '+', b.text, b.len, at);
	}
	good = good && diff_log(&s->a.ev, &s->a.mem, &s->b.ev, &s->b.mem, put_log_line, s);
	free(a.text);
	free(b.text);
	free(cut_a.text);
	free(cut_b.text);
	if (!good)
		message_error("out of memory");
	return good;
}

/* The events of a run: those of one kind beside each other. */
static bool put_run(struct showing *s, const struct align_run *r)
{
	struct align_run *runs, end = { .a = r->na, .b = r->nb };
	size_t n, i = 0, k = 0;
	bool good = true;

	if (align(s->sa->kind + r->a, r->na, s->sb->kind + r->b, r->nb, &runs, &n) < 0) {
		message_error("out of memory");
		return false;
	}
	for (size_t at = 0; good && at <= n; at++) {
		const struct align_run *o = at < n ? &runs[at] : &end;

		for (; good && i < o->a; i++, k++)
			good = put_event(s, '-', s->sa, r->a + i) && put_event(s, '+', s->sb, r->b + k) &&
			       put_places(s, r->a + i, r->b + k);
		for (size_t stop = i + o->na; good && i < stop; i++)
			good = put_event(s, '-', s->sa, r->a + i);
		for (size_t stop = k + o->nb; good && k < stop; k++)
			good = put_event(s, '+', s->sb, r->b + k);
	}
	free(runs);
	return good;
}

/* ---- threads ---- */

static void name_process(const struct proc *p, char *buf, size_t len)
{
	char command[80];
	char *const fallback[] = { p->comm ? p->comm : (char *)"?", NULL };

	describe_command(p->argv ? p->argv : fallback, command, sizeof(command));
	snprintf(buf, len, "%s (%s)", p->name, command);
}

static void put_heading(struct diff_print *d, const struct pair *p, int nth)
{
	char a[128], b[128], thread[32] = "";

	name_process(&d->a->procs.p[p->a], a, sizeof(a));
	name_process(&d->b->procs.p[p->b], b, sizeof(b));
	if (nth > 1)
		snprintf(thread, sizeof(thread), ", thread %d", nth);
	printf("%s%sprocess %s | %s%s%s\n", d->processes > 1 ? "\n" : "", paint(d, '*'), a, b, thread, plain(d));
}

static void put_range(const struct sequence *s, size_t at, size_t n)
{
	if (n)
		printf("%" PRIu64, s->index[at]);
	else if (at)
		printf("after %" PRIu64, s->index[at - 1]);
	else
		printf("start");
	if (n > 1)
		printf(" to %" PRIu64, s->index[at + n - 1]);
}

static bool put_context(struct showing *s, size_t from, size_t to)
{
	bool good = true;

	for (size_t i = from; good && s->d->kind == DIFF_TEXT && i < to; i++)
		good = put_event(s, ' ', s->sa, i);
	return good;
}

/* A run with the equal events before it, which begin at `shown` at the earliest. */
static bool put_text_run(struct showing *s, const struct align_run *r, size_t shown, bool joined)
{
	size_t context = s->d->context;

	if (joined)
		return put_run(s, r);
	printf("%s@@ event ", paint(s->d, '@'));
	put_range(s->sa, r->a, r->na);
	fputs(" | ", stdout);
	put_range(s->sb, r->b, r->nb);
	printf(" @@%s\n", plain(s->d));
	return put_context(s, r->a > shown + context ? r->a - context : shown, r->a) && put_run(s, r);
}

/* Up to where the equal events behind run i are shown: all of them when the next run is near. */
static size_t context_end(const struct showing *s, const struct align_run *runs, size_t n, size_t i)
{
	size_t context = s->d->context, end = runs[i].a + runs[i].na, next = i + 1 < n ? runs[i + 1].a : s->sa->n;

	if (next - end <= context || (i + 1 < n && next - end <= 2 * context))
		return next;
	return end + context;
}

static void name_json(json_t *o, const char *key, const struct side *s, ptrdiff_t at)
{
	if (at >= 0)
		json_object_set_new(o, key, json_string(s->procs.p[at].name));
}

static bool put_json_run(struct showing *s, const struct pair *p, int nth, const struct align_run *r)
{
	json_t *o = json_pack("{s:i}", "thread", nth);
	bool good;

	s->removed = json_array();
	s->added = json_array();
	good = o && s->removed && s->added && put_run(s, r);
	name_json(o, "a", s->d->a, p->a);
	name_json(o, "b", s->d->b, p->b);
	json_object_set_new(o, "removed", s->removed);
	json_object_set_new(o, "added", s->added);
	json_array_append_new(s->d->list, o);
	return good;
}

static bool put_runs(struct showing *s, const struct pair *p, int nth, const struct align_run *runs, size_t n)
{
	size_t shown = 0; /* of the first sequence */
	bool good = true;

	for (size_t i = 0; good && i < n; i++) {
		if (s->d->kind == DIFF_JSON) {
			good = put_json_run(s, p, nth, &runs[i]);
			continue;
		}
		good = put_text_run(s, &runs[i], shown, i && shown == runs[i].a);
		shown = context_end(s, runs, n, i);
		good = good && put_context(s, runs[i].a + runs[i].na, shown);
	}
	return good;
}

bool diff_print_thread(struct diff_print *d, const struct pair *p, int nth, const struct sequence *a, const struct sequence *b,
		       const struct align_run *runs, size_t n)
{
	struct showing s = { .d = d, .sa = a, .sb = b };
	bool good;

	d->differences += n;
	d->processes += d->shown != p;
	d->shown = p;
	if (d->kind == DIFF_QUIET)
		return true;
	progress_line_wipe();
	if (d->kind == DIFF_TEXT)
		put_heading(d, p, nth);
	good = lookup_open(&s.a, d->a, p->a);
	good = lookup_open(&s.b, d->b, p->b) && good;
	good = good && put_runs(&s, p, nth, runs, n);
	lookup_close(&s.a);
	lookup_close(&s.b);
	return good && !ferror(stdout);
}

bool diff_print_alone(struct diff_print *d, const struct pair *p)
{
	const struct side *s = p->a < 0 ? d->b : d->a;
	const struct proc *proc = &s->procs.p[p->a < 0 ? p->b : p->a];
	char sign = p->a < 0 ? '+' : '-', name[128];

	d->differences++;
	d->processes++;
	if (d->kind == DIFF_QUIET)
		return true;
	name_process(proc, name, sizeof(name));
	progress_line_wipe();
	if (d->kind == DIFF_TEXT)
		printf("%s%s%cprocess %s: only in %s, %" PRIu64 " events%s\n", d->processes > 1 ? "\n" : "", paint(d, sign), sign, name,
		       s->path, proc->events, plain(d));
	else
		json_array_append_new(sign == '+' ? d->only_b : d->only_a, json_string(proc->name));
	return true;
}

bool diff_print_begin(struct diff_print *d)
{
	d->colour = d->kind == DIFF_TEXT && message_colour(STDOUT_FILENO);
	if (d->kind != DIFF_JSON)
		return true;
	d->list = json_array();
	d->only_a = json_array();
	d->only_b = json_array();
	return d->list && d->only_a && d->only_b;
}

void diff_print_end(struct diff_print *d, bool good)
{
	json_t *o;

	if (d->kind == DIFF_TEXT && d->differences)
		printf("\n%" PRIu64 " difference%s in %" PRIu64 " process%s: - %s, + %s\n", d->differences, d->differences == 1 ? "" : "s",
		       d->processes, d->processes == 1 ? "" : "es", d->a->path, d->b->path);
	if (d->kind != DIFF_JSON)
		return;
	o = json_pack("{s:o, s:o, s:b, s:I, s:o, s:o, s:o}", "a", describe_text(d->a->path), "b", describe_text(d->b->path), "same",
		      good && !d->differences, "differences", (json_int_t)d->differences, "runs", d->list, "only_in_a", d->only_a,
		      "only_in_b", d->only_b);
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(o);
}
