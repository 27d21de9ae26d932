/* Command lines. Contract: options.h. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/message.h"
#include "cli/options.h"

#define OPTIONS_MAX 40
#define OPT_HELP 0x1000  /* values for getopt_long(), above letters */
#define OPT_INDEX 0x2000
#define HELP_COLUMN 28

static size_t count_options(const struct cli_command *c)
{
	size_t n = 0;

	while (c->options && c->options[n].name)
		n++;
	if (n > OPTIONS_MAX) {
		message_error("internal error: %s has too many options", c->name);
		abort();
	}
	return n;
}

static void print_option(const struct cli_option *o, FILE *out)
{
	int n;

	if (o->letter)
		n = fprintf(out, "  -%c, ", o->letter);
	else
		n = fprintf(out, "      ");
	if (o->kind == OPT_OPTIONAL)
		n += fprintf(out, "--%s[=%s]", o->name, o->arg);
	else
		n += fprintf(out, "--%s%s%s", o->name, o->arg ? "=" : "", o->arg ? o->arg : "");
	if (n > HELP_COLUMN - 2)
		n = fprintf(out, "\n") - 1;
	fprintf(out, "%*s%s\n", HELP_COLUMN - n, "", o->help);
}

void options_help(const struct cli_command *c, FILE *out)
{
	static const struct cli_option help = { "help", 0, OPT_FLAG, 0, NULL, "print this" };
	size_t n = count_options(c);

	fprintf(out, "Usage: sandrec %s [OPTION]...%s%s\n", c->name, *c->operands ? " " : "",
		c->operands);
	fprintf(out, "%c%s.\n\n", toupper((unsigned char)*c->summary), c->summary + 1);
	for (size_t i = 0; i < n; i++)
		print_option(&c->options[i], out);
	print_option(&help, out);
	if (c->text)
		fprintf(out, "\n%s\n", c->text);
}

static int usage_status(const struct cli_command *c)
{
	return c->usage_status ? c->usage_status : STATUS_USAGE;
}

static bool wrong(const struct cli_command *c)
{
	message_hint("`sandrec %s --help` lists the options", c->name);
	return false;
}

static bool parse_uint(const char *text, uint64_t *v)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*v = strtoull(text, &end, 0);
	return !errno && !*end;
}

/* Which of the words between bars text is, or -1. */
static int parse_choice(const char *words, const char *text)
{
	size_t want = strlen(text);

	for (int i = 0;; i++) {
		size_t len = strcspn(words, "|");

		if (len == want && !memcmp(words, text, len))
			return i;
		if (!words[len])
			return -1;
		words += len + 1;
	}
}

static bool append(struct option_list *l, const char *value)
{
	const char **v = reallocarray(l->v, l->n + 2, sizeof(*v));

	if (!v) {
		message_error("out of memory");
		return false;
	}
	l->v = v;
	v[l->n++] = value;
	v[l->n] = NULL;
	return true;
}

void options_free_list(struct option_list *l)
{
	free(l->v);
	l->v = NULL;
	l->n = 0;
}

static int argument_kind(const struct cli_option *o)
{
	return !o->arg ? no_argument : o->kind == OPT_OPTIONAL ? optional_argument : required_argument;
}

static bool store(const struct cli_command *c, const struct cli_option *o, void *values, const char *arg)
{
	char *at = (char *)values + o->at;
	uint64_t number;
	int choice;

	switch (o->kind) {
	case OPT_FLAG:
		*(bool *)at = true;
		return true;
	case OPT_STRING:
		*(const char **)at = arg;
		return true;
	case OPT_OPTIONAL:
		*(const char **)at = arg ? arg : "";
		return true;
	case OPT_LIST:
		return append((struct option_list *)at, arg);
	case OPT_UINT:
		if (!parse_uint(arg, &number)) {
			message_error("%s: --%s: `%s` is not a number", c->name, o->name, arg);
			return wrong(c);
		}
		*(uint64_t *)at = number;
		return true;
	case OPT_CHOICE:
		choice = parse_choice(o->arg, arg);
		if (choice < 0) {
			message_error("%s: --%s: `%s` is none of %s", c->name, o->name, arg, o->arg);
			return wrong(c);
		}
		*(int *)at = choice;
		return true;
	}
	abort();
}

struct getopt_tables {
	char letters[2 * OPTIONS_MAX + 4];
	struct option longs[OPTIONS_MAX + 2];
};

static void fill_tables(const struct cli_command *c, struct getopt_tables *t)
{
	size_t n = count_options(c);
	char *p = t->letters;

	memset(t, 0, sizeof(*t));
	if (c->takes_program)
		*p++ = '+';
	*p++ = ':';
	for (size_t i = 0; i < n; i++) {
		const struct cli_option *o = &c->options[i];

		t->longs[i] = (struct option){ o->name, argument_kind(o), NULL, OPT_INDEX + (int)i };
		if (!o->letter)
			continue;
		*p++ = o->letter;
		if (o->arg)
			*p++ = ':';
	}
	t->longs[n] = (struct option){ "help", no_argument, NULL, OPT_HELP };
}

static const struct cli_option *option_of(const struct cli_command *c, int value)
{
	if (value >= OPT_INDEX)
		return &c->options[value - OPT_INDEX];
	for (const struct cli_option *o = c->options; o && o->name; o++)
		if (o->letter && o->letter == value)
			return o;
	return NULL;
}

/* getopt_long() found fault with the word before optind, or with the letter optopt. */
static bool bad_option(const struct cli_command *c, int argc, char **argv, bool no_value)
{
	const char *word = optind <= argc ? argv[optind - 1] : "";

	if (no_value)
		message_error("%s: `%s` needs a value", c->name, word);
	else if (optopt >= OPT_HELP)
		message_error("%s: `%s`: this option takes no value", c->name, word);
	else if (optopt)
		message_error("%s: -%c: no such option", c->name, optopt);
	else
		message_error("%s: `%s`: no such option, or several that begin so", c->name, word);
	return wrong(c);
}

static bool check_operands(const struct cli_command *c, int n)
{
	if (n < c->min)
		message_error("%s: %s is missing", c->name, c->operands);
	else if (c->max >= 0 && n > c->max)
		message_error("%s: too many arguments", c->name);
	else
		return true;
	return wrong(c);
}

bool options_parse(const struct cli_command *c, int argc, char **argv, void *values, int *first, int *status)
{
	struct getopt_tables t;

	fill_tables(c, &t);
	*status = usage_status(c);
	optind = 0; /* start again, with these tables */
	for (;;) {
		int value = getopt_long(argc, argv, t.letters, t.longs, NULL);

		if (value == -1)
			break;
		if (value == OPT_HELP) {
			options_help(c, stdout);
			*status = STATUS_OK;
			return false;
		}
		if (value == '?' || value == ':')
			return bad_option(c, argc, argv, value == ':');
		if (!store(c, option_of(c, value), values, optarg))
			return false;
	}
	*first = optind;
	return check_operands(c, argc - optind);
}
