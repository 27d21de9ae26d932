/* sandrec syscalls: the table, as people and scripts read it. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "syscall-emu/sysdesc.h"

struct options {
	bool json;
};

static const struct cli_option options[] = {
	{ "json", 0, OPT_FLAG, offsetof(struct options, json), NULL, "print a JSON array" },
	{ 0 }
};

static const struct cli_command command = {
	.name = "syscalls",
	.operands = "",
	.summary = "list the system calls and how each is handled",
	.text = "plain: described by its row. handler: sandrec does or completes it. commands: many calls in one,\n"
		"listed below it. capture: forwarded, and what it wrote is found by comparing memory. refused: the\n"
		"program gets an error.",
	.options = options,
};

static const char *model(const struct sys_desc *d)
{
	if (d->refuse)
		return "refused";
	if (d->variants)
		return "commands";
	if (d->level == LEVEL_GENERIC && !d->mem && !d->emulate)
		return "capture";
	return d->emulate || d->post ? "handler" : "plain";
}

static const char *level(const struct sys_desc *d)
{
	static const char *const names[] = { "full", "partial", "generic", "refused" };

	return d->refuse ? "refused" : d->level < sizeof(names) / sizeof(names[0]) ? names[d->level] : "?";
}

static void print_row(const struct sys_desc *d, bool variant)
{
	char key[24] = "";

	if (!variant)
		snprintf(key, sizeof(key), "%" PRIu64, d->key);
	printf("%4s %s%-*s %-9s %-8s %s\n", key, variant ? "  " : "", variant ? 38 : 40, d->name, model(d), level(d),
	       d->note ? d->note : "");
}

static json_t *row_json(const struct sys_desc *d, bool variant)
{
	json_t *o = json_object(), *list;

	json_object_set_new(o, "name", json_string(d->name));
	if (variant)
		json_object_set_new(o, "command", json_sprintf("0x%" PRIx64, d->key));
	else
		json_object_set_new(o, "nr", json_integer((json_int_t)d->key));
	json_object_set_new(o, "model", json_string(model(d)));
	json_object_set_new(o, "level", json_string(level(d)));
	if (d->note)
		json_object_set_new(o, "note", json_string(d->note));
	if (!d->variants)
		return o;
	list = json_array();
	for (unsigned i = 0; i < *d->nvariants; i++)
		json_array_append_new(list, row_json(&d->variants[i], true));
	json_object_set_new(o, "commands", list);
	return o;
}

static void print_json(void)
{
	json_t *list = json_array();

	for (unsigned nr = 0; nr < SYS_TABLE_SIZE; nr++)
		if (sys_row(nr))
			json_array_append_new(list, row_json(sys_row(nr), false));
	json_dumpf(list, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(list);
}

static void print_text(void)
{
	printf("%4s %-40s %-9s %-8s %s\n", "NR", "NAME", "MODEL", "LEVEL", "NOTE");
	for (unsigned nr = 0; nr < SYS_TABLE_SIZE; nr++) {
		const struct sys_desc *d = sys_row(nr);

		if (!d)
			continue;
		print_row(d, false);
		for (unsigned i = 0; d->variants && i < *d->nvariants; i++)
			print_row(&d->variants[i], true);
	}
}

int cmd_syscalls(int argc, char **argv)
{
	struct options o = { 0 };
	int first, status;

	if (!options_parse(&command, argc, argv, &o, &first, &status))
		return status;
	if (o.json)
		print_json();
	else
		print_text();
	return STATUS_OK;
}
