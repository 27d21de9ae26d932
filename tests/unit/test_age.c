/* Lengths of time: read and written. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli/age.h"
#include "tests/unit/unit.h"

START_TEST(read)
{
	static const struct { const char *text; uint64_t s; } good[] = {
		{ "0s", 0 }, { "45s", 45 }, { "90m", 5400 }, { "12h", 43200 }, { "30d", 2592000 }, { "2w", 1209600 },
		{ "007d", 604800 }, { "9007199254740992s", 1ull << 53 },
	};
	static const char *const bad[] = { "", "d", "30", "30 d", " 30d", "-1d", "+1d", "1.5h", "30days", "30D", "1y", "0x10d",
					   "9007199254740993s", "99999999999999999999s", "18446744073709551615w", "1d2h" };
	uint64_t s;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(age_parse(good[i].text, &s), "%s", good[i].text);
		ck_assert_uint_eq(s, good[i].s);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!age_parse(bad[i], &s), "%s", bad[i]);
}
END_TEST

START_TEST(written)
{
	static const struct { uint64_t s; const char *text; } ages[] = {
		{ 0, "0s" }, { 59, "59s" }, { 60, "1m" }, { 3599, "59m" }, { 3600, "1h" }, { 86399, "23h" }, { 86400, "1d" },
		{ 1209600, "14d" }, { UINT64_MAX, "213503982334601d" },
	};
	char buf[32];

	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		age_text(ages[i].s, buf, sizeof(buf));
		ck_assert_str_eq(buf, ages[i].text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("age");
	TCase *c = tcase_create("age");

	tcase_add_test(c, read);
	tcase_add_test(c, written);
	suite_add_tcase(suite, c);
	return unit_run(suite);
}
