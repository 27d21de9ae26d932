/* Reading a recording as a world to run in. Contract: world.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "record/world_int.h"
#include "syscall-emu/file_map.h"
#include "syscall-emu/sysdesc.h"
#include "trace/manifest.h"
#include "trace/stream.h"
#include "trace/tracedir.h"

#define FILE_MAX (64ull << 20) /* of one file's content that is put together from reads */

/* While reading: which file a descriptor means, and where it stands. */
struct reading {
	struct world *w;
	ptrdiff_t file[WORLD_FDS];
	uint64_t offset[WORLD_FDS];
	int tid;
	size_t room, file_room;
	char *why;
	size_t len;
};

static int refuse(struct reading *r, const char *what)
{
	snprintf(r->why, r->len, "%s", what);
	return -EOPNOTSUPP;
}

static ptrdiff_t add_file(struct reading *r, char *path)
{
	struct world *w = r->w;

	if (w->nfiles == r->file_room) {
		size_t room = r->file_room ? 2 * r->file_room : 64;
		struct world_file *f = reallocarray(w->file, room, sizeof(*f));

		if (!f)
			return -1;
		w->file = f;
		r->file_room = room;
	}
	w->file[w->nfiles] = (struct world_file){ .path = path };
	return (ptrdiff_t)w->nfiles++;
}

static void put_content(struct world_file *f, uint64_t at, const struct world_piece *piece, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct world_piece *p = &piece[i];

		if (at > FILE_MAX || p->len > FILE_MAX - at)
			return;
		if (at + p->len > f->size) {
			unsigned char *bytes = realloc(f->bytes, at + p->len);

			if (!bytes)
				return;
			memset(bytes + f->size, 0, at + p->len - f->size);
			f->bytes = bytes;
			f->size = at + p->len;
		}
		memcpy(f->bytes + at, p->bytes, p->len);
		at += p->len;
	}
}

static char *path_of(const struct world_event *e)
{
	for (size_t i = 0; i < e->nread; i++) {
		const struct world_piece *p = &e->read[i];

		for (unsigned k = 0; e->desc && k < e->desc->nargs; k++)
			if (e->desc->arg[k] == A_PATH && p->len && p->bytes[p->len - 1] == '\0')
				return strdup((const char *)p->bytes);
	}
	return NULL;
}

static bool known(uint64_t fd)
{
	return fd < WORLD_FDS;
}

/* Reads that go on where the last one ended, and those that say where. */
static void note_read(struct reading *r, const struct world_event *e)
{
	uint64_t fd = e->regs.rax == SYS_sendfile ? e->regs.rsi : e->regs.rdi;

	if (!known(fd) || r->file[fd] < 0 || e->result <= 0)
		return;
	switch (e->regs.rax) {
	case SYS_read:
	case SYS_readv:
	case SYS_recvfrom:
		put_content(&r->w->file[r->file[fd]], r->offset[fd], e->written, e->nwritten);
		r->offset[fd] += (uint64_t)e->result;
		break;
	case SYS_pread64:
	case SYS_preadv:
		put_content(&r->w->file[r->file[fd]], e->regs.r10, e->written, e->nwritten);
		break;
	case SYS_sendfile:
	case SYS_copy_file_range:
	case SYS_splice:
		put_content(&r->w->file[r->file[fd]], r->offset[fd], e->carried, e->ncarried);
		r->offset[fd] += (uint64_t)e->result;
		break;
	case SYS_write:
	case SYS_writev:
		r->offset[fd] += (uint64_t)e->result;
		break;
	case SYS_lseek:
		r->offset[fd] = (uint64_t)e->result;
		break;
	}
}

static void note_mapping(struct reading *r, const struct event *ev)
{
	struct file_map m;

	if (ev->regs.rax == SYS_mmap && known(ev->regs.r8) && r->file[ev->regs.r8] >= 0 &&
	    file_map_decode(ev->annex, ev->annex_len, &m) == 0 &&
	    (m.kind == FILE_MAP_PRIVATE || m.kind == FILE_MAP_SHARED)) {
		struct world_file *f = &r->w->file[r->file[ev->regs.r8]];

		f->ref = m.ref;
		f->has_ref = true;
	}
}

static bool duplicates(const struct world_event *e)
{
	return e->regs.rax == SYS_dup || e->regs.rax == SYS_dup2 || e->regs.rax == SYS_dup3 ||
	       (e->regs.rax == SYS_fcntl && (e->regs.rsi == F_DUPFD || e->regs.rsi == F_DUPFD_CLOEXEC));
}

static void note_descriptor(struct reading *r, struct world_event *e)
{
	uint64_t fd = (uint64_t)e->result;

	if (e->regs.rax == SYS_close && known(e->regs.rdi))
		r->file[e->regs.rdi] = -1;
	if (e->result < 0 || !known(fd))
		return;
	if (duplicates(e) && known(e->regs.rdi)) {
		r->file[fd] = r->file[e->regs.rdi];
		r->offset[fd] = r->offset[e->regs.rdi];
	} else if (e->desc && e->desc->ret == RET_FD) {
		e->file = r->file[fd] = add_file(r, path_of(e));
		r->offset[fd] = 0;
	}
}

/* ---- events ---- */

static struct world_event *add_event(struct reading *r)
{
	struct world *w = r->w;

	if (w->nevents == r->room) {
		size_t room = r->room ? 2 * r->room : 1024;
		struct world_event *e = reallocarray(w->event, room, sizeof(*e));

		if (!e)
			return NULL;
		w->event = e;
		r->room = room;
	}
	w->event[w->nevents] = (struct world_event){ .file = -1 };
	return &w->event[w->nevents++];
}

static bool add_piece(struct world_piece **list, size_t *n, const struct event_data *d)
{
	struct world_piece *p = reallocarray(*list, *n + 1, sizeof(*p));
	unsigned char *bytes = malloc(d->len ? d->len : 1);

	if (p)
		*list = p;
	if (!p || !bytes) {
		free(bytes);
		return false;
	}
	memcpy(bytes, d->bytes, d->len);
	p[(*n)++] = (struct world_piece){ d->addr, d->len, bytes };
	return true;
}

static int read_pieces(struct stream_reader *s, struct world_event *e)
{
	struct event_data d;
	int rc;

	while ((rc = stream_data(s, &d)) > 0) {
		bool good = true;

		if (d.kind == DATA_INPUT)
			good = add_piece(&e->read, &e->nread, &d);
		else if (d.kind == DATA_MEMORY)
			good = add_piece(&e->written, &e->nwritten, &d);
		else if (d.kind == DATA_STDOUT || d.kind == DATA_STDERR)
			good = add_piece(&e->carried, &e->ncarried, &d);
		if (!good)
			return -ENOMEM;
	}
	return rc;
}

static bool makes_a_task(uint64_t nr)
{
	return nr == SYS_clone || nr == SYS_clone3 || nr == SYS_fork || nr == SYS_vfork;
}

static int take_call(struct reading *r, struct stream_reader *s, const struct event *ev, struct world_event *e)
{
	const uint64_t args[6] = { ev->regs.rdi, ev->regs.rsi, ev->regs.rdx, ev->regs.r10, ev->regs.r8, ev->regs.r9 };
	int rc;

	e->desc = sys_lookup(ev->regs.rax, args);
	if (makes_a_task(ev->regs.rax) && ev->result > 0)
		return refuse(r, "it has made processes or threads");
	note_mapping(r, ev);
	rc = read_pieces(s, e);
	if (rc == 0) {
		note_read(r, e);
		note_descriptor(r, e);
	}
	return rc;
}

static int take_event(struct reading *r, struct stream_reader *s, const struct event *ev)
{
	struct world_event *e;

	if (ev->type == REC_EXEC && r->w->image.path)
		return refuse(r, "it has executed another program");
	if (ev->type == REC_EXEC) {
		r->tid = ev->tid;
		return exec_params_decode(ev->annex, ev->annex_len, &r->w->image);
	}
	if (ev->type != REC_SYSCALL && ev->type != REC_TSC)
		return ev->type == REC_FORK || ev->type == REC_SCHED ? refuse(r, "it has several threads or processes") : 0;
	if (ev->tid != r->tid)
		return refuse(r, "it has several threads");
	if (ev->flags & REC_F_RESTART)
		return 0;
	e = add_event(r);
	if (!e)
		return -ENOMEM;
	e->type = ev->type;
	e->flags = ev->flags;
	e->regs = ev->regs;
	e->result = ev->result;
	if (ev->annex_len == sizeof(e->aux))
		memcpy(&e->aux, ev->annex, sizeof(e->aux));
	return ev->type == REC_SYSCALL ? take_call(r, s, ev, e) : 0;
}

static int read_all(struct reading *r, struct stream_reader *s)
{
	struct event ev;
	int rc;

	while ((rc = stream_next(s, &ev)) > 0) {
		rc = take_event(r, s, &ev);
		if (rc < 0)
			break;
	}
	if (rc < 0 && !r->why[0])
		snprintf(r->why, r->len, "%s", rc == -ENOMEM ? "out of memory" : stream_reader_error(s));
	return rc;
}

int world_load(int dir, struct world **out, char *why, size_t len)
{
	struct world *w = calloc(1, sizeof(*w));
	struct reading r = { .w = w, .why = why, .len = len };
	struct manifest m = { 0 };
	struct stream_reader *s = NULL;
	char name[32], ring[32];
	int rc;

	if (!w)
		return -ENOMEM;
	w->dir = dir;
	why[0] = '\0';
	rc = manifest_read(dir, &m, why, len);
	if (rc < 0)
		return rc;
	w->pid = m.nprocs ? m.procs[0].pid : 0;
	rc = m.nprocs > 1 ? refuse(&r, "it has several processes") : 0;
	manifest_free(&m);
	for (size_t i = 0; i < WORLD_FDS; i++)
		r.file[i] = -1;
	r.file[0] = add_file(&r, NULL); /* standard input, number 0 */
	snprintf(name, sizeof(name), TRACE_STREAM_NAME, 1);
	snprintf(ring, sizeof(ring), TRACE_RING_NAME, 1);
	if (rc == 0)
		rc = stream_reader_open(dir, name, ring, &s);
	if (rc == 0)
		rc = read_all(&r, s);
	stream_reader_close(s);
	if (rc == 0 && !w->image.path)
		rc = refuse(&r, "it is empty");
	if (rc == 0)
		*out = w; /* of one run, which ends with the process: never freed */
	return rc;
}
