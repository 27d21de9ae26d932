/* Checking recordings. Contract: integrity.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/integrity.h"
#include "cli/message.h"
#include "cli/progress_line.h"
#include "trace/stream.h"

#define PROBLEMS_MAX 1000 /* enough for anybody; a hostile trace has no end of them */

__attribute__((format(printf, 2, 3)))
static bool problem(struct integrity *in, const char *format, ...)
{
	char **more, *line;
	va_list ap;
	int n;

	if (in->nproblems == PROBLEMS_MAX)
		return true;
	va_start(ap, format);
	n = vasprintf(&line, format, ap);
	va_end(ap);
	more = n < 0 ? NULL : reallocarray(in->problem, in->nproblems + 1, sizeof(*more));
	if (!more) {
		if (n >= 0)
			free(line);
		return false;
	}
	in->problem = more;
	in->problem[in->nproblems++] = line;
	return true;
}

static const struct manifest_proc *in_manifest(const struct integrity *in, int number)
{
	for (size_t i = 0; i < in->manifest.nprocs; i++)
		if (in->manifest.procs[i].number == number)
			return &in->manifest.procs[i];
	return NULL;
}

/* Every record of a stream. 0 at its end, -ENOMEM, or what the reader said; *n: events that were good. */
static int read_stream(struct stream_reader *r, struct needs *needs, struct progress_line *line, uint64_t before, uint64_t *n)
{
	struct event ev;
	struct event_data d;
	int rc;

	while ((rc = stream_next(r, &ev)) == 1) {
		int named = needs_event(needs, &ev);

		if (named < 0)
			return named;
		while ((rc = stream_data(r, &d)) == 1)
			;
		if (rc < 0)
			return rc;
		progress_line(line, before + ++*n);
	}
	return rc;
}

static bool judge_end(struct integrity *in, const struct trace_proc *p, int rc, const char *what, uint64_t events)
{
	const struct manifest_proc *m = in_manifest(in, p->number);

	if (rc == -ENODATA && !in->manifest.complete) {
		in->ncut++;
		return true;
	}
	if (rc == -EBADMSG && !*what)
		return problem(in, "process %s: event %" PRIu64 " names files in a way that makes no sense", p->name, events);
	if (rc < 0)
		return problem(in, "process %s: %s", p->name, *what ? what : strerror(-rc));
	if (m && in->manifest.complete && m->events != events)
		return problem(in, "process %s: %" PRIu64 " events, but the manifest says %" PRIu64, p->name, events, m->events);
	return true;
}

static bool check_process(int dir, struct integrity *in, size_t i, struct progress_line *line, uint64_t *before)
{
	const struct trace_proc *p = &in->procs.p[i];
	struct stream_reader *r;
	int rc = trace_open_stream(dir, p->number, &r);
	char what[256] = "";

	if (rc == 0)
		rc = read_stream(r, &in->needs, line, *before, &in->events[i]);
	if (r)
		snprintf(what, sizeof(what), "%s", stream_reader_error(r));
	stream_reader_close(r);
	*before += in->events[i];
	if (rc == -ENOMEM)
		return false;
	if (rc == -ENOENT)
		return problem(in, "process %s: its events are missing", p->name);
	return judge_end(in, p, rc, what, in->events[i]);
}

static bool check_file(struct integrity *in, struct files_store *files, const struct need *f)
{
	int fd = files_get(files, &f->ref, 1);

	if (fd >= 0) {
		close(fd);
		in->nfiles++;
		return true;
	}
	return problem(in, "the recorded copy of %s %s", *f->path ? f->path : "a file",
		       fd == -ENOENT ? "is missing" : fd == -EBADMSG ? "is damaged" : strerror(-fd));
}

static bool check_files(int dir, struct integrity *in)
{
	struct progress_line line = { .what = "checking" };
	struct files_store *files;
	const struct need *f;
	uint64_t done = 0;
	bool good = true;
	int rc = in->needs.n ? files_open(dir, NULL, &files) : 0;

	if (rc < 0)
		return rc != -ENOMEM && problem(in, "its files cannot be read: %s", strerror(-rc));
	if (!in->needs.n)
		return true;
	progress_line_begin(&line, needs_bytes(&in->needs), "bytes of files");
	for (size_t at = 0; good && (f = needs_next(&in->needs, &at));) {
		good = check_file(in, files, f);
		progress_line(&line, done += f->ref.size);
	}
	progress_line_end(&line);
	files_close(files);
	return good;
}

static bool check_processes(int dir, struct integrity *in)
{
	struct progress_line line = { .what = "checking" };
	uint64_t done = 0;
	bool good = true;

	progress_line_begin(&line, progress_line_wanted() ? trace_count_events(dir, &in->procs, NULL) : 0, "events");
	for (size_t i = 0; good && i < in->procs.n; i++)
		good = check_process(dir, in, i, &line, &done);
	progress_line_end(&line);
	if (good && !in->procs.n)
		good = problem(in, "it holds no events");
	return good;
}

bool integrity_check(int dir, const char *path, struct integrity *in)
{
	char why[256] = "";
	bool good = true;
	int rc;

	memset(in, 0, sizeof(*in));
	rc = manifest_read(dir, &in->manifest, why, sizeof(why));
	if (rc < 0)
		good = problem(in, "%s", *why ? why : rc == -ENOENT ? "its manifest is missing" : strerror(-rc));
	if (good && !trace_procs_read(dir, path, &in->procs))
		return false;
	in->events = calloc(in->procs.n + 1, sizeof(*in->events));
	good = good && in->events && check_processes(dir, in) && check_files(dir, in);
	if (!good)
		message_error("out of memory");
	return good;
}

void integrity_free(struct integrity *in)
{
	for (size_t i = 0; i < in->nproblems; i++)
		free(in->problem[i]);
	free(in->problem);
	free(in->events);
	needs_free(&in->needs);
	trace_procs_free(&in->procs);
	manifest_free(&in->manifest);
	memset(in, 0, sizeof(*in));
}
