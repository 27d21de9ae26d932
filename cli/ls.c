/* sandrec ls: the recordings there are. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/describe.h"
#include "cli/message.h"
#include "trace/tracedir.h"
#include "vmm/cleanup.h"

struct options {
	bool json;
};

static const struct cli_option options[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct options, json), NULL, "print a JSON array" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "ls",
	.operands = "",
	.summary = "list recordings",
	.text = "They are in $SANDREC_TRACE_DIR, else in $XDG_DATA_HOME/sandrec, else in ~/.local/share/sandrec.",
	.options = options,
};

#define COMMAND_SHOWN 64

struct list {
	json_t *json; /* NULL: text */
	size_t n;
};

static void print_line(const char *name, const char *start, const char *age, const char *took, const char *size,
		       const char *outcome, const char *text)
{
	printf("%-24s %-19s %4s %9s %8s  %-18s %s\n", name, start, age, took, size, outcome, text);
}

static int list_one(const char *path, const char *name, void *arg)
{
	char text[COMMAND_SHOWN] = "";
	struct description d;
	struct list *l = arg;

	describe_trace(path, &d);
	if (l->json) {
		json_array_append_new(l->json, describe_json(name, path, &d));
	} else {
		if (!l->n)
			print_line("NAME", "STARTED", "AGE", "TOOK", "SIZE", "OUTCOME", "COMMAND");
		if (d.readable)
			describe_command(d.manifest.argv, text, sizeof(text));
		print_line(name, d.start, d.age, d.duration, d.size, d.outcome, text);
	}
	l->n++;
	describe_free(&d);
	return 0;
}

int cmd_ls(int argc, char **argv)
{
	struct options o = { 0 };
	struct list l = { 0 };
	char root[4096];
	int first, status, rc;

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	if (o.json && !(l.json = json_array()))
		return STATUS_FAILED;
	rc = tracedir_each(list_one, &l);
	if (rc < 0 && rc != -ENOENT) {
		message_error("cannot list the recordings: %s", strerror(-rc));
		message_hint("check $SANDREC_TRACE_DIR and its permissions");
		json_decref(l.json);
		return STATUS_FAILED;
	}
	if (l.json) {
		json_dumpf(l.json, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
		putchar('\n');
		json_decref(l.json);
	} else if (!l.n && !tracedir_root(root, sizeof(root), 0)) {
		message("no recordings in %s", root);
	}
	return STATUS_OK;
}
