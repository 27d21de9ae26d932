/* Results of tests. Contract: test_report.h; JUnit: the form that Jenkins and GitLab read. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/test_report.h"

#define LINES_SHOWN 30

void test_report_plan(size_t n)
{
	printf("TAP version 13\n1..%zu\n", n);
	fflush(stdout);
}

/* One line of anything: control characters would end it, and `#` would begin a directive. */
static void put_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		putchar(c < 0x20 || c == 0x7f || c == '#' ? '?' : c);
	}
}

static void put_comment(const char *text)
{
	for (int n = 0; text && *text && n < LINES_SHOWN; n++) {
		size_t len = strcspn(text, "\n");

		fputs("# ", stdout);
		put_plain(text, len);
		putchar('\n');
		text += len + (text[len] == '\n');
	}
}

void test_report_tap(const struct test_case *t, size_t n, size_t *shown)
{
	for (; *shown < n && t[*shown].verdict != TEST_PENDING; ++*shown) {
		const struct test_case *c = &t[*shown];

		printf("%sok %zu - ", c->verdict == TEST_PASSED ? "" : "not ", *shown + 1);
		put_plain(c->name, strlen(c->name));
		putchar('\n');
		if (c->verdict == TEST_FAILED)
			put_comment(c->why);
		put_comment(c->said);
	}
	fflush(stdout);
}

static size_t count_failed(const struct test_case *t, size_t n)
{
	size_t failed = 0;

	for (size_t i = 0; i < n; i++)
		failed += t[i].verdict == TEST_FAILED;
	return failed;
}

void test_report_summary(const struct test_case *t, size_t n, double seconds)
{
	size_t failed = count_failed(t, n);

	printf("# %zu recording%s: %zu passed, %zu failed, in %.2f s\n", n, n == 1 ? "" : "s", n - failed, failed, seconds);
}

/* XML 1.0 knows no control characters, not even escaped ones, and the file says that it is UTF-8. */
static void put_xml(FILE *f, const char *text)
{
	for (; text && *text; text++) {
		unsigned char c = (unsigned char)*text;

		switch (c) {
		case '<':
			fputs("&lt;", f);
			break;
		case '>':
			fputs("&gt;", f);
			break;
		case '&':
			fputs("&amp;", f);
			break;
		case '"':
			fputs("&quot;", f);
			break;
		case '\n':
			fputs("&#10;", f);
			break;
		default:
			fputc(c < 0x20 || c >= 0x7f ? '?' : c, f);
		}
	}
}

static void put_case(FILE *f, const struct test_case *c)
{
	fputs("    <testcase classname=\"sandrec\" name=\"", f);
	put_xml(f, c->name);
	fprintf(f, "\" time=\"%.3f\"", c->seconds);
	if (c->verdict != TEST_FAILED) {
		fputs("/>\n", f);
		return;
	}
	fputs(">\n      <failure message=\"", f);
	put_xml(f, c->why);
	fputs("\">", f);
	put_xml(f, c->said);
	fputs("</failure>\n    </testcase>\n", f);
}

int test_report_junit(const char *path, const struct test_case *t, size_t n, double seconds)
{
	size_t failed = count_failed(t, n);
	FILE *f = fopen(path, "we");
	bool good;

	if (!f)
		return -errno;
	fprintf(f,
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		"<testsuites tests=\"%zu\" failures=\"%zu\" errors=\"0\" time=\"%.3f\">\n"
		"  <testsuite name=\"sandrec\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"0\" time=\"%.3f\">\n",
		n, failed, seconds, n, failed, seconds);
	for (size_t i = 0; i < n; i++)
		put_case(f, &t[i]);
	fputs("  </testsuite>\n</testsuites>\n", f);
	good = !ferror(f);
	if (fclose(f) || !good)
		return -EIO;
	return 0;
}
