/* A debuggee that stands still answers questions. Contract: debuggee_int.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "replay/debuggee_int.h"
#include "replay/diversion.h"
#include "syscall-emu/landmark.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/text_patch.h"
#include "syscall-emu/threads.h"
#include "vmm/cleanup.h"


static struct debuggee *self; /* for signal handlers: there is one in a process */

/* ---- being interrupted ---- */

static void on_signal(int sig)
{
	if (!self || !self->t || self->stale)
		return;
	if (sig == SIGALRM)
		self->timed_out = true;
	vcpu_kick(self->t->vcpu);
}

/* The socket's owner gets SIGIO when something arrives on it. */
void debuggee_watch_socket(struct debuggee *d)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	self = d;
	sigaction(SIGIO, &act, NULL);
	sigaction(SIGALRM, &act, NULL);
	/* Copies that are given up go without being waited for. */
	signal(SIGCHLD, SIG_IGN);
	fcntl(d->sock, F_SETOWN, getpid());
	fcntl(d->sock, F_SETFL, fcntl(d->sock, F_GETFL) | O_ASYNC);
}

static void set_budget(uint32_t ms)
{
	struct itimerval t = { .it_value = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 } };

	setitimer(ITIMER_REAL, &t, NULL);
}

bool debuggee_spoken_to(struct debuggee *d)
{
	struct pollfd p = { .fd = d->sock, .events = POLLIN };
	struct link_request q;

	if (poll(&p, 1, 0) <= 0)
		return false;
	if (link_receive(d->sock, &q, sizeof(q), NULL, 0, NULL) == -EPIPE)
		_exit(EXIT_FAILURE);
	return true;
}

/* ---- answers ---- */

static void reply(struct debuggee *d, const void *bytes, size_t len)
{
	if (link_send(d->sock, bytes, len, NULL, 0, -1) < 0)
		_exit(EXIT_FAILURE);
}

void debuggee_answer(struct debuggee *d, uint32_t kind)
{
	struct link_stop s = {
		.kind = kind, .tid = d->t->tid, .host_pid = getpid(), .place = d->place, .rip = d->t->regs->rip, .point = d->seek_site,
		.stepped = d->stepped, .hits = d->hits, .passes = d->passes, .stop = d->stop,
	};

	if (d->run.budget_ms)
		set_budget(0);
	if (d->have_siginfo && d->place.at_event)
		s.siginfo = d->siginfo;
	s.stop.tid = d->t->tid;
	if (kind < LINK_HERE)
		s.stop.kind = kind;
	reply(d, &s, sizeof(s));
}

static ssize_t read_some(struct debuggee *d, uint64_t addr, void *buf, size_t len)
{
	cleanup_close int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	const struct vma *v = mm_find(d->t->proc->mm, addr);
	size_t done = 0;

	/* Mapping by mapping: what lies between them may be ours. */
	while (mem >= 0 && done < len && v && v->end > addr + done) {
		size_t n = v->end - (addr + done) < len - done ? v->end - (addr + done) : len - done;
		ssize_t got = pread(mem, (char *)buf + done, n, (off_t)(addr + done));

		if (got <= 0)
			break;
		done += (size_t)got;
		v = mm_find(d->t->proc->mm, addr + done);
	}
	text_patch_hide(d->t->proc->mm, addr, buf, done);
	return done ? (ssize_t)done : -EFAULT;
}

static void answer_read(struct debuggee *d, const struct link_request *q)
{
	static char buf[LINK_BYTES_MAX];
	int64_t n = read_some(d, q->addr, buf, q->len < sizeof(buf) ? q->len : sizeof(buf));

	if (link_send(d->sock, &n, sizeof(n), buf, n > 0 ? (size_t)n : 0, -1) < 0)
		_exit(EXIT_FAILURE);
}

static void answer_number(struct debuggee *d, int64_t n)
{
	reply(d, &n, sizeof(n));
}

/* The number of the system call that t stands in: the others wait in theirs. */
static uint64_t at_call(const struct debuggee *d, const struct task *t)
{
	if (t == d->t ? d->place.at_event && d->last_nr >= 0 : t->at_stop && t->stop.stop == VCPU_SYSCALL)
		return t->regs->rax;
	return UINT64_MAX;
}

static void answer_regs(struct debuggee *d, const struct link_request *q)
{
	static struct debug_regs r;
	const size_t size = vm_cpu(d->t->proc->vm)->xsave_size;
	const struct task *t = thread_find(d->t->proc, q->tid);

	memset(&r, 0, sizeof(r));
	if (t && size <= sizeof(r.xsave)) {
		r.r = *t->regs;
		r.orig_rax = at_call(d, t);
		if (d->stale)
			memcpy(r.xsave, copy_xsave(d, t), size);
		else
			vcpu_get_xsave(t->vcpu, r.xsave, size);
	}
	reply(d, &r, t && size <= sizeof(r.xsave) ? sizeof(r) : 1);
}

static void take_regs(struct debuggee *d, const struct link_request *q, const struct debug_regs *r)
{
	struct task *t = thread_find(d->t->proc, q->tid);
	int rc = !t ? -ESRCH : d->stale ? copy_revive(d) : 0;

	if (rc == 0)
		rc = vcpu_set_xsave(t->vcpu, r->xsave, vm_cpu(t->proc->vm)->xsave_size);
	if (rc == 0)
		*t->regs = r->r;
	answer_number(d, rc);
}

static void answer_mark(struct debuggee *d)
{
	static struct link_mark m;
	int rc = d->stale ? copy_revive(d) : 0;
	struct landmark_place at;

	memset(&m, 0, sizeof(m));
	/* A run that comes by does not stop where a string instruction is half done. */
	if (rc == 0 && landmark_look(d->t, d->t->regs->rip, &at) == 0 && at.string)
		rc = -EOPNOTSUPP;
	m.events = d->place.events;
	m.tid = d->t->tid;
	m.regs = *d->t->regs;
	if (rc == 0)
		rc = landmark_take(d->t, MARK_BYTES, &m.point);
	if (rc < 0)
		m.tid = 0;
	reply(d, &m, sizeof(m));
}

static void answer_fill(struct debuggee *d, const struct link_mark *asked)
{
	static struct link_mark m;
	int rc = d->stale ? copy_revive(d) : 0;

	m = *asked;
	if (rc == 0)
		rc = landmark_take(d->t, MARK_BYTES, &m.point);
	reply(d, rc < 0 ? asked : &m, sizeof(m));
}

/* Offsets of the extended state's parts, as the program's own CPUID says. */
static uint32_t part(const struct debuggee *d, unsigned bit)
{
	const struct cpu_table *cpu = vm_cpu(d->t->proc->vm);
	struct kvm_cpuid_entry2 e;

	if (!(cpu->xcr0 >> bit & 1))
		return 0;
	cpu_table_query(cpu, 0xd, bit, &e);
	return e.ebx + e.eax <= cpu->xsave_size ? e.ebx : 0;
}

static void answer_about(struct debuggee *d)
{
	static struct link_about a;
	const struct process *p = d->t->proc;

	memset(&a, 0, sizeof(a));
	a.layout = (struct debug_layout){
		.size = vm_cpu(p->vm)->xsave_size, .ymm = part(d, 2), .opmask = part(d, 5), .zmm = part(d, 6),
		.zmm_hi16 = part(d, 7), .pkru = part(d, 9),
	};
	memcpy(a.exe, p->exe, sizeof(a.exe));
	if (p->auxv_len <= sizeof(a.auxv) && guest_read(a.auxv, p->auxv, p->auxv_len) == 0)
		a.auxv_len = p->auxv_len;
	reply(d, &a, sizeof(a));
}

static void write_memory(FILE *f, uint64_t from, uint64_t to)
{
	char c;

	for (uint64_t at = from; at < to && guest_read(&c, at, 1) == 0; at++)
		putc(c, f);
}

/* What /proc/PID/FILE has, with FILE by number. */
static int write_about(struct debuggee *d, enum link_file what, int fd)
{
	cleanup_fclose FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	const struct process *p = d->t->proc;

	if (!f)
		return -EINVAL;
	if (what == LINK_FILE_MAPS)
		mm_print_maps(p->mm, f);
	else if (what == LINK_FILE_COMM)
		fprintf(f, "%.16s\n", names_of(d, d->t));
	else if (what == LINK_FILE_CMDLINE)
		write_memory(f, p->arg_start, p->arg_end);
	else if (what == LINK_FILE_ENVIRON)
		write_memory(f, p->env_start, p->env_end);
	return fflush(f) ? -EIO : 0;
}

static void answer_threads(struct debuggee *d)
{
	static struct link_thread list[LINK_THREADS_MAX];
	size_t n = 0;
	int64_t all;

	/* The list has the newest first. */
	for (const struct task *t = d->t->proc->tasks; t && n < LINK_THREADS_MAX; t = t->next)
		n++;
	for (const struct task *t = d->t->proc->tasks; t && n; t = t->next) {
		list[--n].tid = t->tid;
		memcpy(list[n].name, names_of(d, t), sizeof(list[n].name));
	}
	all = d->t->proc->nthreads < LINK_THREADS_MAX ? d->t->proc->nthreads : LINK_THREADS_MAX;
	if (link_send(d->sock, &all, sizeof(all), list, (size_t)all * sizeof(list[0]), -1) < 0)
		_exit(EXIT_FAILURE);
}

static void answer_print(struct debuggee *d)
{
	struct link_print p = { 0 };

	p.rc = debuggee_fingerprint(d, &p.print);
	reply(d, &p, sizeof(p));
}

/* ---- requests ---- */

static void take_points(struct debuggee *d, const void *bytes, size_t len)
{
	d->npoints = (unsigned)(len / sizeof(struct link_point));
	memcpy(d->point, bytes, d->npoints * sizeof(struct link_point));
	answer_number(d, 0);
}

static void take_run(struct debuggee *d, const struct link_run *r)
{
	int rc = d->stale ? copy_revive(d) : 0;

	if (rc < 0)
		_exit(EXIT_FAILURE);
	d->run = *r;
	d->stepped = d->hits = d->passes = 0;
	d->fresh = !r->from_start;
	d->interrupted = false;
	d->timed_out = r->slide;
	d->slide = SLIDE_MAX;
	goal_begin(d);
	d->extra[0] = d->extra[1] = 0;
	d->site_armed = d->site_plain = false;
	d->watch_faults = 0;
	watch_begin(d);
	if (r->budget_ms)
		set_budget(r->budget_ms);
}

/* The run goes on, with a mark that is known better, or will not be. */
static void take_learned(struct debuggee *d, const struct link_mark *m)
{
	d->run.mark = *m;
	if (d->run.budget_ms)
		set_budget(d->run.budget_ms);
}

static void take_fork(struct debuggee *d, const struct link_request *q, int fd)
{
	int rc = fd < 0 ? -EINVAL : copy_make(d, fd, q->number);

	if (rc == 0)
		close(fd);
	if (rc < 0)
		_exit(EXIT_FAILURE);
	debuggee_answer(d, LINK_HERE);
}

/* One request: false when it was to go on. */
static bool handle(struct debuggee *d, const struct link_request *q, const void *bytes, size_t len, int fd)
{
	int64_t rc = -EFAULT;

	switch (q->op) {
	case LINK_RUN:
		take_run(d, bytes);
		return false;
	case LINK_LEARN:
		take_learned(d, bytes);
		return false;
	case LINK_WORDS:
		reply(d, &d->words, sizeof(d->words));
		break;
	case LINK_FILL:
		answer_fill(d, bytes);
		break;
	case LINK_FORK:
		take_fork(d, q, fd);
		break;
	case LINK_READ:
		answer_read(d, q);
		break;
	case LINK_WRITE:
		if (guest_range_ok(q->addr, len)) {
			text_patch_written(d->t->proc->mm, q->addr, len);
			rc = mm_poke(d->t->proc->mm, q->addr, bytes, len);
		}
		answer_number(d, rc);
		break;
	case LINK_GET_REGS:
		answer_regs(d, q);
		break;
	case LINK_SET_REGS:
		take_regs(d, q, bytes);
		break;
	case LINK_POINTS:
		take_points(d, bytes, len);
		break;
	case LINK_THREADS:
		answer_threads(d);
		break;
	case LINK_MARK:
		answer_mark(d);
		break;
	case LINK_FILE:
		answer_number(d, write_about(d, (enum link_file)q->number, fd));
		break;
	case LINK_ABOUT:
		answer_about(d);
		break;
	case LINK_PRINT:
		answer_print(d);
		break;
	case LINK_DIVERT:
		answer_number(d, diversion_begin(d->t, d));
		break;
	case LINK_INTERRUPT: /* too late: it stands */
		break;
	default:
		_exit(EXIT_SUCCESS);
	}
	return true;
}

void debuggee_serve(struct debuggee *d)
{
	/* Big enough for whatever follows a request, and aligned for all of it. */
	static _Alignas(16) char bytes[LINK_BYTES_MAX];
	struct link_request q;
	ssize_t n;
	int fd;

	do {
		n = link_receive(d->sock, &q, sizeof(q), bytes, sizeof(bytes), &fd);
		/* The debugger is gone, or not ours. */
		if (n < 0)
			_exit(EXIT_FAILURE);
	} while (handle(d, &q, bytes, (size_t)n - sizeof(q), fd));
}
