/* Calls that may wait, when they do not. Contract: at_once.h. */
#include "syscall-emu/at_once.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "syscall-emu/fdtable.h"
#include "syscall-emu/forward.h"
#include "syscall-emu/plan_scratch.h"
#include "vmm/cleanup.h"
#include "vmm/proc_self.h"

/* A stream that is ready for writing takes so much in one piece, however small its buffer is. */
#define SMALL 2048
#define ROOM 8 /* and this part of a larger one: a third is free */

/* ---- what kind ---- */

static bool is_eventfd(int fd)
{
	char name[64];

	proc_self_name(fd, name, sizeof(name));
	return !strcmp(name, "anon_inode:[eventfd]");
}

/* The one a program gets from memfd_create is on a tmpfs, and plain. */
static bool anonymous(const struct fd_facts *f)
{
	return !(f->mode & S_IFMT);
}

enum at_once at_once_io(const struct task *t, int fd)
{
	struct fd_facts f;

	fd_facts_get(t->proc->fds, fd, &f);
	if (S_ISFIFO(f.mode))
		return AT_ONCE_PIPE;
	if (S_ISSOCK(f.mode))
		return AT_ONCE_SOCKET;
	return anonymous(&f) && is_eventfd(fd) ? AT_ONCE_EVENTFD : AT_ONCE_NOT;
}

enum at_once at_once_close(const struct task *t, int fd)
{
	struct linger linger;
	socklen_t len = sizeof(linger);
	struct fd_facts f;

	fd_facts_get(t->proc->fds, fd, &f);
	if (S_ISFIFO(f.mode) || anonymous(&f))
		return AT_ONCE_PLAIN;
	/* One that lingers waits for its reader. */
	if (S_ISSOCK(f.mode) && getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len) == 0 && !linger.l_onoff)
		return AT_ONCE_PLAIN;
	return AT_ONCE_NOT;
}

enum at_once at_once_futex(const struct guest_regs *r)
{
	uint32_t now;

	return guest_read(&now, r->rdi, sizeof(now)) == 0 && now != (uint32_t)r->rdx ? AT_ONCE_FUTEX : AT_ONCE_NOT;
}

/* ---- making it ---- */

static int64_t make(struct plan *p, struct task *t)
{
	return forward_syscall_checked(p->nr, p->host_arg, &t->pending);
}

/* It might wait after all. Every signal but that of who hurries us is blocked here, so an interrupted call was not made. */
static int64_t make_or_leave(struct plan *p, struct task *t)
{
	int64_t ret;

	__atomic_store_n(&t->interruptible, 1, __ATOMIC_SEQ_CST);
	ret = make(p, t);
	__atomic_store_n(&t->interruptible, 0, __ATOMIC_SEQ_CST);
	return ret == -EINTR ? SYS_ERESTARTSYS : ret;
}

static bool writes(const struct plan *p)
{
	switch (p->nr) {
	case SYS_write:
	case SYS_writev:
	case SYS_sendto:
	case SYS_sendmsg:
		return true;
	}
	return false;
}

static bool reads(const struct plan *p)
{
	switch (p->nr) {
	case SYS_read:
	case SYS_readv:
	case SYS_recvfrom:
	case SYS_recvmsg:
		return true;
	}
	return false;
}

static bool ready_now(int fd, short events)
{
	struct pollfd f = { .fd = fd, .events = events };

	return poll(&f, 1, 0) == 1;
}

/* How much a write is to write: the pieces that hold what it writes. */
static uint64_t length_of_write(const struct plan *p)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < p->nregions; i++) {
		const struct plan_region *r = &p->region[i];
		bool piece = r->parent != ~0ULL && (p->region[r->parent].mem->flags & MEM_BUDGET);

		if (r->mem->dir == MEM_IN && (piece || (r->mem->got.op != LEN_NONE && !r->mem->sub)))
			sum += r->cap;
	}
	return sum;
}

/* read, readv, write, writev of a descriptor that supports the flag; others: outside. */
static int64_t make_nowait(struct plan *p, struct task *t)
{
	const struct iovec one = { (void *)(uintptr_t)p->host_arg[1], p->host_arg[2] };
	bool vector = p->nr == SYS_readv || p->nr == SYS_writev;
	const uint64_t args[6] = { p->host_arg[0], vector ? p->host_arg[1] : (uint64_t)(uintptr_t)&one,
				   vector ? p->host_arg[2] : 1, (uint64_t)-1, (uint64_t)-1, RWF_NOWAIT };
	int64_t ret = forward_syscall_checked(writes(p) ? SYS_pwritev2 : SYS_preadv2, args, &t->pending);

	return ret == -EAGAIN || ret == -EOPNOTSUPP ? SYS_ERESTARTSYS : ret;
}

static int64_t pipe_call(struct plan *p, struct task *t)
{
	/* More than that need not go in as a whole. */
	if (writes(p) && length_of_write(p) > PIPE_BUF)
		return SYS_ERESTARTSYS;
	return make_nowait(p, t);
}

static int64_t eventfd_call(struct plan *p, struct task *t)
{
	if (reads(p))
		return make_nowait(p, t);
	return ready_now((int)p->arg[0], POLLOUT) ? make_or_leave(p, t) : SYS_ERESTARTSYS;
}

static int64_t socket_option(int fd, int option)
{
	int value;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) < 0 ? -errno : value;
}

static int64_t receive(struct plan *p, struct task *t)
{
	unsigned flags = p->nr == SYS_recvfrom ? 3 : 2;
	int64_t ret;

	/* Waits for more than is there. */
	if (socket_option((int)p->arg[0], SO_RCVLOWAT) != 1)
		return SYS_ERESTARTSYS;
	if (p->nr == SYS_read || p->nr == SYS_readv)
		return make_nowait(p, t);
	if (p->arg[flags] & MSG_WAITALL)
		return SYS_ERESTARTSYS;
	p->host_arg[flags] |= MSG_DONTWAIT;
	ret = make(p, t);
	p->host_arg[flags] = p->arg[flags];
	return ret == -EAGAIN ? SYS_ERESTARTSYS : ret;
}

static int64_t send_small(struct plan *p, struct task *t)
{
	uint64_t len = length_of_write(p);

	if (!ready_now((int)p->arg[0], POLLOUT) ||
	    (len > SMALL && (int64_t)len > socket_option((int)p->arg[0], SO_SNDBUF) / ROOM))
		return SYS_ERESTARTSYS;
	return make_or_leave(p, t);
}

static int64_t socket_call(struct plan *p, struct task *t)
{
	if (reads(p))
		return receive(p, t);
	if (writes(p))
		return send_small(p, t);
	if ((p->nr == SYS_accept || p->nr == SYS_accept4) && ready_now((int)p->arg[0], POLLIN))
		return make_or_leave(p, t);
	return SYS_ERESTARTSYS;
}

static bool nonblocking(const struct plan *p)
{
	const struct sys_desc *d = p->desc;
	int flags;

	if (d->nb_mask && p->arg[d->nb_arg] & d->nb_mask)
		return true;
	flags = fcntl((int)p->arg[0], F_GETFL);
	return flags < 0 || flags & O_NONBLOCK;
}

/* ---- the poll family: with a timeout of zero ---- */

static int64_t zero_timeout[2]; /* a timespec or a timeval; the kernel does not write to one that is zero */

struct timeout {
	unsigned arg;
	bool ms;   /* a number of milliseconds; else a pointer */
	unsigned mask_arg; /* a signal mask that is the thread's for the time of the call; 0: none */
};

static struct timeout timeout_of(const struct plan *p)
{
	switch (p->nr) {
	case SYS_poll:
		return (struct timeout){ 2, true, 0 };
	case SYS_epoll_wait:
		return (struct timeout){ 3, true, 0 };
	case SYS_epoll_pwait:
		return (struct timeout){ 3, true, 4 };
	case SYS_ppoll:
		return (struct timeout){ 2, false, 3 };
	case SYS_epoll_pwait2:
		return (struct timeout){ 3, false, 4 };
	case SYS_pselect6:
		return (struct timeout){ 4, false, 5 };
	}
	return (struct timeout){ 4, false, 0 }; /* select */
}

static bool other_mask(const struct plan *p, unsigned arg)
{
	uint64_t mask = p->host_arg[arg];

	if (arg && mask && p->nr == SYS_pselect6) /* there it is behind a pointer, with its length: in our copy */
		memcpy(&mask, (const void *)(uintptr_t)mask, sizeof(mask));
	return arg && mask;
}

/* 1: it is zero, 0: it is not, -1: the kernel is to refuse it. */
static int timeout_is_zero(const struct plan *p, const struct timeout *how)
{
	int64_t value[2];

	if (how->ms)
		return (int)p->arg[how->arg] == 0;
	if (!p->arg[how->arg])
		return 0;
	if (guest_read(value, p->arg[how->arg], sizeof(value)) < 0 || value[0] < 0 || value[1] < 0 ||
	    (p->nr != SYS_select && value[1] >= 1000000000))
		return -1;
	return !value[0] && !value[1];
}

/* Everything that is written goes to memory of ours first: a call that is made again elsewhere must have written nothing. */
static bool all_scratch(const struct plan *p)
{
	for (uint32_t i = 0; i < p->nregions; i++)
		if (p->region[i].mem->dir & MEM_OUT && p->region[i].cap && !p->region[i].copy)
			return false;
	return true;
}

static int64_t poll_call(struct plan *p, struct task *t)
{
	struct timeout how = timeout_of(p);
	int zero = timeout_is_zero(p, &how);
	int64_t ret = SYS_ERESTARTSYS;
	uint64_t saved;

	if (zero < 0 || other_mask(p, how.mask_arg))
		return SYS_ERESTARTSYS;
	if (zero)
		return make(p, t);
	plan_scratch(p, t);
	if (all_scratch(p)) {
		saved = p->host_arg[how.arg];
		p->host_arg[how.arg] = how.ms ? 0 : (uint64_t)(uintptr_t)zero_timeout;
		ret = make(p, t);
		p->host_arg[how.arg] = saved;
	}
	ret = ret == 0 ? SYS_ERESTARTSYS : ret;
	plan_unscratch(p, t, ret);
	return ret;
}

/* ---- all of them ---- */

static int64_t call_of_kind(struct plan *p, struct task *t)
{
	switch ((enum at_once)t->at_once) {
	case AT_ONCE_NOT:
		return SYS_ERESTARTSYS;
	case AT_ONCE_PLAIN:
		return make(p, t);
	case AT_ONCE_OPEN:
	case AT_ONCE_FUTEX:
		return make_or_leave(p, t);
	case AT_ONCE_READY:
		return poll_call(p, t);
	case AT_ONCE_PIPE:
		return nonblocking(p) ? make_or_leave(p, t) : pipe_call(p, t);
	case AT_ONCE_EVENTFD:
		return nonblocking(p) ? make_or_leave(p, t) : eventfd_call(p, t);
	case AT_ONCE_SOCKET:
		return nonblocking(p) ? make_or_leave(p, t) : socket_call(p, t);
	}
	return SYS_ERESTARTSYS;
}

/* Is a signal pending for this thread? One for the process would be taken, too, if there is none. */
static bool pending_here(uint64_t set)
{
	cleanup_close int fd = openat(proc_self_root(), "thread-self/status", O_RDONLY | O_CLOEXEC);
	char text[4096], *at;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return true;
	text[n] = 0;
	at = strstr(text, "SigPnd:");
	return !at || strtoull(at + strlen("SigPnd:"), NULL, 16) & set;
}

/* What the kernel has sent to the thread that made the call, where it is blocked. */
static void drop_signal(int sig)
{
	const uint64_t set = 1ULL << (sig - 1);
	const struct timespec now = { 0, 0 };

	if (pending_here(set))
		syscall(SYS_rt_sigtimedwait, &set, NULL, &now, sizeof(set));
}

int64_t at_once_forward(struct plan *p, struct task *t)
{
	int64_t ret = call_of_kind(p, t);

	/* Nothing was written: the thread does it again, and gets the signal. */
	if (ret == -EPIPE)
		drop_signal(SIGPIPE);
	else if (ret == -EFBIG)
		drop_signal(SIGXFSZ);
	else
		return ret;
	return SYS_ERESTARTSYS;
}
