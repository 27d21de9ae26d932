/*
 * The annex of REC_EXEC. Little-endian: a fixed head, the file references, then the strings (path, argv, envp, paths of
 * the files), each a 32-bit length and its bytes. Decoded as hostile input. Contract: loader.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "syscall-emu/loader.h"
#include "trace/event.h"

#define EXEC_PARAMS_VERSION 1

struct wire_head {
	uint32_t version, nfiles;
	uint8_t random[16];
	uint64_t uid, euid, gid, egid, clktck, stack_limit, minsigstksz;
	uint64_t sigmask, sigignored;
	uint32_t hwcap, hwcap2;
	int32_t pid;
	uint32_t argc, envc, pad;
};

struct wire_file {
	uint64_t hash[2], size, dev, ino;
	uint32_t mode, pad;
};

_Static_assert(sizeof(struct wire_head) == 120 && sizeof(struct wire_file) == 48, "trace format");

static uint32_t count(char *const *v)
{
	uint32_t n = 0;

	while (v && v[n])
		n++;
	return n;
}

static uint64_t string_size(const char *s)
{
	return 4 + (s ? strlen(s) : 0);
}

static uint64_t strings_size(char *const *v)
{
	uint64_t n = 0;

	for (; v && *v; v++)
		n += string_size(*v);
	return n;
}

static void put(char **at, const void *bytes, size_t len)
{
	memcpy(*at, bytes, len);
	*at += len;
}

static void put_string(char **at, const char *s)
{
	uint32_t len = s ? (uint32_t)strlen(s) : 0;

	put(at, &len, sizeof(len));
	put(at, s ? s : "", len);
}

int exec_params_encode(const struct exec_params *x, void **blob, uint32_t *len)
{
	struct wire_head h = {
		.version = EXEC_PARAMS_VERSION, .nfiles = x->nfiles, .uid = x->uid, .euid = x->euid, .gid = x->gid,
		.egid = x->egid, .clktck = x->clktck, .stack_limit = x->stack_limit, .minsigstksz = x->minsigstksz,
		.sigmask = x->sigmask, .sigignored = x->sigignored,
		.hwcap = x->hwcap, .hwcap2 = x->hwcap2, .pid = x->pid, .argc = count(x->argv), .envc = count(x->envp),
	};
	uint64_t size = sizeof(h) + x->nfiles * sizeof(struct wire_file) + string_size(x->path) +
			strings_size(x->argv) + strings_size(x->envp);
	char *at;

	if (x->nfiles > EXEC_FILES_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < x->nfiles; i++)
		size += string_size(x->file[i].path);
	if (size > EVENT_ANNEX_MAX)
		return -E2BIG;
	*blob = at = malloc(size);
	if (!at)
		return -ENOMEM;
	memcpy(h.random, x->random, sizeof(h.random));
	put(&at, &h, sizeof(h));
	for (uint32_t i = 0; i < x->nfiles; i++) {
		const struct exec_file *f = &x->file[i];
		struct wire_file w = { { f->ref.hash[0], f->ref.hash[1] }, f->ref.size, f->dev, f->ino, f->mode, 0 };

		put(&at, &w, sizeof(w));
	}
	put_string(&at, x->path);
	for (char **v = x->argv; v && *v; v++)
		put_string(&at, *v);
	for (char **v = x->envp; v && *v; v++)
		put_string(&at, *v);
	for (uint32_t i = 0; i < x->nfiles; i++)
		put_string(&at, x->file[i].path);
	*len = (uint32_t)size;
	return 0;
}

struct reader {
	const char *at, *end;
};

static int get(struct reader *r, void *out, size_t len)
{
	if (len > (size_t)(r->end - r->at))
		return -EBADMSG;
	memcpy(out, r->at, len);
	r->at += len;
	return 0;
}

static int get_string(struct reader *r, char **out)
{
	uint32_t len;

	if (get(r, &len, sizeof(len)) < 0 || len > (size_t)(r->end - r->at) || memchr(r->at, 0, len))
		return -EBADMSG;
	*out = strndup(r->at, len);
	if (!*out)
		return -ENOMEM;
	r->at += len;
	return 0;
}

/* Every string takes four bytes at least: n is bounded by what is there before anything is allocated. */
static int get_strings(struct reader *r, uint32_t n, char ***out)
{
	int rc = 0;

	if (n > (size_t)(r->end - r->at) / 4)
		return -EBADMSG;
	*out = calloc((size_t)n + 1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	for (uint32_t i = 0; rc == 0 && i < n; i++)
		rc = get_string(r, &(*out)[i]);
	return rc;
}

static int decode(struct reader *r, struct exec_params *x)
{
	struct wire_head h;
	int rc;

	if (get(r, &h, sizeof(h)) < 0 || h.version != EXEC_PARAMS_VERSION || h.nfiles > EXEC_FILES_MAX || h.pid <= 0)
		return -EBADMSG;
	x->uid = h.uid;
	x->euid = h.euid;
	x->gid = h.gid;
	x->egid = h.egid;
	x->clktck = h.clktck;
	x->stack_limit = h.stack_limit;
	x->minsigstksz = h.minsigstksz;
	x->sigmask = h.sigmask;
	x->sigignored = h.sigignored;
	x->hwcap = h.hwcap;
	x->hwcap2 = h.hwcap2;
	x->pid = h.pid;
	memcpy(x->random, h.random, sizeof(x->random));
	for (uint32_t i = 0; i < h.nfiles; i++) {
		struct exec_file *f = &x->file[i];
		struct wire_file w;

		if (get(r, &w, sizeof(w)) < 0)
			return -EBADMSG;
		f->ref = (struct file_ref){ { w.hash[0], w.hash[1] }, w.size };
		f->dev = w.dev;
		f->ino = w.ino;
		f->mode = w.mode;
	}
	x->nfiles = h.nfiles;
	rc = get_string(r, &x->path);
	if (rc == 0)
		rc = get_strings(r, h.argc, &x->argv);
	if (rc == 0)
		rc = get_strings(r, h.envc, &x->envp);
	for (uint32_t i = 0; rc == 0 && i < h.nfiles; i++)
		rc = get_string(r, &x->file[i].path);
	return rc == 0 && r->at != r->end ? -EBADMSG : rc;
}

int exec_params_decode(const void *blob, uint32_t len, struct exec_params *x)
{
	struct reader r = { blob, (const char *)blob + len };
	int rc;

	memset(x, 0, sizeof(*x));
	if (!blob || len > EVENT_ANNEX_MAX)
		return -EBADMSG;
	rc = decode(&r, x);
	if (rc < 0)
		exec_params_free(x);
	return rc;
}

static void free_strings(char **v)
{
	for (char **s = v; s && *s; s++)
		free(*s);
	free(v);
}

void exec_params_free(struct exec_params *x)
{
	free(x->path);
	free_strings(x->argv);
	free_strings(x->envp);
	for (unsigned i = 0; i < EXEC_FILES_MAX; i++)
		free(x->file[i].path);
	memset(x, 0, sizeof(*x));
}
