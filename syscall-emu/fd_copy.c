/*
 * Calls that move data between descriptors inside the kernel. Replay has to repeat what reached the program's stdout and
 * stderr, so for those the bytes are carried through a buffer of ours and noted as output; what is more than the buffer
 * holds is left to the program's next call, as a short result always is. Any other transfer is the kernel's; the guest's
 * mappings of the target file are brought up to date afterwards.
 */
#include "syscall-emu/fdtable.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "syscall-emu/forward.h"
#include "syscall-emu/mm.h"
#include "trace/event.h"
#include "vmm/cleanup.h"

#define PIECE 65536u /* what a pipe holds: one peek */

static uint32_t data_kind(uint8_t kind)
{
	return kind == REC_F_STDERR ? DATA_STDERR : DATA_STDOUT;
}

/* A call of ours on the guest's behalf that may block; a signal may interrupt it. */
static int64_t call(struct task *t, uint64_t nr, int fd, const void *buf, uint64_t len, int64_t off)
{
	const uint64_t args[6] = { (uint64_t)fd, (uint64_t)(uintptr_t)buf, len, (uint64_t)off };

	struct session *s = t->proc->sess;
	bool waits = task_not_alone(t);
	int64_t ret;

	if (waits)
		s->ops->blocks(s, t);
	ret = forward_syscall_checked(nr, args, &t->pending);
	if (waits)
		s->ops->unblocks(s, t);
	return ret;
}

/* ---- one direction of a transfer ---- */

struct end {
	int fd;
	bool positioned;   /* the guest gave an offset: the descriptor's own position stays */
	bool seekable;
	int64_t at;
	uint64_t guest;    /* where that offset is, 0 if not given */
};

/* Reads the guest's offset, if any. 0 or a negative errno. */
static int end_init(struct end *e, int fd, uint64_t guest)
{
	*e = (struct end){ .fd = fd, .guest = guest, .positioned = guest != 0 };
	if (guest && guest_read(&e->at, guest, sizeof(e->at)) < 0)
		return -EFAULT;
	if (!guest)
		e->at = lseek(fd, 0, SEEK_CUR);
	e->seekable = guest || e->at >= 0;
	if (guest && e->at < 0)
		return -EINVAL;
	return 0;
}

static int end_advance(struct end *e, int64_t n)
{
	e->at += n;
	if (e->positioned)
		return guest_write(e->guest, &e->at, sizeof(e->at));
	if (e->seekable)
		lseek(e->fd, e->at, SEEK_SET);
	return 0;
}

static bool is_pipe(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/*
 * Looks at up to len bytes of a pipe without taking them out. flags: SPLICE_F_NONBLOCK. What is not written in the end
 * must still be in the pipe.
 */
static int64_t pipe_peek(struct task *t, int fd, char *buf, uint64_t len, unsigned flags)
{
	int tube[2];
	int64_t n;

	if (pipe2(tube, O_CLOEXEC) < 0)
		return -errno;
	if (len > PIECE)
		len = PIECE;
	n = call(t, SYS_tee, fd, (const void *)(uintptr_t)tube[1], len, flags & SPLICE_F_NONBLOCK);
	close(tube[1]);
	for (int64_t done = 0; done < n;) {
		ssize_t got = read(tube[0], buf + done, (size_t)(n - done));

		if (got <= 0)
			n = got < 0 ? -errno : done;
		done += got;
	}
	close(tube[0]);
	return n;
}

/* Takes n bytes out of a pipe that are known to be in it. */
static void pipe_skip(int fd, char *scratch, int64_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, scratch, (size_t)n);

		if (got <= 0)
			return;
		n -= got;
	}
}

static int64_t end_write(struct task *t, const struct end *out, const char *buf, uint64_t len)
{
	if (out->positioned)
		return call(t, SYS_pwrite64, out->fd, buf, len, out->at);
	return call(t, SYS_write, out->fd, buf, len, 0);
}

static void note_output(struct plan *p, uint8_t kind, const char *buf, int64_t n)
{
	if (n > 0)
		plan_add(p, 0, (uint64_t)n, data_kind(kind), buf);
}

/* ---- sendfile ---- */

static int64_t carry_file(struct task *t, struct plan *p, struct end *in, int out, uint64_t count, uint8_t kind)
{
	struct end target = { .fd = out };
	char *buf = fd_buffer(t->proc->fds);
	int64_t n, w;

	if (!buf)
		return -ENOMEM;
	if (count > FD_COPY_MAX)
		count = FD_COPY_MAX;
	n = in->seekable ? call(t, SYS_pread64, in->fd, buf, count, in->at) : call(t, SYS_read, in->fd, buf, count, 0);
	if (n <= 0)
		return n;
	w = end_write(t, &target, buf, (uint64_t)n);
	/* From a source that cannot be set back, every byte has to arrive. */
	while (!in->seekable && w < n) {
		struct pollfd ready = { .fd = out, .events = POLLOUT };
		int64_t more;

		if (w < 0 && w != -EAGAIN && w != -EINTR && w != SYS_ERESTARTSYS)
			break;
		w = w < 0 ? 0 : w;
		poll(&ready, 1, -1);
		more = write(out, buf + w, (size_t)(n - w));
		if (more < 0 && errno != EAGAIN && errno != EINTR)
			break;
		w += more > 0 ? more : 0;
	}
	if (w <= 0)
		return w;
	note_output(p, kind, buf, w);
	return end_advance(in, w) < 0 ? -EFAULT : w;
}

/* The native call, and then what mappings of the target file show. */
static int64_t forward_mapped(struct task *t, struct plan *p, int out, uint64_t out_off)
{
	struct fd_facts facts;
	int64_t at = -1, ret;

	fd_facts_get(t->proc->fds, out, &facts);
	if (!fd_file_mapped(t->proc->mm, &facts))
		return plan_forward(p, t);
	if (!out_off)
		at = lseek(out, 0, SEEK_CUR);
	else if (guest_read(&at, out_off, sizeof(at)) < 0)
		return -EFAULT;
	ret = plan_forward(p, t);
	if (ret > 0 && at >= 0)
		mm_file_written(t, p, out, (uint64_t)at, (uint64_t)ret);
	return ret;
}

int64_t do_sendfile(struct task *t, struct plan *p)
{
	int out = (int)p->arg[0], in = (int)p->arg[1], mode;
	uint8_t kind = fd_output_kind(t->proc->fds, out);
	struct end from;
	struct stat st;
	int ret;

	if (!kind || !p->arg[3])
		return forward_mapped(t, p, out, 0);
	mode = fcntl(out, F_GETFL);
	/* What the kernel refuses before it moves a byte it shall refuse itself. */
	if ((mode & O_ACCMODE) == O_RDONLY || fstat(in, &st) < 0 || S_ISFIFO(st.st_mode) || S_ISDIR(st.st_mode) ||
	    (fcntl(in, F_GETFL) & O_ACCMODE) == O_WRONLY || (!is_pipe(out) && (mode & O_APPEND || S_ISSOCK(st.st_mode))))
		return plan_forward(p, t);
	ret = end_init(&from, in, p->arg[2]);
	return ret < 0 ? ret : carry_file(t, p, &from, out, p->arg[3], kind);
}

/* ---- splice, tee ---- */

static int64_t carry_pipe(struct task *t, struct plan *p, int in, struct end *out, uint64_t len, unsigned flags,
			  uint8_t kind, bool take)
{
	char *buf = fd_buffer(t->proc->fds);
	int64_t n, w;

	if (!buf)
		return -ENOMEM;
	n = pipe_peek(t, in, buf, len, flags | (fcntl(in, F_GETFL) & O_NONBLOCK ? SPLICE_F_NONBLOCK : 0));
	if (n <= 0)
		return n;
	if (flags & SPLICE_F_NONBLOCK && is_pipe(out->fd)) {
		struct pollfd ready = { .fd = out->fd, .events = POLLOUT };

		if (poll(&ready, 1, 0) == 0)
			return -EAGAIN;
		/* Room for one page is all that is promised. */
		n = n > PIPE_BUF ? PIPE_BUF : n;
	}
	w = end_write(t, out, buf, (uint64_t)n);
	if (w <= 0)
		return w;
	note_output(p, kind, buf, w);
	if (take)
		pipe_skip(in, buf, w);
	return end_advance(out, w) < 0 ? -EFAULT : w;
}

/* The kernel's own refusals, before anything moves. */
static bool splice_refused(const struct plan *p, bool in_pipe, bool out_pipe)
{
	int in = fcntl((int)p->arg[0], F_GETFL), out = fcntl((int)p->arg[2], F_GETFL);

	if (in < 0 || out < 0 || (in & O_ACCMODE) == O_WRONLY || (out & O_ACCMODE) == O_RDONLY)
		return true;
	if ((!in_pipe && !out_pipe) || (in_pipe && p->arg[1]) || (out_pipe && p->arg[3]))
		return true;
	return (!out_pipe && out & O_APPEND) || p->arg[5] & ~(uint64_t)(SPLICE_F_MOVE | SPLICE_F_NONBLOCK |
									SPLICE_F_MORE | SPLICE_F_GIFT);
}

int64_t do_splice(struct task *t, struct plan *p)
{
	int in = (int)p->arg[0], out = (int)p->arg[2], ret;
	uint8_t kind = fd_output_kind(t->proc->fds, out);
	bool in_pipe = is_pipe(in), out_pipe = is_pipe(out);
	struct end e;

	if (!kind || !p->arg[4])
		return forward_mapped(t, p, out, p->arg[3]);
	if (splice_refused(p, in_pipe, out_pipe))
		return plan_forward(p, t);
	if (in_pipe) {
		ret = end_init(&e, out, p->arg[3]);
		return ret < 0 ? ret : carry_pipe(t, p, in, &e, p->arg[4], (unsigned)p->arg[5], kind, true);
	}
	ret = end_init(&e, in, p->arg[1]);
	if (ret < 0)
		return ret;
	if (p->arg[5] & SPLICE_F_NONBLOCK) {
		struct pollfd ready = { .fd = out, .events = POLLOUT };

		if (poll(&ready, 1, 0) == 0)
			return -EAGAIN;
		return carry_file(t, p, &e, out, p->arg[4] < PIPE_BUF ? p->arg[4] : PIPE_BUF, kind);
	}
	return carry_file(t, p, &e, out, p->arg[4] < PIECE ? p->arg[4] : PIECE, kind);
}

int64_t do_tee(struct task *t, struct plan *p)
{
	int in = (int)p->arg[0];
	struct end out = { .fd = (int)p->arg[1] };
	uint8_t kind = fd_output_kind(t->proc->fds, out.fd);

	if (!kind || !p->arg[2] || !is_pipe(in) || !is_pipe(out.fd))
		return plan_forward(p, t);
	return carry_pipe(t, p, in, &out, p->arg[2], (unsigned)p->arg[3], kind, false);
}

/* ---- copy_file_range: regular files only, so the bytes can be read again where they came from ---- */

int64_t do_copy_file_range(struct task *t, struct plan *p)
{
	int in = (int)p->arg[0], out = (int)p->arg[2];
	uint8_t kind = fd_output_kind(t->proc->fds, out);
	int64_t at, ret, n;
	char *buf;

	if (!kind)
		return forward_mapped(t, p, out, p->arg[3]);
	buf = fd_buffer(t->proc->fds);
	if (!buf)
		return -ENOMEM;
	if (!p->arg[1])
		at = lseek(in, 0, SEEK_CUR);
	else if (guest_read(&at, p->arg[1], sizeof(at)) < 0)
		return -EFAULT;
	if (p->host_arg[4] > FD_COPY_MAX)
		p->host_arg[4] = FD_COPY_MAX;
	ret = forward_mapped(t, p, out, p->arg[3]);
	if (ret <= 0)
		return ret;
	n = pread(in, buf, (size_t)ret, at);
	note_output(p, kind, buf, n);
	return ret;
}

/* ---- vmsplice ---- */

/* The guest's memory that the call filled, in order. */
static void note_filled(struct plan *p, int64_t ret)
{
	for (uint32_t i = 0; i < p->nregions && ret > 0; i++) {
		const struct plan_region *r = &p->region[i];
		uint64_t n = r->cap < (uint64_t)ret ? r->cap : (uint64_t)ret;

		if (r->mem->sub || r->mem->dir & MEM_OUT)
			continue;
		plan_add(p, r->addr, n, DATA_MEMORY, NULL);
		ret -= (int64_t)n;
	}
}

/*
 * By copying: pages lent to a pipe would change under its reader when the guest writes to them, at a moment that is in no
 * recording. The kernel copies for the reading side anyway.
 */
int64_t do_vmsplice(struct task *t, struct plan *p)
{
	int fd = (int)p->arg[0], flags = fcntl(fd, F_GETFL);
	bool writing = flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
	uint64_t args[6] = { p->arg[0], p->host_arg[1], p->arg[2], (uint64_t)-1, (uint64_t)-1, 0 };
	int64_t ret;

	if (flags < 0 || !is_pipe(fd) || p->arg[3] & ~(uint64_t)(SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE |
								 SPLICE_F_GIFT))
		return plan_forward(p, t);
	if (p->arg[3] & SPLICE_F_NONBLOCK) {
		struct pollfd ready = { .fd = fd, .events = writing ? POLLOUT : POLLIN };

		args[5] = RWF_NOWAIT;
		if (poll(&ready, 1, 0) == 0)
			return -EAGAIN;
	}
	ret = forward_syscall_checked(writing ? SYS_pwritev2 : SYS_preadv2, args, &t->pending);
	if (ret == -EOPNOTSUPP && args[5]) { /* pipes before Linux 6.4 */
		args[5] = 0;
		ret = forward_syscall_checked(writing ? SYS_pwritev2 : SYS_preadv2, args, &t->pending);
	}
	if (ret > 0 && writing)
		p->ev_flags |= fd_output_kind(t->proc->fds, fd);
	if (!writing)
		note_filled(p, ret);
	return ret;
}
