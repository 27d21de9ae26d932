/* `#!` scripts. Contract: loader_int.h. Source: execve(2), Linux fs/binfmt_script.c for the rules. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/loader_int.h"
#include "vmm/cleanup.h"

int argv_copy(char *const *from, struct argv *to)
{
	size_t n = 0;

	while (from && from[n])
		n++;
	to->n = n;
	to->v = calloc(n + 2, sizeof(*to->v));
	for (size_t i = 0; to->v && i < n; i++) {
		to->v[i] = strdup(from[i]);
		if (!to->v[i])
			return -ENOMEM;
	}
	if (to->v && !n) {
		/* A program without argv[0] would read its environment as arguments: Linux gives it an empty one. */
		to->v[0] = strdup("");
		to->n = 1;
	}
	return to->v && to->v[0] ? 0 : -ENOMEM;
}

void argv_free(struct argv *a)
{
	for (size_t i = 0; a->v && i < a->n; i++)
		free(a->v[i]);
	free(a->v);
	*a = (struct argv){ 0 };
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static size_t skip_blanks(const char *s, size_t at, size_t end)
{
	while (at < end && blank(s[at]))
		at++;
	return at;
}

static size_t word_end(const char *s, size_t at, size_t end)
{
	while (at < end && !blank(s[at]) && s[at])
		at++;
	return at;
}

/* argv becomes: interpreter, its argument if there is one, the script's path, and what followed argv[0]. */
static int rewrite(struct argv *args, const char *interp, const char *option, const char *path)
{
	size_t head = option ? 3 : 2, n = head + (args->n ? args->n - 1 : 0), k = 0;
	char **v = calloc(n + 2, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v[k++] = strdup(interp);
	if (option)
		v[k++] = strdup(option);
	v[k++] = strdup(path);
	for (size_t i = 0; i < head; i++) {
		if (v[i])
			continue;
		for (size_t j = 0; j < head; j++)
			free(v[j]);
		free(v);
		return -ENOMEM;
	}
	for (size_t i = 1; i < args->n; i++)
		v[k++] = args->v[i];
	if (args->n)
		free(args->v[0]);
	free(args->v);
	*args = (struct argv){ v, n };
	return 0;
}

int script_parse(const char head[BINPRM_SIZE], const char *path, struct argv *args, char **interp)
{
	cleanup_free char *option = NULL;
	const char *newline = memchr(head, '\n', BINPRM_SIZE);
	size_t end, name, sep, arg;
	int rc;

	if (head[0] != '#' || head[1] != '!')
		return 0;
	end = BINPRM_SIZE - 1;
	name = skip_blanks(head, 2, end);
	if (newline)
		end = (size_t)(newline - head);
	else if (name == end || word_end(head, name, end) == end)
		return -ENOEXEC; /* the line goes on behind what Linux reads: the name may be cut */
	while (end > 2 && blank(head[end - 1]))
		end--;
	name = skip_blanks(head, 2, end);
	sep = word_end(head, name, end);
	if (name >= end)
		return -ENOEXEC;
	if (sep == name)
		return -EACCES; /* a NUL: Linux opens the empty name, which is the working directory */
	arg = sep < end && head[sep] ? skip_blanks(head, sep, end) : end;
	if (arg < end)
		option = strndup(head + arg, end - arg);
	*interp = strndup(head + name, sep - name);
	if (!*interp || (arg < end && !option))
		return -ENOMEM;
	rc = rewrite(args, *interp, option && *option ? option : NULL, path);
	return rc < 0 ? rc : 1;
}
