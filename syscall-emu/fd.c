/*
 * The range of our own descriptors, and the calls that could reach into it by number.
 */
#include "syscall-emu/fdtable.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/kvm.h"

#define BASE_MAX 65536
#define OBJECTS_MAX 256

/* Process-wide, like the descriptor table itself. Another one is taken when those there are are full (each thread has a
 * vCPU), or cannot be used any more: the guest gave up the privilege to pass the hard limit. */
static struct fd_hide_state own;
static struct fd_hide_state *hidden = &own; /* fd_hide_share() */
static const char *note;

static struct { dev_t dev; ino_t ino; } objects[OBJECTS_MAX];
static unsigned nobjects;

static bool in_range(const struct fd_range *r, int fd)
{
	return fd >= r->base && fd < r->base + r->n;
}

bool fd_is_ours(int fd)
{
	for (int i = 0; i < hidden->n; i++)
		if (in_range(&hidden->range[i], fd))
			return true;
	return false;
}

bool fd_is_our_object(dev_t dev, ino_t ino)
{
	for (unsigned i = 0; i < nobjects; i++)
		if (objects[i].dev == dev && objects[i].ino == ino)
			return true;
	return false;
}

const char *fd_hide_note(void)
{
	return note;
}

#define FD_FEWEST 12 /* no session does with less */

/* The highest number of the range that is in use, or -1. */
static int range_used(int base, int n)
{
	while (n--)
		if (fcntl(base + n, F_GETFD) >= 0)
			return base + n;
	return -1;
}

/* dup3 onto a number, whatever the limit is; the limit is as before afterwards. */
static int dup_into(int fd, int to)
{
	struct rlimit old, high;
	int ret;

	if (getrlimit(RLIMIT_NOFILE, &old) < 0)
		return -errno;
	if (old.rlim_cur > (rlim_t)to)
		return dup3(fd, to, O_CLOEXEC) < 0 ? -errno : to;
	high = old;
	high.rlim_cur = (rlim_t)to + 1;
	if (high.rlim_max < high.rlim_cur)
		high.rlim_max = high.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &high) < 0)
		return -errno;
	ret = dup3(fd, to, O_CLOEXEC) < 0 ? -errno : to;
	setrlimit(RLIMIT_NOFILE, &old);
	return ret;
}

static int range_fill(struct fd_range *r)
{
	cleanup_close int fd = eventfd(0, EFD_CLOEXEC);
	struct rlimit limit;
	bool within;

	if (fd < 0)
		return -errno;
	within = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= (rlim_t)(r->base + r->n);
	for (int i = 0; i < r->n; i++) {
		int ret = !within ? dup_into(fd, r->base + i) : dup3(fd, r->base + i, O_CLOEXEC) < 0 ? -errno : 0;

		if (ret < 0) {
			while (i-- > 0)
				close(r->base + i);
			return ret;
		}
	}
	return 0;
}

static int range_above(struct fd_range *r, rlim_t soft)
{
	*r = (struct fd_range){ .base = soft < BASE_MAX ? (int)soft : BASE_MAX, .n = FD_OURS };
	while (range_used(r->base, r->n) >= 0) {
		r->base += r->n;
		if (r->base > 16 * BASE_MAX)
			return -EMFILE;
	}
	return range_fill(r);
}

static int range_below(struct fd_range *r, rlim_t soft)
{
	int top = soft < BASE_MAX ? (int)soft : BASE_MAX;
	int n = top / 2 < FD_OURS ? top / 2 : FD_OURS;

	/* What the image before has left to us may be anywhere in there. */
	for (; n >= FD_FEWEST; n = n * 3 / 4) {
		int used;

		for (int base = top - n; base >= top / 4; base = used - n) {
			used = range_used(base, n);
			*r = (struct fd_range){ .base = base, .n = n };
			if (used < 0)
				return range_fill(r);
		}
	}
	return -EMFILE;
}

int fd_hide_init(void)
{
	struct rlimit lim;
	int ret;

	if (hidden->n)
		return 0;
	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return -errno;
	ret = range_above(&hidden->range[0], lim.rlim_cur);
	if (ret < 0) {
		note = "the limit on open files cannot be raised: sandrec's own descriptors take numbers below it";
		ret = range_below(&hidden->range[0], lim.rlim_cur);
	}
	if (ret < 0)
		return ret;
	hidden->n = 1;
	kvm_fd_hide = fd_hide;
	return 0;
}

void fd_hide_save(struct fd_hide_saved *s)
{
	s->own = own;
	s->state = hidden;
}

void fd_hide_restore(const struct fd_hide_saved *s)
{
	own = s->own;
	hidden = s->state;
}

/* ---- processes that share their descriptors ---- */

int fd_hide_share(void)
{
	struct fd_hide_state *s;

	if (hidden != &own)
		return 0;
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return -ENOMEM;
	*s = own;
	hidden = s;
	return 0;
}

/* Held for a few system calls. Who dies meanwhile does not keep it. */
static void state_lock(void)
{
	int32_t self = (int32_t)syscall(SYS_gettid), holder = 0;

	if (hidden == &own)
		return;
	while (!__atomic_compare_exchange_n(&hidden->holder, &holder, self, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (kill(holder, 0) == 0 || errno != ESRCH)
			holder = 0;
		sched_yield();
	}
}

static void state_unlock(void)
{
	__atomic_store_n(&hidden->holder, 0, __ATOMIC_SEQ_CST);
}

void fd_hide_freeze(void)
{
	if (hidden == &own)
		return;
	state_lock();
	own = *hidden; /* not in use here: the child's */
}

static void release(int32_t holder)
{
	__atomic_compare_exchange_n(&hidden->holder, &holder, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void fd_hide_thaw(void)
{
	if (hidden != &own)
		release((int32_t)syscall(SYS_gettid));
}

void fd_hide_copied(bool parent_waits)
{
	if (hidden == &own)
		return;
	if (parent_waits)
		release(own.holder);
	own.holder = 0;
	hidden = &own;
}

/* A slot without a descriptor of ours: never used, or closed behind our back. */
static int slot_find(struct fd_range *r)
{
	for (int i = 0; i < r->n; i++)
		if (!(r->used & 1ULL << i))
			return i;
	for (int i = 0; i < r->n; i++)
		if (fcntl(r->base + i, F_GETFD) < 0)
			return i;
	return -1;
}

static void object_note(int fd)
{
	struct stat st;

	/* Only files without a name: one with a name may be opened by it. */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink || fd_is_our_object(st.st_dev, st.st_ino))
		return;
	if (nobjects < OBJECTS_MAX) {
		objects[nobjects].dev = st.st_dev;
		objects[nobjects++].ino = st.st_ino;
	}
}

static int hide_in(struct fd_range *r, int fd)
{
	int slot = slot_find(r), ret;

	if (slot < 0)
		return -EMFILE;
	ret = dup_into(fd, r->base + slot);
	if (ret >= 0)
		r->used |= 1ULL << slot;
	return ret;
}

static int range_another(void)
{
	struct fd_range *r = &hidden->range[hidden->n];
	struct rlimit lim;

	if (hidden->n == FD_RANGES_MAX)
		return -EMFILE;
	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return -errno;
	if (range_above(r, lim.rlim_cur) < 0 && range_below(r, lim.rlim_cur) < 0)
		return -EMFILE;
	hidden->n++;
	return 0;
}

int fd_hide_program(int fd)
{
	int ret = -EMFILE;

	if (fd_is_ours(fd))
		return fd;
	if (fcntl(fd, F_GETFD) < 0)
		return -EBADF;
	state_lock();
	for (int i = 0; i < hidden->n && ret < 0; i++)
		ret = hide_in(&hidden->range[i], fd);
	if (ret < 0 && range_another() == 0)
		ret = hide_in(&hidden->range[hidden->n - 1], fd);
	state_unlock();
	if (ret >= 0)
		close(fd);
	return ret;
}

int fd_hide(int fd)
{
	int ret = fd_hide_program(fd);

	if (ret >= 0)
		object_note(ret);
	return ret;
}

void fd_hidden_close(int fd)
{
	for (int i = 0; i < hidden->n; i++) {
		struct fd_range *r = &hidden->range[i];
		cleanup_close int holder = -1;

		if (!in_range(r, fd))
			continue;
		holder = eventfd(0, EFD_CLOEXEC);
		state_lock();
		if (holder < 0 || dup_into(holder, fd) < 0)
			close(fd);
		else
			r->used &= ~(1ULL << (fd - r->base));
		state_unlock();
		return;
	}
	if (fd >= 0)
		close(fd);
}

/* ---- the guest's calls ---- */

/* Is fd one of the guest's output descriptors as far as we know? Asking the kernel for every close would cost a call. */
static uint8_t kind_before_close(struct fdtable *f, int fd)
{
	if (fd == 1 || fd == 2)
		return fd_output_kind(f, fd);
	return fd >= 0 && fd < FD_KNOWN && f->known[fd].valid ? f->known[fd].kind : 0;
}

int64_t do_close(struct task *t, struct plan *p)
{
	struct fdtable *f = t->proc->fds;
	int fd = (int)p->arg[0];
	uint8_t kind;
	int64_t ret;

	if (fd_is_ours(fd))
		return -EBADF;
	kind = kind_before_close(f, fd);
	ret = plan_forward(p, t);
	/* Any other error (EIO, ENOSPC, EINTR) comes after the descriptor is gone. */
	if (ret == -EBADF || ret == SYS_ERESTARTSYS)
		return ret;
	fd_forget(f, fd);
	if (kind)
		fd_output_released(f);
	return ret;
}

static int64_t dup_to(struct task *t, struct plan *p)
{
	struct fdtable *f = t->proc->fds;
	int from = (int)p->arg[0], to = (int)p->arg[1];
	uint8_t lost;
	int64_t ret;

	if (fd_is_ours(from) || fd_is_ours(to))
		return -EBADF;
	fd_output_kind(f, from);
	lost = from == to ? 0 : kind_before_close(f, to);
	ret = plan_forward(p, t);
	if (ret < 0 || from == to)
		return ret;
	fd_forget(f, to);
	fd_same(f, from, to);
	if (lost)
		fd_output_released(f);
	return ret;
}

int64_t do_dup2(struct task *t, struct plan *p)
{
	return dup_to(t, p);
}

int64_t do_dup3(struct task *t, struct plan *p)
{
	return dup_to(t, p);
}

/* dup and fcntl F_DUPFD: the new number is known to be what the old one is. */
int64_t post_fcntl_dupfd(struct task *t, struct plan *p, int64_t ret)
{
	struct fdtable *f = t->proc->fds;
	int from = (int)p->arg[0];

	if (ret < 0)
		return ret;
	/* A gap in our range that the guest asked for by number. */
	for (int i = 0; i < hidden->n && fd_is_ours((int)ret); i++) {
		int next;

		if (!in_range(&hidden->range[i], (int)ret))
			continue;
		next = fcntl(from, p->nr == SYS_dup ? F_DUPFD : (int)p->arg[1], hidden->range[i].base + hidden->range[i].n);
		next = next < 0 ? -errno : next;
		close((int)ret);
		ret = next;
	}
	if (ret >= 0) {
		fd_forget(f, (int)ret);
		fd_output_kind(f, from);
		fd_same(f, from, (int)ret);
	}
	return ret;
}

static int64_t close_piece(struct task *t, struct plan *p, uint32_t first, uint32_t last)
{
	struct fdtable *f = t->proc->fds;
	bool output = false;
	int64_t ret;

	p->host_arg[0] = first;
	p->host_arg[1] = last;
	for (uint32_t fd = first; fd <= last && fd < FD_KNOWN; fd++)
		output |= kind_before_close(f, (int)fd) != 0;
	ret = plan_forward(p, t);
	if (ret < 0 || p->arg[2] & CLOSE_RANGE_CLOEXEC)
		return ret;
	for (uint32_t fd = first; fd <= last && fd < FD_KNOWN; fd++)
		fd_forget(f, (int)fd);
	if (output)
		fd_output_released(f);
	return ret;
}

int64_t do_close_range(struct task *t, struct plan *p)
{
	uint32_t first = (uint32_t)p->arg[0], last = (uint32_t)p->arg[1];
	uint64_t at = first;

	if (first > last || p->arg[2] & ~(uint64_t)(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE))
		return plan_forward(p, t);
	while (at <= last) {
		uint64_t end = last, next = (uint64_t)last + 1;
		int64_t ret;

		for (int i = 0; i < hidden->n; i++) {
			uint64_t lo = (uint64_t)hidden->range[i].base, hi = lo + (uint64_t)hidden->range[i].n;

			if (at < hi && lo <= end) {
				end = lo - 1;
				next = hi;
			}
		}
		if (at <= end) {
			ret = close_piece(t, p, (uint32_t)at, (uint32_t)end);
			if (ret < 0)
				return ret;
		}
		at = next;
	}
	return 0;
}

/* For KCMP_EPOLL_TFD the last argument points to a structure with descriptors in it. */
int64_t do_kcmp(struct task *t, struct plan *p)
{
	int type = (int)p->arg[2];
	struct kcmp_epoll_slot slot;

	if ((type == KCMP_FILE || type == KCMP_EPOLL_TFD) && fd_is_ours((int)p->arg[3]))
		return -EBADF;
	if (type == KCMP_FILE && fd_is_ours((int)p->arg[4]))
		return -EBADF;
	if (type == KCMP_EPOLL_TFD) {
		if (guest_read(&slot, p->arg[4], sizeof(slot)) < 0)
			return -EFAULT;
		if (fd_is_ours((int)slot.efd) || fd_is_ours((int)slot.tfd))
			return -EBADF;
		p->host_arg[4] = (uint64_t)(uintptr_t)&slot;
	}
	return plan_forward(p, t);
}
