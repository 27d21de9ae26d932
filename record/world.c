/* Answers from a recording. Contract: world.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/live.h"
#include "record/world_int.h"
#include "syscall-emu/fd.h"
#include "syscall-emu/fdtable.h"
#include "syscall-emu/process.h"

#define CARRY_MAX (64 << 20)

const struct exec_params *world_image(const struct world *w)
{
	return &w->image;
}

pid_t world_pid(const struct world *w)
{
	return w->pid;
}

/* ---- files ---- */

/* What is known of it, in a descriptor of the lowest number. */
static int make_content(struct world *w, const struct world_file *f)
{
	int fd = f->has_ref ? files_get(w->files, &f->ref, 0) : -1;

	if (fd >= 0)
		return fd;
	fd = memfd_create(f->path ? f->path : "recorded", 0);
	if (fd >= 0 && f->size && (pwrite(fd, f->bytes, f->size, 0) != (ssize_t)f->size)) {
		close(fd);
		return -EIO;
	}
	return fd < 0 ? -errno : fd;
}

/* The descriptor gets the recorded number if that is free. */
static int64_t give_descriptor(struct world *w, struct task *t, const struct world_file *f, int64_t wanted, bool cloexec)
{
	int fd = make_content(w, f);

	if (fd < 0)
		return fd;
	if (wanted >= 0 && fd != wanted && fcntl((int)wanted, F_GETFD) < 0 && dup2(fd, (int)wanted) == wanted) {
		close(fd);
		fd = (int)wanted;
	}
	fcntl(fd, F_SETFD, cloexec ? FD_CLOEXEC : 0);
	fd_forget(t->proc->fds, fd);
	if (fd < WORLD_FDS)
		w->fd[fd] = WORLD_FD_FILE;
	return fd;
}

int world_begin(struct world *w, const char *program, int (*hide)(int fd))
{
	int fd, rc;

	w->program = strdup(program);
	w->dir = hide(w->dir);
	rc = w->dir < 0 ? w->dir : files_open(w->dir, hide, &w->files);
	if (rc < 0 || !w->program)
		return rc < 0 ? rc : -ENOMEM;
	/* What was inherited is not of the recorded world. */
	for (int i = STDERR_FILENO + 1; i < WORLD_FDS; i++)
		if (!fd_is_ours(i) && fcntl(i, F_GETFD) == 0)
			close(i);
	fd = make_content(w, &w->file[0]);
	if (fd < 0 || dup2(fd, STDIN_FILENO) < 0)
		return fd < 0 ? fd : -errno;
	if (fd != STDIN_FILENO)
		close(fd);
	w->fd[STDIN_FILENO] = WORLD_FD_FILE;
	return 0;
}

int world_image_file(struct world *w, const struct exec_params *x, unsigned index, const char *path)
{
	(void)x;
	if (index == 0)
		return live_image_file(w->program);
	for (uint32_t i = 1; i < w->image.nfiles; i++)
		if (w->image.file[i].path && !strcmp(w->image.file[i].path, path))
			return files_get(w->files, &w->image.file[i].ref, 0);
	return WORLD_NONE;
}

/* ---- which recorded call is it? ---- */

static bool same_pid(const struct world *w, const struct task *t, int was, int is)
{
	return was == is || (was == w->pid && is == t->proc->pid);
}

static bool same_argument(const struct world *w, const struct task *t, unsigned type, uint64_t was, uint64_t is)
{
	switch (type) {
	case A_PTR:
	case A_PATH:
	case A_STR:
		return !was == !is;
	case A_ADDR:
		return true;
	case A_PID:
		return same_pid(w, t, (int)was, (int)is);
	case A_INT:
	case A_UINT:
	case A_FD:
	case A_MODE:
	case A_SIG:
	case A_ENUM:
		return (uint32_t)was == (uint32_t)is;
	}
	return was == is;
}

static uint64_t argument(const struct guest_regs *r, unsigned i)
{
	const uint64_t arg[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };

	return arg[i];
}

static bool same_bytes(const struct world_event *e, const struct inputs *in)
{
	if (e->nread != in->n)
		return false;
	for (unsigned i = 0; i < in->n; i++)
		if (e->read[i].len != in->piece[i].len || memcmp(e->read[i].bytes, in->bytes + in->piece[i].at, e->read[i].len))
			return false;
	return true;
}

static bool same_call(const struct world *w, const struct task *t, const struct sys_desc *desc, const struct inputs *in,
		      const struct world_event *e)
{
	if (e->used || e->type != REC_SYSCALL || (uint32_t)e->regs.rax != (uint32_t)t->regs->rax || e->desc != desc)
		return false;
	for (unsigned i = 0; i < (desc ? desc->nargs : 6); i++)
		if (!same_argument(w, t, desc ? desc->arg[i] : A_ULONG, argument(&e->regs, i), argument(t->regs, i)))
			return false;
	return same_bytes(e, in);
}

static struct world_event *find(struct world *w, const struct task *t, const struct sys_desc *desc, const struct inputs *in)
{
	struct world_event *e = NULL;

	for (size_t i = w->next; !e && i < w->nevents && i < w->next + WORLD_AHEAD; i++)
		if (same_call(w, t, desc, in, &w->event[i]))
			e = &w->event[i];
	for (size_t i = w->next; !e && i > 0 && i + WORLD_BEHIND > w->next; i--)
		if (same_call(w, t, desc, in, &w->event[i - 1]))
			e = &w->event[i - 1];
	if (!e)
		return NULL;
	e->used = true;
	if (e >= w->event + w->next)
		w->next = (size_t)(e - w->event) + 1;
	return e;
}

/* ---- made, not answered ---- */

static bool on_live_descriptor(const struct world *w, const struct task *t, const struct sys_desc *desc)
{
	for (unsigned i = 0; desc && i < desc->nargs; i++)
		if (desc->arg[i] == A_FD && argument(t->regs, i) < WORLD_FDS && w->fd[argument(t->regs, i)] == WORLD_FD_LIVE)
			return true;
	return false;
}

/* Output, and what goes into a copy of a file, has to get there. */
static bool writes_for_real(const struct world *w, const struct task *t)
{
	uint64_t fd = t->regs->rdi;

	switch (t->regs->rax) {
	case SYS_write:
	case SYS_writev:
	case SYS_pwrite64:
	case SYS_pwritev:
	case SYS_pwritev2:
	case SYS_ftruncate:
	case SYS_fallocate:
		return fd_output_kind(t->proc->fds, (int)fd) || (fd < WORLD_FDS && w->fd[fd] == WORLD_FD_FILE);
	}
	return false;
}

static bool is_duplication(const struct guest_regs *r)
{
	return r->rax == SYS_dup || r->rax == SYS_dup2 || r->rax == SYS_dup3 ||
	       (r->rax == SYS_fcntl && (r->rsi == F_DUPFD || r->rsi == F_DUPFD_CLOEXEC));
}

static bool is_made(const struct world *w, const struct task *t, const struct sys_desc *desc)
{
	if (desc && desc->replay != INJECT)
		return true;
	switch (t->regs->rax) {
	case SYS_close:
	case SYS_close_range:
	case SYS_pipe:
	case SYS_pipe2:
	case SYS_socketpair:
	case SYS_memfd_create:
	case SYS_kill:
	case SYS_tkill:
	case SYS_tgkill:
	case SYS_rt_sigqueueinfo:
	case SYS_rt_tgsigqueueinfo:
		return true;
	}
	return is_duplication(t->regs) || writes_for_real(w, t) || on_live_descriptor(w, t, desc);
}

/* The program knows itself by its recorded number; Linux does not. */
static void translate_pids(const struct world *w, struct task *t, const struct sys_desc *desc)
{
	for (unsigned i = 0; desc && i < desc->nargs; i++)
		if (desc->arg[i] == A_PID && (pid_t)t->plan.arg[i] == w->pid)
			t->plan.host_arg[i] = (uint64_t)t->proc->pid;
}

/* ---- answering ---- */

/* Buffers may be elsewhere now: a piece moves with the argument that points to what holds it. */
static bool move_piece(const struct task *t, const struct sys_desc *desc, const struct world_event *e, struct world_piece *p)
{
	for (unsigned i = 0; i < (desc ? desc->nargs : 0); i++) {
		uint64_t was = argument(&e->regs, i);

		if (desc->arg[i] == A_PTR && was && p->addr >= was && p->addr - was < (64u << 20)) {
			p->addr = argument(t->regs, i) + (p->addr - was);
			return true;
		}
	}
	return false;
}

static bool same_addresses(const struct task *t, const struct world_event *e)
{
	for (unsigned i = 0; i < 6; i++)
		if (argument(&e->regs, i) != argument(t->regs, i))
			return false;
	return true;
}

/* False: it cannot be told where the bytes belong. */
static bool place_pieces(struct world *w, const struct task *t, const struct sys_desc *desc, const struct world_event *e)
{
	bool moved = !same_addresses(t, e);

	free(w->moved);
	w->moved = calloc(e->nwritten ? e->nwritten : 1, sizeof(*w->moved));
	for (size_t i = 0; w->moved && i < e->nwritten; i++) {
		w->moved[i] = e->written[i];
		if (moved && !move_piece(t, desc, e, &w->moved[i]))
			return false;
	}
	return w->moved != NULL;
}

static bool write_pieces(const struct world *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (guest_write(w->moved[i].addr, w->moved[i].bytes, w->moved[i].len) < 0)
			return false;
	return true;
}

/* The copy's offset goes with it. */
static void follow_offset(const struct world *w, const struct task *t, int64_t result)
{
	uint64_t fd = t->regs->rdi;

	if (fd >= WORLD_FDS || w->fd[fd] != WORLD_FD_FILE || result < 0)
		return;
	if (t->regs->rax == SYS_read || t->regs->rax == SYS_readv)
		lseek((int)fd, result, SEEK_CUR);
	else if (t->regs->rax == SYS_lseek)
		lseek((int)fd, result, SEEK_SET);
}

static bool carries(uint64_t nr)
{
	return nr == SYS_sendfile || nr == SYS_copy_file_range || nr == SYS_splice;
}

/* From a copy of a file to where it goes, which may be of another kind than it was. False: it cannot be done. */
static bool carry(struct world *w, struct task *t, int64_t n, struct world_answer *a)
{
	int from = (int)(t->regs->rax == SYS_sendfile ? t->regs->rsi : t->regs->rdi);
	int to = (int)(t->regs->rax == SYS_sendfile ? t->regs->rdi : t->regs->rdx);
	int64_t done = 0, got = 1;

	if (from < 0 || from >= WORLD_FDS || w->fd[from] != WORLD_FD_FILE || n > CARRY_MAX)
		return false;
	free(w->carried);
	w->carried = malloc((size_t)n);
	for (; w->carried && done < n && got > 0; done += got > 0 ? got : 0)
		got = read(from, w->carried + done, (size_t)(n - done));
	for (int64_t at = 0; at < done && got >= 0; at += got)
		got = write(to, w->carried + at, (size_t)(done - at));
	a->output = fd_output_kind(t->proc->fds, to);
	a->carried = w->carried;
	a->ncarried = a->output ? (uint64_t)done : 0;
	return done == n;
}

static bool answer(struct world *w, struct task *t, const struct sys_desc *desc, const struct world_event *e,
		   struct world_answer *a)
{
	if (!place_pieces(w, t, desc, e) || !write_pieces(w, e->nwritten))
		return false;
	*a = (struct world_answer){ .result = e->result, .n = e->nwritten, .piece = w->moved };
	if (e->file >= 0 && e->result >= 0)
		a->result = give_descriptor(w, t, &w->file[e->file], e->result, argument(t->regs, 2) & O_CLOEXEC);
	follow_offset(w, t, e->result);
	return !carries(t->regs->rax) || e->result <= 0 || carry(w, t, e->result, a);
}

static const struct world_event *opened_before(const struct world *w, const char *path)
{
	for (size_t i = 0; i < w->nevents; i++) {
		const struct world_event *e = &w->event[i];

		if (e->type != REC_SYSCALL || !e->desc || e->desc->ret != RET_FD || !e->nread)
			continue;
		if (!strncmp((const char *)e->read[0].bytes, path, e->read[0].len) && strlen(path) + 1 == e->read[0].len)
			return e;
	}
	return NULL;
}

/* A path that the recording knows, opened in another way. */
static bool answer_open(struct world *w, struct task *t, const struct inputs *in, struct world_answer *a)
{
	uint64_t flags = t->regs->rax == SYS_openat ? t->regs->rdx : t->regs->rsi;
	const struct world_event *e;

	if ((t->regs->rax != SYS_openat && t->regs->rax != SYS_open) || flags & O_CREAT || in->n != 1)
		return false;
	e = opened_before(w, (const char *)in->bytes + in->piece[0].at);
	if (!e)
		return false;
	*a = (struct world_answer){ .result = e->result };
	if (e->result >= 0)
		a->result = e->file < 0 ? -EIO : give_descriptor(w, t, &w->file[e->file], -1, flags & O_CLOEXEC);
	return true;
}

/* To the recorded number: which are free may differ, as it depends on who started the program. */
static bool duplicate(struct world *w, struct task *t, const struct world_event *e, struct world_answer *a)
{
	const struct guest_regs *r = t->regs;
	bool cloexec = r->rax == SYS_fcntl && r->rsi == F_DUPFD_CLOEXEC;
	int from = (int)r->rdi, to = (int)e->result;

	if (r->rax == SYS_dup2 || r->rax == SYS_dup3 || e->result < 0 || to >= WORLD_FDS || fd_is_ours(from))
		return false;
	if (fcntl(to, F_GETFD) >= 0 || dup3(from, to, cloexec ? O_CLOEXEC : 0) != to)
		return false;
	fd_same(t->proc->fds, from, to);
	w->fd[to] = from < WORLD_FDS ? w->fd[from] : WORLD_FD_LIVE;
	*a = (struct world_answer){ .result = to };
	return true;
}

bool world_call(struct world *w, struct task *t, const struct sys_desc *desc, const struct inputs *in, struct world_answer *a)
{
	struct world_event *e = find(w, t, desc, in);

	if (e && is_duplication(t->regs) && duplicate(w, t, e, a))
		return true;
	if (is_made(w, t, desc)) {
		translate_pids(w, t, desc);
		return false;
	}
	if (e && answer(w, t, desc, e, a))
		return true;
	return answer_open(w, t, in, a);
}

static void set_live(struct world *w, int fd)
{
	if (fd >= 0 && fd < WORLD_FDS)
		w->fd[fd] = WORLD_FD_LIVE;
}

static void note_pair(struct world *w, uint64_t addr)
{
	int pair[2];

	if (guest_read(pair, addr, sizeof(pair)) < 0)
		return;
	set_live(w, pair[0]);
	set_live(w, pair[1]);
}

void world_made(struct world *w, const struct task *t, int64_t result)
{
	const uint64_t *arg = t->plan.arg;

	if (result < 0)
		return;
	switch (t->plan.nr) {
	case SYS_close:
		if (arg[0] < WORLD_FDS)
			w->fd[arg[0]] = WORLD_FD_NONE;
		return;
	case SYS_pipe:
	case SYS_pipe2:
		note_pair(w, arg[0]);
		return;
	case SYS_socketpair:
		note_pair(w, arg[3]);
		return;
	case SYS_dup:
	case SYS_dup2:
	case SYS_dup3:
		if (arg[0] < WORLD_FDS && result < WORLD_FDS)
			w->fd[result] = w->fd[arg[0]];
		return;
	case SYS_fcntl:
		if ((arg[1] == F_DUPFD || arg[1] == F_DUPFD_CLOEXEC) && arg[0] < WORLD_FDS && result < WORLD_FDS)
			w->fd[result] = w->fd[arg[0]];
		return;
	}
	if (t->plan.desc && t->plan.desc->ret == RET_FD)
		set_live(w, (int)result);
}

bool world_tsc(struct world *w, uint64_t *tsc, uint32_t *aux)
{
	for (; w->next_tsc < w->nevents; w->next_tsc++) {
		const struct world_event *e = &w->event[w->next_tsc];

		if (e->type != REC_TSC)
			continue;
		w->next_tsc++;
		*tsc = w->tsc = (uint64_t)e->result;
		if (aux)
			*aux = e->aux;
		return true;
	}
	if (!w->tsc)
		return false;
	*tsc = w->tsc += 1000;
	return true;
}
