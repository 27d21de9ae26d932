/* From values to names and back. Contract: names.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/names_data.h"

struct text {
	char *buf;
	size_t len;
	int n;
};

/* Appends as snprintf would, however little room is left. */
__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...)
{
	va_list ap;
	size_t at = (size_t)t->n < t->len ? (size_t)t->n : t->len;

	va_start(ap, format);
	t->n += vsnprintf(t->buf ? t->buf + at : NULL, t->len - at, format, ap);
	va_end(ap);
}

/* An int argument may come with or without its sign in the upper half. */
static bool same(uint64_t name, uint64_t value)
{
	return name == value || (!(value >> 32) && (int64_t)name < 0 && (uint32_t)name == value);
}

static const char *find(const struct sys_names *n, uint64_t value)
{
	for (const struct sys_name *e = n->v; e->name; e++)
		if (same(e->value, value) && (!n->mask || !(e->value & ~n->mask)))
			return e->name;
	return NULL;
}

static void put_number(const struct sys_names *n, struct text *t, uint64_t value)
{
	if (n->octal)
		put(t, "%#03" PRIo64, value);
	else if (n->is_flags || value > 9999)
		put(t, value ? "%#" PRIx64 : "0", value);
	else
		put(t, "%" PRIu64, value);
}

static void put_flags(const struct sys_names *n, struct text *t, uint64_t value)
{
	uint64_t rest = value & ~n->mask;
	const char *sep = "";

	if (n->mask) {
		const char *name = find(n, value & n->mask);

		/* A zero without a name says nothing when flags follow. */
		if (name)
			put(t, "%s", name);
		else if ((value & n->mask) || !rest)
			put_number(n, t, value & n->mask);
		sep = t->n ? "|" : "";
	}
	for (const struct sys_name *e = n->v; e->name; e++) {
		if (!e->value || !(e->value & ~n->mask) || (rest & e->value) != e->value)
			continue;
		put(t, "%s%s", sep, e->name);
		rest &= ~e->value;
		sep = "|";
	}
	if (rest) {
		put(t, "%s", sep);
		put_number(n, t, rest);
	}
}

int names_format(const struct sys_names *n, uint64_t value, char *buf, size_t len)
{
	struct text t = { buf, len, 0 };
	const char *name = n->mask ? NULL : find(n, value);

	if (name)
		put(&t, "%s", name);
	else if (n->is_flags && (value || n->mask))
		put_flags(n, &t, value);
	else
		put_number(n, &t, value);
	return t.n;
}

static const char *lookup(const struct sys_name *v, uint64_t value)
{
	for (; v->name; v++)
		if (v->value == value)
			return v->name;
	return NULL;
}

const char *errno_name(int e)
{
	return e > 0 ? lookup(errno_names, (uint64_t)e) : NULL;
}

int errno_value(const char *name)
{
	for (const struct sys_name *e = errno_names; e->name; e++)
		if (!strcmp(e->name, name))
			return (int)e->value;
	return -1;
}

const char *signal_name(int sig)
{
	return sig > 0 ? lookup(names_signal.v, (uint64_t)sig) : NULL;
}

int signal_value(const char *name)
{
	const char *bare = strncmp(name, "SIG", 3) ? name : name + 3;
	char *end;
	long n;

	for (const struct sys_name *e = names_signal.v; e->name; e++)
		if (!strcmp(e->name + 3, bare))
			return (int)e->value;
	n = strtol(name, &end, 10);
	return *name >= '0' && *name <= '9' && !*end && n >= 1 && n <= 64 ? (int)n : -1;
}
