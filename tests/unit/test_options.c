/* Command lines: every kind of option, its errors, and the help that comes from the same table. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "tests/unit/unit.h"

struct values {
	bool flag, other;
	const char *dir;
	uint64_t number;
	int choice;
	struct option_list list;
};

static const struct cli_option options[] = {
	{ "flag", 'f', OPT_FLAG, offsetof(struct values, flag), NULL, "a flag" },
	{ "other", 0, OPT_FLAG, offsetof(struct values, other), NULL, "another" },
	{ "dir", 'd', OPT_STRING, offsetof(struct values, dir), "DIR", "a string" },
	{ "number", 'n', OPT_UINT, offsetof(struct values, number), "N", "a number" },
	{ "choice", 0, OPT_CHOICE, offsetof(struct values, choice), "red|green|blue", "a choice" },
	{ "list", 'l', OPT_LIST, offsetof(struct values, list), "X", "a list" },
	{ 0 }
};

static const struct cli_command plain = {
	.name = "plain", .operands = "[THING]", .summary = "do it", .options = options, .max = 1
};
static const struct cli_command program = {
	.name = "program", .operands = "PROG [ARG]...", .summary = "run it", .options = options, .min = 1, .max = -1,
	.takes_program = true, .usage_status = STATUS_RUN_FAILED
};

static struct values v;
static int first, status;

static bool parse(const struct cli_command *c, char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	options_free_list(&v.list);
	v = (struct values){ .number = 7, .choice = -1 };
	first = status = -1;
	return options_parse(c, argc, argv, &v, &first, &status);
}

#define PARSE(c, ...) parse(c, (char *[]){ "x", ##__VA_ARGS__, NULL })

START_TEST(defaults_stay)
{
	ck_assert(PARSE(&plain));
	ck_assert(!v.flag && !v.dir && v.number == 7 && v.choice == -1 && !v.list.n);
	ck_assert_int_eq(first, 1);
}
END_TEST

START_TEST(every_kind)
{
	ck_assert(PARSE(&plain, "-f", "--dir=/tmp", "-n", "0x10", "--choice", "blue", "-la", "--list=b", "thing"));
	ck_assert(v.flag && !v.other);
	ck_assert_str_eq(v.dir, "/tmp");
	ck_assert_uint_eq(v.number, 16);
	ck_assert_int_eq(v.choice, 2);
	ck_assert_uint_eq(v.list.n, 2);
	ck_assert_str_eq(v.list.v[0], "a");
	ck_assert_str_eq(v.list.v[1], "b");
	ck_assert_ptr_null(v.list.v[2]);
	ck_assert_int_eq(first, 9);
}
END_TEST

START_TEST(order_and_abbreviation)
{
	ck_assert(PARSE(&plain, "thing", "--num", "3"));
	ck_assert_uint_eq(v.number, 3);
	ck_assert_int_eq(first, 3);
	ck_assert(PARSE(&plain, "--", "--flag"));
	ck_assert(!v.flag);
	ck_assert_int_eq(first, 2);
}
END_TEST

START_TEST(a_program_keeps_its_options)
{
	ck_assert(PARSE(&program, "-f", "ls", "-n", "--dir"));
	ck_assert(v.flag && !v.dir);
	ck_assert_int_eq(first, 2);
	ck_assert(PARSE(&program, "--", "-f"));
	ck_assert(!v.flag);
	ck_assert_int_eq(first, 2);
}
END_TEST

START_TEST(wrong_lines)
{
	ck_assert(!PARSE(&plain, "--nothing") && status == STATUS_USAGE);
	ck_assert(!PARSE(&plain, "-z") && status == STATUS_USAGE);
	ck_assert(!PARSE(&plain, "--flag=3") && status == STATUS_USAGE);
	ck_assert(!PARSE(&plain, "--dir") && status == STATUS_USAGE);
	ck_assert(!PARSE(&plain, "-n", "x") && status == STATUS_USAGE);
	ck_assert(!PARSE(&plain, "-n", "-1") && status == STATUS_USAGE);
	ck_assert(!PARSE(&plain, "-n", "") && status == STATUS_USAGE);
	ck_assert(!PARSE(&plain, "-n", "99999999999999999999") && status == STATUS_USAGE);
	ck_assert(!PARSE(&plain, "-n", "1x") && status == STATUS_USAGE);
	ck_assert(!PARSE(&plain, "--choice=gree") && status == STATUS_USAGE);
	ck_assert(!PARSE(&plain, "--choice=red|green") && status == STATUS_USAGE);
	ck_assert(!PARSE(&plain, "--choice=") && status == STATUS_USAGE);
	ck_assert(!PARSE(&plain, "a", "b") && status == STATUS_USAGE);
	ck_assert(!PARSE(&program) && status == STATUS_RUN_FAILED);
}
END_TEST

START_TEST(help_ends_the_command)
{
	ck_assert(!PARSE(&program, "--help", "--nothing") && status == STATUS_OK);
}
END_TEST

START_TEST(help_lists_the_table)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	options_help(&plain, f);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text, "Usage: sandrec plain [OPTION]... [THING]\nDo it.\n"));
	for (const struct cli_option *o = options; o->name; o++) {
		char want[64];

		snprintf(want, sizeof(want), "--%s%s%s", o->name, o->arg ? "=" : "", o->arg ? o->arg : "");
		ck_assert_msg(strstr(text, want), "%s is missing", want);
		ck_assert_ptr_nonnull(strstr(text, o->help));
	}
	ck_assert_ptr_nonnull(strstr(text, "  -d, --dir=DIR"));
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *t = tcase_create("options");

	/* What it says about wrong lines is for people. */
	if (!freopen("/dev/null", "w", stderr))
		return 1;
	tcase_add_test(t, defaults_stay);
	tcase_add_test(t, every_kind);
	tcase_add_test(t, order_and_abbreviation);
	tcase_add_test(t, a_program_keeps_its_options);
	tcase_add_test(t, wrong_lines);
	tcase_add_test(t, help_ends_the_command);
	tcase_add_test(t, help_lists_the_table);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
