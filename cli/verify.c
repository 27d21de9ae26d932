/* sandrec verify: is a recording whole? */
#include <inttypes.h>
#include <jansson.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/describe.h"
#include "cli/integrity.h"
#include "cli/message.h"
#include "vmm/cleanup.h"

struct options {
	bool json, quiet;
};

static const struct cli_option options[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct options, json), NULL, "print a JSON object" },
	{ "quiet", 'q', OPT_FLAG, offsetof(struct options, quiet), NULL, "print problems only" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "verify",
	.operands = "[TRACE]",
	.summary = "check that a recording is whole",
	.text = "Reads every event, hashes every file that the events name and compares the manifest with them. The exit\n"
		"status is 0 if all is there and 1 if not. A recording that was cut short is whole up to there.",
	.options = options,
	.max = 1,
};

static uint64_t all_events(const struct integrity *in)
{
	uint64_t n = 0;

	for (size_t i = 0; i < in->procs.n; i++)
		n += in->events[i];
	return n;
}

static void print_text(const char *path, const struct integrity *in, bool quiet)
{
	char size[16];

	for (size_t i = 0; i < in->nproblems; i++)
		message_error("%s: %s", path, in->problem[i]);
	if (in->nproblems) {
		message_hint("what is named above cannot be replayed; take another copy, or record the program again");
		return;
	}
	if (in->ncut)
		message("%s: the recording was cut short; it is whole up to there", path);
	describe_size(needs_bytes(&in->needs), size, sizeof(size));
	if (!quiet)
		printf("%s: intact: %" PRIu64 " events of %zu process%s, %zu file%s with %s\n", path, all_events(in), in->procs.n,
		       in->procs.n == 1 ? "" : "es", in->needs.n, in->needs.n == 1 ? "" : "s", size);
}

static void print_json(const char *path, const struct integrity *in)
{
	json_t *o = json_object(), *problems = json_array(), *procs = json_array();

	for (size_t i = 0; i < in->nproblems; i++)
		json_array_append_new(problems, describe_text(in->problem[i]));
	for (size_t i = 0; i < in->procs.n; i++)
		json_array_append_new(procs, json_pack("{s:s, s:i, s:I}", "process", in->procs.p[i].name, "pid",
						       (int)in->procs.p[i].pid, "events", (json_int_t)in->events[i]));
	json_object_set_new(o, "path", describe_text(path));
	json_object_set_new(o, "intact", json_boolean(!in->nproblems));
	json_object_set_new(o, "cut", json_boolean(in->ncut));
	json_object_set_new(o, "problems", problems);
	json_object_set_new(o, "processes", procs);
	json_object_set_new(o, "files", json_integer((json_int_t)in->needs.n));
	json_object_set_new(o, "good_files", json_integer((json_int_t)in->nfiles));
	json_object_set_new(o, "file_bytes", json_integer((json_int_t)needs_bytes(&in->needs)));
	json_dumpf(o, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(o);
}

int cmd_verify(int argc, char **argv)
{
	struct options o = { 0 };
	struct integrity in;
	char path[4096];
	int first, status;

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	cleanup_close int dir = trace_open(first < argc ? argv[first] : NULL, path, sizeof(path));

	if (dir < 0)
		return STATUS_FAILED;
	status = STATUS_FAILED;
	if (integrity_check(dir, path, &in)) {
		if (o.json)
			print_json(path, &in);
		else
			print_text(path, &in, o.quiet);
		status = in.nproblems ? STATUS_FAILED : STATUS_OK;
	}
	integrity_free(&in);
	return status;
}
