/*
 * The files a process had: what its program images were loaded from and what it mapped, by name, from the recording's
 * store. A name that meant several files means the last one mapped. Contract: debug_int.h.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "replay/debug_int.h"
#include "replay/replayer.h"
#include "syscall-emu/file_map.h"
#include "syscall-emu/loader.h"
#include "trace/stream.h"
#include "vmm/cleanup.h"

#define FDS_MAX 1024 /* open descriptors whose names are remembered */
#define PHDRS_MAX 64

struct indexed {
	char *path;
	struct file_ref ref;
};

struct file_index {
	struct indexed *file;
	size_t n, cap;
	struct files_store *store;
};

void files_index_free(struct file_index *ix)
{
	if (!ix)
		return;
	for (size_t i = 0; i < ix->n; i++)
		free(ix->file[i].path);
	free(ix->file);
	if (ix->store)
		files_close(ix->store);
	free(ix);
}

static void note(struct file_index *ix, const char *path, const struct file_ref *ref)
{
	size_t i;

	if (!path || path[0] != '/')
		return;
	for (i = 0; i < ix->n; i++)
		if (!strcmp(ix->file[i].path, path)) {
			ix->file[i].ref = *ref;
			return;
		}
	if (ix->n == ix->cap) {
		size_t cap = ix->cap ? 2 * ix->cap : 64;
		struct indexed *more = realloc(ix->file, cap * sizeof(*more));

		if (!more)
			return;
		ix->file = more;
		ix->cap = cap;
	}
	ix->file[i] = (struct indexed){ strdup(path), *ref };
	ix->n += ix->file[i].path != NULL;
}

/* The name by which a program asks for its interpreter, which is not always the file's own: "" when there is none. */
static void interpreter_of(int fd, char *name, size_t len)
{
	Elf64_Phdr ph[PHDRS_MAX];
	Elf64_Ehdr eh;
	ssize_t n;

	name[0] = 0;
	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) || eh.e_phnum > PHDRS_MAX || eh.e_phentsize != sizeof(ph[0]) ||
	    pread(fd, ph, eh.e_phnum * sizeof(ph[0]), (off_t)eh.e_phoff) != (ssize_t)(eh.e_phnum * sizeof(ph[0])))
		return;
	for (unsigned i = 0; i < eh.e_phnum; i++)
		if (ph[i].p_type == PT_INTERP) {
			n = pread(fd, name, len - 1, (off_t)ph[i].p_offset);
			name[n < 0 ? 0 : (size_t)n < ph[i].p_filesz ? (size_t)n : ph[i].p_filesz < len ? ph[i].p_filesz : len - 1] = 0;
		}
}

static void note_image(struct file_index *ix, const struct event *ev)
{
	struct exec_params x = { 0 };
	char name[4096];

	if (exec_params_decode(ev->annex, ev->annex_len, &x) == 0)
		for (unsigned i = 0; i < x.nfiles && i < EXEC_FILES_MAX; i++) {
			cleanup_close int fd = ix->store ? files_get(ix->store, &x.file[i].ref, 0) : -1;

			note(ix, x.file[i].path, &x.file[i].ref);
			if (fd < 0 || i + 1 == x.nfiles || i + 1 == EXEC_FILES_MAX)
				continue;
			interpreter_of(fd, name, sizeof(name));
			note(ix, name, &x.file[i + 1].ref);
		}
	exec_params_free(&x);
}

/* ---- names by which files were opened ---- */

struct names {
	char *of[FDS_MAX]; /* by descriptor */
};

static void forget(struct names *nm)
{
	for (unsigned i = 0; i < FDS_MAX; i++)
		free(nm->of[i]);
}

static void forget_one(struct names *nm, uint64_t fd)
{
	if (fd >= FDS_MAX)
		return;
	free(nm->of[fd]);
	nm->of[fd] = NULL;
}

/* What an open was given is among the bytes that the call read. */
static void note_open(struct names *nm, struct stream_reader *r, const struct event *ev)
{
	uint64_t addr = ev->regs.rax == SYS_open ? ev->regs.rdi : ev->regs.rsi;
	struct event_data d;

	if (ev->result < 0 || ev->result >= FDS_MAX)
		return;
	forget_one(nm, (uint64_t)ev->result);
	while (stream_data(r, &d) == 1)
		if (d.kind == DATA_INPUT && d.addr == addr && !nm->of[ev->result])
			nm->of[ev->result] = strndup(d.bytes, d.len);
}

static void note_mapping(struct file_index *ix, const struct names *nm, const struct event *ev)
{
	static struct file_map m;

	if (!ev->annex_len || file_map_decode(ev->annex, ev->annex_len, &m) < 0 || m.kind == FILE_MAP_ZERO)
		return;
	note(ix, m.path, &m.ref);
	if (ev->regs.r8 < FDS_MAX)
		note(ix, nm->of[ev->regs.r8], &m.ref);
}

static void note_call(struct file_index *ix, struct names *nm, struct stream_reader *r, const struct event *ev)
{
	switch (ev->regs.rax) {
	case SYS_mmap:
		note_mapping(ix, nm, ev);
		break;
	/* The next one of this number need not come from an open: a memfd, say. */
	case SYS_close:
		forget_one(nm, ev->regs.rdi);
		break;
	case SYS_open:
	case SYS_openat:
	case SYS_openat2:
		note_open(nm, r, ev);
		break;
	}
}

/* Returns the number of the process that made it, or 0. */
static int read_stream(struct file_index *ix, int dir, int number)
{
	struct names nm = { 0 };
	struct stream_reader *r;
	struct event ev;
	char why[256];
	int rc = replayer_open_stream(dir, number, &r, why, sizeof(why));
	int32_t parent = 0;

	if (rc < 0)
		return rc;
	while (stream_next(r, &ev) == 1) {
		if (ev.type == REC_EXEC)
			note_image(ix, &ev);
		else if (ev.type == REC_SYSCALL)
			note_call(ix, &nm, r, &ev);
		else if (ev.type == REC_FORK && ev.annex_len == sizeof(struct fork_annex))
			memcpy(&parent, (const char *)ev.annex + offsetof(struct fork_annex, parent_number), sizeof(parent));
	}
	stream_reader_close(r);
	forget(&nm);
	return parent;
}

static struct file_index *make_index(const struct replay_debug *d)
{
	struct file_index *ix = calloc(1, sizeof(*ix));
	int number = d->number, line[64], n = 0;

	if (!ix || files_open(d->request.dirfd, NULL, &ix->store) < 0) {
		files_index_free(ix);
		return NULL;
	}
	/* What it has from its ancestors first, so that its own mappings count. */
	while (number > 0 && n < 64) {
		struct file_index scratch = { 0 };

		line[n++] = number;
		number = read_stream(&scratch, d->request.dirfd, number);
		for (size_t i = 0; i < scratch.n; i++)
			free(scratch.file[i].path);
		free(scratch.file);
	}
	while (n)
		read_stream(ix, d->request.dirfd, line[--n]);
	return ix;
}

int files_open_recorded(struct replay_debug *d, const char *path)
{
	if (!d->files)
		d->files = make_index(d);
	if (!d->files)
		return -ENOMEM;
	for (size_t i = 0; i < d->files->n; i++)
		if (!strcmp(d->files->file[i].path, path))
			return files_get(d->files->store, &d->files->file[i].ref, 0);
	return -ENOENT;
}
