/* Leaving the recording. Contract: diversion.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "replay/debuggee_int.h"
#include "replay/diversion.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/signal.h"

struct diversion {
	struct session base;
	struct debuggee *debug;
};

static struct debuggee *debuggee_of(struct session *s)
{
	return ((struct diversion *)s)->debug;
}

static int resume(struct session *s, struct task *t)
{
	struct debuggee *d = debuggee_of(s);

	debuggee_resume(d, t, 0);
	return debuggee_enter(d, t);
}

static int64_t output(const struct guest_regs *r)
{
	char buf[4096];
	uint64_t n = r->rdx < sizeof(buf) ? r->rdx : sizeof(buf);
	ssize_t done;

	if (r->rdi != STDOUT_FILENO && r->rdi != STDERR_FILENO)
		return -EBADF;
	if (guest_read(buf, r->rsi, n) < 0)
		return -EFAULT;
	done = write((int)r->rdi, buf, n);
	return done < 0 ? -errno : done;
}

static int64_t time_of_day(const struct guest_regs *r)
{
	struct timespec ts;

	if (clock_gettime((clockid_t)r->rdi, &ts) < 0)
		return -errno;
	return guest_write(r->rsi, &ts, sizeof(ts));
}

static bool memory_call(const struct sys_desc *desc)
{
	sys_handler *const calls[] = { do_mmap, do_munmap, do_mprotect, do_mremap, do_brk, do_madvise };

	for (unsigned i = 0; desc && i < sizeof(calls) / sizeof(calls[0]); i++)
		if (desc->emulate == calls[i])
			return true;
	return false;
}

static int64_t carry_out(struct task *t, const struct sys_desc *desc)
{
	const struct guest_regs *r = t->regs;

	switch (r->rax) {
	case SYS_write:
		return output(r);
	case SYS_clock_gettime:
		return time_of_day(r);
	case SYS_getpid:
		return t->proc->pid;
	case SYS_gettid:
		return t->tid;
	case SYS_rt_sigprocmask:
	case SYS_rt_sigaction:
	case SYS_rt_sigreturn:
	case SYS_sigaltstack:
		return syscall_perform(t, desc);
	case SYS_futex: /* nobody to wait for, nobody to wake */
		return 0;
	}
	return memory_call(desc) ? syscall_perform(t, desc) : -ENOSYS;
}

static int do_call(struct session *s, struct task *t, const struct sys_desc *desc, int64_t *ret)
{
	(void)s;
	if (t->regs->rax == SYS_exit || t->regs->rax == SYS_exit_group) {
		t->dead = true;
		t->wait_status = (int)(t->regs->rdi & 0xff) << 8;
		*ret = 0;
		return 0;
	}
	*ret = syscall_prepare(t, desc);
	if (*ret == 0)
		*ret = carry_out(t, desc);
	return 0;
}

static int tsc(struct session *s, struct task *t, bool rdtscp, uint64_t *value, uint32_t *aux)
{
	struct timespec ts;

	(void)s, (void)t;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	*value = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	if (rdtscp)
		*aux = 0;
	return 0;
}

/* It stays where it is: what a signal would do to it is nobody's concern. */
static int fault(struct session *s, struct task *t, const siginfo_t *si)
{
	debuggee_event(debuggee_of(s), t, DEBUGGEE_SIGNAL, -1, si);
	return 1;
}

static int no_signal(struct session *s, struct task *t, bool after, siginfo_t *si)
{
	(void)s, (void)t, (void)after, (void)si;
	return 0;
}

static int stopped(struct session *s, struct task *t)
{
	return debuggee_stopped(debuggee_of(s), t);
}

static int nothing(struct session *s, struct task *t)
{
	(void)s, (void)t;
	return 0;
}

static int no_action(struct session *s, struct task *t, int sig)
{
	(void)s, (void)t, (void)sig;
	return 0;
}

static int no_file(struct session *s, struct task *t, struct plan *p, int fd, int prot, int flags, uint64_t offset, uint64_t len,
		   struct map_source *src)
{
	(void)s, (void)t, (void)p, (void)fd, (void)prot, (void)flags, (void)offset, (void)len, (void)src;
	return -ENODEV;
}

/* The thread that was stopped runs; the others stand still. */
static int same_turn(struct session *s, struct task **t)
{
	(void)s, (void)t;
	return 0;
}

static int no_preemption(struct session *s, struct task *t, bool point)
{
	(void)s, (void)t, (void)point;
	return 0;
}

static void waits(struct session *s, struct task *t)
{
	(void)s, (void)t;
}

static int thread_ended(struct session *s, struct task *t, struct task **next)
{
	(void)next;
	debuggee_ended(debuggee_of(s), t);
}

static void no_wake(struct session *s, uint64_t addr, int n)
{
	(void)s, (void)addr, (void)n;
}

static int exited(struct session *s, struct task *t)
{
	debuggee_ended(debuggee_of(s), t);
}

static const struct session_ops diversion_ops = {
	.name = "diversion",
	.turn = same_turn,
	.preempt = no_preemption,
	.blocks = waits,
	.unblocks = waits,
	.thread_ended = thread_ended,
	.futex_wake = no_wake,
	.resume = resume,
	.syscall = do_call,
	.tsc = tsc,
	.fault = fault,
	.signal = no_signal,
	.stopped = stopped,
	.kicked = nothing,
	.landed = nothing,
	.set_mask = nothing,
	.set_action = no_action,
	.map_file = no_file,
	.exited = exited,
};

int diversion_begin(struct task *t, struct debuggee *d)
{
	struct diversion *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->base.ops = &diversion_ops;
	v->debug = d;
	t->proc->sess = &v->base;
	return 0;
}
