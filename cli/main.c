/* sandrec: the table of commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#include "cli/address.h"
#include "cli/cli.h"
#include "cli/message.h"
#include "record/handover.h"
#include "syscall-emu/process.h"
#include "syscall-emu/serve.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	bool runs_guest;
	const char *summary;
} commands[] = {
	{ "run", cmd_run, true, "run a program in a virtual machine and record it" },
	{ "replay", cmd_replay, true, "run a recording again, exactly" },
	{ "gdb", cmd_gdb, true, "debug a recording, forwards and backwards" },
	{ "serve", cmd_serve, true, "let debuggers connect to a recording" },
	{ "dump", cmd_dump, false, "print a recording as text or JSON" },
	{ "ls", cmd_ls, false, "list recordings" },
	{ "ps", cmd_ps, false, "list the processes of a recording" },
	{ "info", cmd_info, false, "say what a recording holds" },
	{ "stat", cmd_stat, false, "count system calls, times and bytes" },
	{ "verify", cmd_verify, false, "check that a recording is whole" },
	{ "diff", cmd_diff, false, "compare the system calls of two recordings" },
	{ "pack", cmd_pack, false, "put a recording into one file, to be moved" },
	{ "test", cmd_test, false, "replay recordings as regression tests" },
	{ "chaos", cmd_chaos, false, "run a program with random scheduling until it fails" },
	{ "timeline", cmd_timeline, false, "show who ran when, as a page or for Perfetto" },
	{ "rm", cmd_rm, false, "remove recordings" },
	{ "doctor", cmd_doctor, true, "say what this machine offers, and what to do about the rest" },
	{ "syscalls", cmd_syscalls, false, "list the system calls and how each is handled" },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static int help(FILE *out)
{
	fprintf(out, "Usage: sandrec COMMAND [OPTION]... [ARGUMENT]...\n"
		     "Records programs and replays them exactly: sandrec run PROG, then sandrec replay.\n\n"
		     "Commands:\n");
	for (size_t i = 0; i < NCOMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\nOptions:\n"
		     "  --help     print this; `sandrec COMMAND --help` is about one command\n"
		     "  --version  print the version\n\n"
		     "The manual is sandrec(1).\n");
	return out == stdout ? STATUS_OK : STATUS_USAGE;
}

/* Output that could not be written is a failure like any other. */
static int flushed(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	message_error("cannot write the output\ncheck the disk, or the program that reads it");
	return status ? status : STATUS_FAILED;
}

/* For tests: replays have no option for it, and the run's only says never. */
static void choose_fast_path(void)
{
	const char *mode = getenv("SANDREC_FAST_PATH");

	if (mode && !strcmp(mode, "always"))
		process_self.serve = SERVE_ALWAYS;
	else if (mode && !strcmp(mode, "never"))
		process_self.serve = SERVE_NEVER;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	choose_fast_path();

	if (!strcmp(word, HANDOVER_WORD) && address_settle(argv))
		return cmd_handover(argc - 1, argv + 1);
	for (size_t i = 0; i < NCOMMANDS; i++) {
		if (strcmp(word, commands[i].name))
			continue;
		if (commands[i].runs_guest && !address_settle(argv))
			return STATUS_RUN_FAILED;
		return flushed(commands[i].run(argc - 1, argv + 1));
	}
	if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help"))
		return flushed(help(stdout));
	if (!strcmp(word, "--version")) {
		puts(PACKAGE_STRING);
		return flushed(STATUS_OK);
	}
	if (!*word)
		return help(stderr);
	message_error("`%s` is no command", word);
	message_hint("`sandrec --help` lists the commands");
	return STATUS_USAGE;
}
