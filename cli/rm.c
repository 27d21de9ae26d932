/* sandrec rm: removes recordings. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/age.h"
#include "cli/cli.h"
#include "cli/message.h"
#include "trace/files.h"
#include "trace/parts.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"

struct options {
	const char *older;
	bool dry;
};

static const struct cli_option options[] = {
	{ "older-than", 0, OPT_STRING, offsetof(struct options, older), "AGE",
	  "those in the trace directory last written so long ago: 12h, 30d, 2w" },
	{ "dry-run", 'n', OPT_FLAG, offsetof(struct options, dry), NULL, "only print what would be removed" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "rm",
	.operands = "[TRACE]...",
	.summary = "remove recordings",
	.text = "TRACE is a directory, a packed recording, or a name that `sandrec ls` shows. Only recordings are removed.",
	.options = options,
	.max = -1,
};

struct removal {
	bool dry;
	time_t before;   /* --older-than */
	size_t removed, failed;
};

static void remove_one(struct removal *r, const char *name)
{
	char why[256] = "";
	int rc;

	if (r->dry) {
		puts(name);
		return;
	}
	rc = tracedir_remove(name, why, sizeof(why));
	if (rc >= 0) {
		r->removed++;
		return;
	}
	message_error("%s: %s", name, why[0] ? why : rc == -ENOENT ? "no such recording" : strerror(-rc));
	r->failed++;
}

struct newest {
	int dir;
	time_t at;
};

static int note_part(void *arg, const char *name)
{
	struct newest *n = arg;
	struct stat st;

	if (!fstatat(n->dir, name, &st, AT_SYMLINK_NOFOLLOW) && st.st_mtime > n->at)
		n->at = st.st_mtime;
	return 0;
}

/* A recording that is still being made writes to its streams; its rings are written through memory, which shows late. */
static bool is_old(const char *path, time_t before)
{
	cleanup_close int dir = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct newest n = { .dir = dir };
	struct stat st;

	if (dir < 0 || fstat(dir, &st))
		return false;
	n.at = st.st_mtime;
	if (S_ISDIR(st.st_mode) && trace_parts_each(dir, note_part, &n) < 0)
		return false;
	return n.at < before;
}

static int remove_old(const char *path, const char *name, void *arg)
{
	struct removal *r = arg;

	(void)name;
	if (is_old(path, r->before))
		remove_one(r, path);
	return 0;
}

static bool check_line(const struct options *o, int operands, uint64_t *age)
{
	if (o->older && !age_parse(o->older, age))
		message_error("rm: --older-than: `%s` is no age such as 12h, 30d, 2w", o->older);
	else if (!o->older && !operands)
		message_error("rm: TRACE... is missing");
	else if (o->older && operands)
		message_error("rm: --older-than is about all recordings, so it takes no TRACE");
	else
		return true;
	message_hint("`sandrec rm --help` lists the options");
	return false;
}

int cmd_rm(int argc, char **argv)
{
	struct removal r = { 0 };
	struct options o = { 0 };
	int first, status, rc = 0;
	uint64_t age = 0;
	char root[4096];

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	if (!check_line(&o, argc - first, &age))
		return STATUS_USAGE;
	r.dry = o.dry;
	r.before = time(NULL) - (time_t)age;
	if (o.older)
		rc = tracedir_each(remove_old, &r);
	for (int i = first; i < argc; i++)
		remove_one(&r, argv[i]);
	if (rc < 0 || r.failed)
		message_hint(rc < 0 ? "check $SANDREC_TRACE_DIR and its permissions" : "`sandrec ls` lists the recordings");
	if (r.removed && !tracedir_root(root, sizeof(root), 0))
		files_prune(root);
	return rc < 0 || r.failed ? STATUS_FAILED : STATUS_OK;
}
