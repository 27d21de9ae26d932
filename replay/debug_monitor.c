/* `monitor` commands. Contract: debug_int.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replay/debug_int.h"

static void when(struct replay_debug *d, const char *arg, FILE *out)
{
	const struct link_place *p = &d->now.at.place;

	(void)arg;
	fprintf(out, "event %" PRIu64 "%s, thread %d, process %d", p->events, p->at_event ? " about to happen" : "", d->now.at.tid,
		d->pid);
	if (p->exact && !p->anchor && p->steps)
		fprintf(out, ", %" PRIu64 " instructions on", p->steps);
	fprintf(out, "%s\n", d->diversion.sock >= 0 ? "; on a diversion" : "");
}

static void help(struct replay_debug *d, const char *arg, FILE *out);

static const struct {
	const char *name;
	void (*run)(struct replay_debug *d, const char *arg, FILE *out);
	const char *help;
} commands[] = {
	{ "when", when, "say which event of the recording comes next" },
	{ "help", help, "list the commands" },
};

static void help(struct replay_debug *d, const char *arg, FILE *out)
{
	(void)d, (void)arg;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "monitor %-16s %s\n", commands[i].name, commands[i].help);
}

void debug_monitor(struct replay_debug *d, const char *line, FILE *out)
{
	size_t n = strcspn(line, " ");

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strlen(commands[i].name) == n && !strncmp(line, commands[i].name, n)) {
			commands[i].run(d, line + n + strspn(line + n, " "), out);
			return;
		}
	fprintf(out, "no such command; `monitor help` lists them\n");
}
