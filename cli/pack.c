/* sandrec pack: a recording in one file, to be moved. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/describe.h"
#include "cli/integrity.h"
#include "cli/message.h"
#include "cli/progress_line.h"
#include "trace/pack.h"
#include "trace/parts.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"

struct options {
	const char *output;
	bool force, quiet;
};

static const struct cli_option options[] = {
	{ "output", 'o', OPT_STRING, offsetof(struct options, output), "FILE", "the file to make (default: NAME.sandrec)" },
	{ "force", 'f', OPT_FLAG, offsetof(struct options, force), NULL, "replace FILE if it is there" },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct options, quiet), NULL, "do not say what was made" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "pack",
	.operands = "[TRACE]",
	.summary = "put a recording into one file, to be moved",
	.text = "The recording is checked first, as by `sandrec verify`. All commands take the file in place of a recording's\n"
		"name. It replays on every machine whose processor has what the recorded program could use: all of its\n"
		"features, unless it was recorded with `run --cpu`.",
	.options = options,
	.max = 1,
};

struct packing {
	int dir;
	struct pack_writer *w;
	struct progress_line line;
	uint64_t done;
};

static int add_part(struct packing *k, const char *name, bool compress)
{
	struct trace_part part;
	int rc = trace_part_open(k->dir, name, &part);

	if (rc < 0)
		return rc;
	rc = pack_add(k->w, name, part.fd, part.at, part.size, compress);
	progress_line(&k->line, k->done += part.size);
	trace_part_close(&part);
	return rc;
}

static int add_processes(struct packing *k, const struct integrity *in)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < in->procs.n; i++) {
		char name[32];

		snprintf(name, sizeof(name), TRACE_STREAM_NAME, in->procs.p[i].number);
		rc = add_part(k, name, false);
		snprintf(name, sizeof(name), TRACE_RING_NAME, in->procs.p[i].number);
		if (rc == 0)
			rc = add_part(k, name, true);
		if (rc == -ENOENT) /* the ring of a process whose events are all in its stream */
			rc = 0;
	}
	return rc;
}

static int add_file(struct packing *k, struct files_store *files, const struct need *f)
{
	cleanup_close int fd = files_get(files, &f->ref, 0);
	char name[64] = TRACE_FILES_DIR "/";
	int rc = fd;

	files_name(&f->ref, name + strlen(name));
	if (rc >= 0)
		rc = pack_add(k->w, name, fd, 0, f->ref.size, true);
	progress_line(&k->line, k->done += f->ref.size);
	return rc;
}

static int add_files(struct packing *k, const struct integrity *in)
{
	struct files_store *files;
	const struct need *f;
	int rc = in->needs.n ? files_open(k->dir, NULL, &files) : 0;

	if (rc < 0 || !in->needs.n)
		return rc;
	for (size_t at = 0; rc == 0 && (f = needs_next(&in->needs, &at));)
		rc = add_file(k, files, f);
	files_close(files);
	return rc;
}

static uint64_t stream_bytes(int dir, const struct integrity *in)
{
	uint64_t n = 0;
	char name[32];

	for (size_t i = 0; i < in->procs.n; i++) {
		snprintf(name, sizeof(name), TRACE_STREAM_NAME, in->procs.p[i].number);
		n += trace_part_bytes(dir, name);
	}
	return n;
}

static int write_pack(int dir, int fd, const struct integrity *in)
{
	struct packing k = { .dir = dir, .line = { .what = "packing" } };
	int rc = pack_writer_create(fd, &k.w);

	if (rc < 0)
		return rc;
	progress_line_begin(&k.line, stream_bytes(dir, in) + needs_bytes(&in->needs), "bytes");
	rc = add_part(&k, MANIFEST_NAME, true);
	if (rc == 0)
		rc = add_processes(&k, in);
	if (rc == 0)
		rc = add_files(&k, in);
	progress_line_end(&k.line);
	if (rc == 0)
		return pack_writer_finish(k.w);
	pack_writer_abandon(k.w);
	return rc;
}

/* The file appears under its name when it is whole. */
static int make_file(int dir, const char *name, const struct integrity *in, bool force, uint64_t *size)
{
	char tmp[4200];
	cleanup_close int fd = -1;
	struct stat st;
	int rc;

	snprintf(tmp, sizeof(tmp), "%s.%d.tmp", name, (int)getpid());
	fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	rc = write_pack(dir, fd, in);
	if (rc == 0 && fstat(fd, &st) < 0)
		rc = -errno;
	if (rc == 0 && renameat2(AT_FDCWD, tmp, AT_FDCWD, name, force ? 0 : RENAME_NOREPLACE) < 0)
		rc = -errno;
	if (rc < 0)
		unlink(tmp);
	else
		*size = (uint64_t)st.st_size;
	return rc;
}

static int not_whole(const char *path, const struct integrity *in)
{
	for (size_t i = 0; i < in->nproblems; i++)
		message_error("%s: %s", path, in->problem[i]);
	message_hint("only a whole recording can be packed");
	return STATUS_FAILED;
}

/* NAME.sandrec in the current directory. */
static void default_name(const char *path, char *buf, size_t len)
{
	char copy[4096], *slash;
	size_t n = (size_t)snprintf(copy, sizeof(copy), "%s", path);

	for (n = n < sizeof(copy) ? n : sizeof(copy) - 1; n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = '\0';
	slash = strrchr(copy, '/');
	snprintf(buf, len, "%.200s%s", slash ? slash + 1 : copy, PACK_SUFFIX);
}

static int pack(int dir, const char *path, const struct options *o)
{
	char name[4096], size[16];
	struct integrity in;
	uint64_t bytes = 0;
	int rc;

	if (o->output)
		snprintf(name, sizeof(name), "%s", o->output);
	else
		default_name(path, name, sizeof(name));
	if (!o->force && access(name, F_OK) == 0) {
		message_error("%s: %s", name, strerror(EEXIST));
		message_hint("take another name, or -f");
		return STATUS_FAILED;
	}
	if (!integrity_check(dir, path, &in) || in.nproblems) {
		rc = not_whole(path, &in);
		integrity_free(&in);
		return rc;
	}
	rc = make_file(dir, name, &in, o->force, &bytes);
	describe_size(bytes, size, sizeof(size));
	if (rc < 0) {
		message_error("cannot pack %s into %s: %s", path, name, strerror(-rc));
		message_hint(rc == -EEXIST ? "take another name, or -f" : "check the directory's permissions and the disk's space");
	} else if (!o->quiet) {
		printf("%s: %zu process%s, %zu file%s, %s\n", name, in.procs.n, in.procs.n == 1 ? "" : "es", in.needs.n,
		       in.needs.n == 1 ? "" : "s", size);
	}
	integrity_free(&in);
	return rc < 0 ? STATUS_FAILED : STATUS_OK;
}

int cmd_pack(int argc, char **argv)
{
	struct options o = { 0 };
	char path[4096];
	int first, status;

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	cleanup_close int dir = trace_open(first < argc ? argv[first] : NULL, path, sizeof(path));

	return dir < 0 ? STATUS_FAILED : pack(dir, path, &o);
}
