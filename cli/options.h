/*
 * Command lines. A command describes itself once, in a const struct; parsing and --help both follow it.
 *
 *	struct dump_options { bool json; uint64_t from; const char *syscall; };
 *	static const struct cli_option options[] = {
 *		{ "json", 0, OPT_FLAG, offsetof(struct dump_options, json), NULL, "one JSON object a line" },
 *		{ "from", 0, OPT_UINT, offsetof(struct dump_options, from), "E", "start with event number E" },
 *		{ 0 }
 *	};
 *	static const struct cli_command command = {
 *		.name = "dump", .operands = "[TRACE]", .summary = "print a recording", .options = options, .max = 1
 *	};
 *
 *	struct dump_options o = { .from = 0 };              // defaults
 *	int first, status;
 *	if (!options_parse(&command, argc, argv, &o, &first, &status))
 *		return status;                               // --help was printed, or the command line is wrong
 *	// operands are argv[first] ... argv[argc - 1]
 */
#ifndef SANDREC_OPTIONS_H
#define SANDREC_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
	OPT_FLAG,   /* bool: true when given */
	OPT_STRING, /* const char *: points into argv */
	OPT_UINT,   /* uint64_t: decimal, 0x hexadecimal or 0 octal */
	OPT_CHOICE, /* int: which of the words in `arg`, "auto|pmu|landmark", counted from 0 */
	OPT_OPTIONAL, /* const char *: a value may follow behind `=`; "" without one */
	OPT_LIST    /* struct option_list: every value given, in order */
};

struct option_list {
	size_t n;
	const char **v; /* options_free_list() */
};

struct cli_option {
	const char *name;      /* long name; NULL ends the table */
	char letter;           /* short name, or 0 */
	enum option_kind kind;
	size_t at;             /* offset of the value in the command's own struct */
	const char *arg;       /* what the value is called in --help: DIR; OPT_CHOICE: the words; NULL: OPT_FLAG */
	const char *help;      /* one line */
};

struct cli_command {
	const char *name;
	const char *operands;  /* "[TRACE]" */
	const char *summary;   /* one line, lower case, no full stop */
	const char *text;      /* more for --help, or NULL */
	const struct cli_option *options;
	int min, max;          /* operands; max -1: any number */
	bool takes_program;    /* options end at the first operand: the rest is somebody else's command line */
	int usage_status;      /* exit status of a wrong command line; 0: STATUS_USAGE */
};

/*
 * Fills *values from argv[1...] and sets *first to the first operand. false: the command is over, with *status.
 * --help is understood everywhere. Long options may be abbreviated; operands and options may be mixed unless
 * takes_program.
 */
bool options_parse(const struct cli_command *c, int argc, char **argv, void *values, int *first, int *status);

void options_help(const struct cli_command *c, FILE *out);
void options_free_list(struct option_list *l);

#endif
