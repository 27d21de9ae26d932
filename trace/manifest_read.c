#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "trace/escape.h"
#include "trace/manifest.h"
#include "trace/parts.h"
#include "vmm/cleanup.h"

#define MANIFEST_SIZE_MAX (64u << 20)
#define PROCS_MAX (1u << 20)
#define STRINGS_MAX (4u << 20)

struct parse {
	char *why;
	size_t len;
	int error;
};

__attribute__((format(printf, 3, 4)))
static void fail(struct parse *ps, int err, const char *fmt, ...)
{
	va_list ap;

	if (ps->error)
		return;
	ps->error = err;
	va_start(ap, fmt);
	vsnprintf(ps->why, ps->len, fmt, ap);
	va_end(ap);
}

static void damaged(struct parse *ps, const char *key)
{
	fail(ps, -EBADMSG, "manifest damaged: bad or missing \"%s\"", key);
}

static int64_t get_int(struct parse *ps, const json_t *o, const char *key, int64_t min, int64_t max)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_integer(v) || json_integer_value(v) < min || json_integer_value(v) > max) {
		damaged(ps, key);
		return min;
	}
	return json_integer_value(v);
}

static bool get_bool(struct parse *ps, const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_boolean(v))
		damaged(ps, key);
	return json_is_true(v);
}

static char *string_of(struct parse *ps, const json_t *v, const char *key)
{
	char *s = NULL;

	if (json_is_string(v))
		s = unescape_text(json_string_value(v));
	else
		errno = EINVAL;
	if (!s && errno == ENOMEM)
		fail(ps, -ENOMEM, "no memory for the manifest");
	else if (!s)
		damaged(ps, key);
	return s;
}

/* NULL is stored as null. */
static char *get_string(struct parse *ps, const json_t *o, const char *key, bool may_be_null)
{
	const json_t *v = json_object_get(o, key);

	return may_be_null && json_is_null(v) ? NULL : string_of(ps, v, key);
}

static char **get_strings(struct parse *ps, const json_t *o, const char *key)
{
	const json_t *a = json_object_get(o, key);
	size_t n = json_array_size(a);
	char **v;

	if (!json_is_array(a) || n > STRINGS_MAX) {
		damaged(ps, key);
		return NULL;
	}
	v = calloc(n + 1, sizeof(*v));
	if (!v)
		fail(ps, -ENOMEM, "no memory for the manifest");
	for (size_t i = 0; v && i < n && !ps->error; i++)
		v[i] = string_of(ps, json_array_get(a, i), key);
	return v;
}

/* 0 where it is missing: older recordings have none. */
static uint64_t get_count(const json_t *o, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(o, name));

	return n > 0 ? (uint64_t)n : 0;
}

static void get_addresses(const json_t *o, struct manifest *m)
{
	const json_t *a = json_object_get(o, "met");
	size_t n = json_array_size(a);

	m->met = n ? calloc(n, sizeof(*m->met)) : NULL;
	for (size_t i = 0; m->met && i < n; i++)
		m->met[m->nmet++] = (uint64_t)json_integer_value(json_array_get(a, i));
}

static void get_time(struct parse *ps, const json_t *o, const char *key, struct timespec *ts)
{
	const json_t *a = json_object_get(o, key), *sec = json_array_get(a, 0), *nsec = json_array_get(a, 1);

	if (!json_is_integer(sec) || !json_is_integer(nsec) || json_integer_value(nsec) < 0 ||
	    json_integer_value(nsec) > 999999999) {
		damaged(ps, key);
		return;
	}
	ts->tv_sec = json_integer_value(sec);
	ts->tv_nsec = (long)json_integer_value(nsec);
}

static bool get_leaf(const json_t *a, struct kvm_cpuid_entry2 *e)
{
	uint32_t v[7];

	if (json_array_size(a) != 7)
		return false;
	for (size_t i = 0; i < 7; i++) {
		const json_t *n = json_array_get(a, i);

		if (!json_is_integer(n) || json_integer_value(n) < 0 || json_integer_value(n) > UINT32_MAX)
			return false;
		v[i] = (uint32_t)json_integer_value(n);
	}
	*e = (struct kvm_cpuid_entry2){ .function = v[0], .index = v[1], .flags = v[2], .eax = v[3], .ebx = v[4],
					.ecx = v[5], .edx = v[6] };
	return true;
}

static void get_cpu(struct parse *ps, const json_t *root, struct cpu_table *t)
{
	const json_t *o = json_object_get(root, "cpu"), *leaves = json_object_get(o, "leaves");
	size_t n = json_array_size(leaves);

	if (!json_is_object(o) || !json_is_array(leaves) || n > CPUID_MAX) {
		damaged(ps, "cpu");
		return;
	}
	t->xcr0 = (uint64_t)get_int(ps, o, "xcr0", 0, INT64_MAX);
	t->xsave_size = (uint32_t)get_int(ps, o, "xsave_size", 0, UINT32_MAX);
	/* Traces of the first versions have none. */
	t->patch = json_object_get(o, "patch") ? (uint32_t)get_int(ps, o, "patch", 0, UINT32_MAX) : 0;
	for (t->n = 0; t->n < n; t->n++) {
		if (!get_leaf(json_array_get(leaves, t->n), &t->e[t->n])) {
			damaged(ps, "leaves");
			return;
		}
	}
}

static void get_procs(struct parse *ps, const json_t *root, struct manifest *m)
{
	const json_t *a = json_object_get(root, "procs");
	size_t n = json_array_size(a);

	if (!json_is_array(a) || !n || n > PROCS_MAX) {
		damaged(ps, "procs");
		return;
	}
	m->procs = calloc(n, sizeof(*m->procs));
	if (!m->procs) {
		fail(ps, -ENOMEM, "no memory for the manifest");
		return;
	}
	for (; m->nprocs < n && !ps->error; m->nprocs++) {
		const json_t *o = json_array_get(a, m->nprocs);
		struct manifest_proc *p = &m->procs[m->nprocs];

		p->number = (int)get_int(ps, o, "number", 1, INT_MAX);
		p->parent = (int)get_int(ps, o, "parent", 0, INT_MAX);
		p->pid = (pid_t)get_int(ps, o, "pid", 1, INT_MAX);
		p->ppid = (pid_t)get_int(ps, o, "ppid", 0, INT_MAX);
		p->comm = get_string(ps, o, "comm", true);
		p->ended = get_bool(ps, o, "ended");
		p->status = (int)get_int(ps, o, "status", INT_MIN, INT_MAX);
		p->events = (uint64_t)get_int(ps, o, "events", 0, INT64_MAX);
	}
}

static void get_all(struct parse *ps, const json_t *o, struct manifest *m)
{
	m->format = (int)get_int(ps, o, "format", 1, INT_MAX);
	/* Another format may mean anything by the other keys. */
	if (!ps->error && m->format > TRACE_FORMAT)
		fail(ps, -EPROTO, "trace has format %d, newer than this sandrec reads (%d)", m->format, TRACE_FORMAT);
	if (!ps->error && m->format < TRACE_FORMAT_OLDEST)
		fail(ps, -EPROTO, "trace has format %d, older than this sandrec reads (%d)", m->format, TRACE_FORMAT_OLDEST);
	if (ps->error)
		return;
	m->sandrec = get_string(ps, o, "sandrec", false);
	m->host = get_string(ps, o, "host", true);
	m->kernel = get_string(ps, o, "kernel", true);
	m->cwd = get_string(ps, o, "cwd", true);
	m->clock = get_string(ps, o, "clock", false);
	m->argv = get_strings(ps, o, "argv");
	m->envp = get_strings(ps, o, "envp");
	get_time(ps, o, "start", &m->start);
	get_time(ps, o, "end", &m->end);
	m->complete = get_bool(ps, o, "complete");
	m->cut = get_string(ps, o, "cut", true);
	m->chaos = json_is_integer(json_object_get(o, "chaos"));
	m->seed = m->chaos ? (uint64_t)json_integer_value(json_object_get(o, "chaos")) : 0;
	m->places = get_count(o, "places");
	m->switches = get_count(o, "switches");
	get_addresses(o, m);
	m->known_as = (pid_t)json_integer_value(json_object_get(o, "known_as"));
	get_cpu(ps, o, &m->cpu);
	get_procs(ps, o, m);
}

int manifest_parse(const char *text, size_t text_len, struct manifest *m, char *why, size_t len)
{
	struct parse ps = { .why = why, .len = len };
	json_error_t err;
	json_t *o = json_loadb(text, text_len, JSON_REJECT_DUPLICATES, &err);

	memset(m, 0, sizeof(*m));
	if (len)
		why[0] = 0;
	if (!o)
		fail(&ps, -EBADMSG, "manifest damaged: line %d: no JSON", err.line);
	else if (!json_is_object(o))
		fail(&ps, -EBADMSG, "manifest damaged: not an object");
	else
		get_all(&ps, o, m);
	json_decref(o);
	if (ps.error)
		manifest_free(m);
	return ps.error;
}

static int open_manifest(int dirfd, struct parse *ps, struct trace_part *part)
{
	int rc = trace_parts_check(dirfd, ps->why, (unsigned)ps->len);

	if (rc < 0)
		return ps->error = rc; /* a damaged pack: why says so */
	rc = trace_part_open(dirfd, MANIFEST_NAME, part);
	if (rc < 0 && rc != -EBADMSG)
		fail(ps, rc, "cannot open the trace's manifest: %s", strerror(-rc));
	else if (rc < 0 || part->size > MANIFEST_SIZE_MAX)
		fail(ps, -EBADMSG, rc < 0 ? "manifest damaged: wrong checksum" : "manifest damaged: too large");
	return ps->error;
}

int manifest_read(int dirfd, struct manifest *m, char *why, size_t len)
{
	struct parse ps = { .why = why, .len = len };
	struct trace_part part = { .fd = -1 };
	size_t done = 0;

	memset(m, 0, sizeof(*m));
	if (open_manifest(dirfd, &ps, &part)) {
		trace_part_close(&part);
		return ps.error;
	}
	cleanup_free char *text = malloc(part.size + 1);

	if (!text)
		fail(&ps, -ENOMEM, "no memory for the manifest");
	while (!ps.error && done < part.size) {
		ssize_t n = pread(part.fd, text + done, part.size - done, (off_t)(part.at + done));

		if (n < 0 && errno != EINTR)
			fail(&ps, -errno, "cannot read the trace's manifest: %s", strerror(errno));
		if (!n)
			break;
		if (n > 0)
			done += (size_t)n;
	}
	trace_part_close(&part);
	return ps.error ? ps.error : manifest_parse(text, done, m, why, len);
}

static void free_strings(char **v)
{
	for (char **p = v; p && *p; p++)
		free(*p);
	free(v);
}

void manifest_free(struct manifest *m)
{
	free(m->sandrec);
	free(m->host);
	free(m->kernel);
	free(m->cwd);
	free(m->clock);
	free(m->cut);
	free_strings(m->argv);
	free_strings(m->envp);
	for (size_t i = 0; i < m->nprocs; i++)
		free(m->procs[i].comm);
	free(m->procs);
	free(m->met);
	memset(m, 0, sizeof(*m));
}
