/* The recording session. Contract: recorder.h. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "record/control.h"
#include "record/group.h"
#include "record/handover.h"
#include "record/inputs.h"
#include "record/landing.h"
#include "record/live.h"
#include "record/recorder.h"
#include "record/sched.h"
#include "record/thread.h"
#include "syscall-emu/clone.h"
#include "syscall-emu/kernel_shared.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/process.h"
#include "syscall-emu/signal_host.h"
#include "vmm/branches.h"
#include "vmm/cleanup.h"

struct recorder {
	struct session base;
	struct recorder_links link;
	bool cut; /* the supervisor cannot store any more: the program goes on unrecorded */
	struct landing landing;

	/* Shared memory: record/group.h. */
	bool slice_over;       /* this process has the group's baton, and others want it, for longer than a slice */
};

/* Of one thread: task.of_session. */
struct recorded {
	struct inputs in;
	struct landing_timer timer, slice;
};

static struct recorder *recorder_of(struct session *s)
{
	return (struct recorder *)s;
}

/* Recording may end before the program does (disk full): that is remembered here, and the program never notices. */
static void logged(struct recorder *r, int rc)
{
	if (rc < 0)
		r->cut = true;
}

static void log_event(struct recorder *r, struct event *ev)
{
	if (!r->cut)
		logged(r, ring_event(r->link.ring, ev));
}

static void log_bytes(struct recorder *r, uint64_t addr, const void *bytes, uint64_t len, uint32_t kind)
{
	const char *b = bytes;

	while (len && !r->cut) {
		uint32_t n = len < EVENT_DATA_MAX ? (uint32_t)len : EVENT_DATA_MAX;

		logged(r, ring_data(r->link.ring, addr, b, n, kind));
		addr += n;
		b += n;
		len -= n;
	}
}

struct piece_count {
	uint64_t n;
	uint8_t flags; /* the call put bytes of its own into the program's output */
};

static int count_piece(void *arg, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes)
{
	struct piece_count *c = arg;

	(void)addr, (void)bytes;
	c->n += ring_data_count(len);
	c->flags |= kind == DATA_STDOUT ? REC_F_STDOUT : kind == DATA_STDERR ? REC_F_STDERR : 0;
	return 0;
}

static int log_piece(void *arg, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes)
{
	log_bytes(arg, addr, bytes ? bytes : (const void *)(uintptr_t)addr, len, kind);
	return 0;
}

static void log_inputs(struct recorder *r, const struct inputs *in)
{
	for (unsigned i = 0; i < in->n; i++)
		log_bytes(r, in->piece[i].addr, in->bytes + in->piece[i].at, in->piece[i].len, DATA_INPUT);
}

/* Never fails: what a thread needs is made when it is, and this is the first one's. */
static struct recorded *recorded_of(struct task *t)
{
	if (!t->of_session)
		t->of_session = calloc(1, sizeof(struct recorded));
	if (!t->of_session)
		abort();
	return t->of_session;
}

/* What a call has written before it waits. When it is over its row says all. */
static unsigned early_pieces(const struct plan *p, bool over)
{
	return p->early && !over;
}

static void log_early(struct recorder *r, const struct plan *p, bool over)
{
	if (early_pieces(p, over))
		log_bytes(r, p->early, (const void *)(uintptr_t)p->early, sizeof(uint32_t), DATA_MEMORY);
}

static void log_syscall(struct recorder *r, struct task *t, const struct guest_regs *entry, int64_t ret)
{
	struct inputs *in = &recorded_of(t)->in;
	struct plan *p = &t->plan;
	bool happened = ret != SYS_ERESTARTSYS;
	uint32_t number;
	struct event ev = {
		.type = REC_SYSCALL,
		.flags = happened ? p->ev_flags : REC_F_RESTART,
		.tid = t->tid,
		.regs = *entry,
		.result = ret,
		.annex = happened ? p->annex : NULL,
		.annex_len = happened ? p->annex_len : 0,
	};
	struct piece_count count = { in->n + early_pieces(p, happened), 0 };

	if (happened)
		plan_written(p, count_piece, &count);
	ev.flags |= count.flags;
	if (ev.flags & (REC_F_STDOUT | REC_F_STDERR)) {
		number = tree_number(r->link.tree);
		ev.annex = &number; /* rows that write have no annex of their own */
		ev.annex_len = sizeof(number);
	}
	ev.ndata = (uint32_t)count.n;
	log_event(r, &ev);
	log_inputs(r, in);
	log_early(r, p, happened);
	if (happened)
		plan_written(p, log_piece, r);
}

static const struct exec_point *stop_landing(struct recorder *r, struct task *t)
{
	r->landing.timer = &recorded_of(t)->timer;
	return landing_stop(&r->landing, t);
}

static int recorder_syscall(struct session *s, struct task *t, const struct sys_desc *desc, int64_t *ret)
{
	struct recorder *r = recorder_of(s);
	struct guest_regs entry = *t->regs;
	int64_t rc;

	stop_landing(r, t);
	rc = syscall_prepare(t, desc);

	inputs_take(&recorded_of(t)->in, &t->plan);
	*ret = rc < 0 ? rc : syscall_perform(t, desc);
	if (t->newborn) /* the child of a fork: its stream began with REC_FORK */
		t->newborn = false;
	else
		log_syscall(r, t, &entry, *ret);
	return 0;
}

static int recorder_tsc(struct session *s, struct task *t, bool rdtscp, uint64_t *tsc, uint32_t *aux)
{
	struct event ev = { .type = REC_TSC, .tid = t->tid, .regs = *t->regs };
	int rc = live_tsc(s, t, rdtscp, tsc, aux);

	if (rc < 0)
		return rc;
	ev.result = (int64_t)*tsc;
	if (rdtscp) {
		ev.annex = aux;
		ev.annex_len = sizeof(*aux);
	}
	log_event(recorder_of(s), &ev);
	return 0;
}

static int recorder_fault(struct session *s, struct task *t, const siginfo_t *si)
{
	struct event ev = {
		.type = REC_FAULT,
		.tid = t->tid,
		.regs = *t->regs,
		.result = (int64_t)((uint64_t)t->stop.vector << 32 | t->stop.error),
		.annex = si,
		.annex_len = sizeof(*si),
	};

	log_event(recorder_of(s), &ev);
	return 0;
}

static int recorder_signal(struct session *s, struct task *t, bool after, siginfo_t *si)
{
	struct recorder *r = recorder_of(s);
	struct event ev = { .type = REC_SIGNAL, .flags = after ? REC_F_AFTER : 0, .tid = t->tid, .regs = *t->regs };
	unsigned char annex[sizeof(*si) + POINT_ENCODED_MAX];
	const struct exec_point *p;
	int rc = live_signal(s, t, after, si);

	if (rc <= 0)
		return rc;
	p = stop_landing(r, t);
	memcpy(annex, si, sizeof(*si));
	ev.annex = annex;
	ev.annex_len = sizeof(*si);
	if (p) {
		ev.flags |= REC_F_POINT;
		ev.annex_len += (uint32_t)exec_point_encode(p, annex + sizeof(*si));
		vcpu_branches_reset(t->vcpu); /* points count from one to the next */
	}
	log_event(r, &ev);
	return 1;
}

/* ---- threads ---- */

/* The thread `before` has given the baton up to make a call that waits, and another one has it now. */
static void log_blocked(struct recorder *r, struct task *before)
{
	struct inputs *in = &recorded_of(before)->in;
	const struct plan *p = &before->plan;
	struct event ev = { .type = REC_SCHED, .tid = before->tid, .regs = *before->regs };

	ev.ndata = in->n + early_pieces(p, false);
	log_event(r, &ev);
	log_inputs(r, in);
	log_early(r, p, false);
	in->n = 0; /* they are not what the memory holds when the call is over */
}

/* ---- processes that share memory ---- */

static void log_turn(struct recorder *r, struct task *t, uint32_t number, uint8_t flags)
{
	struct event ev = { .type = REC_TURN, .flags = flags, .tid = t->tid, .regs = *t->regs, .result = number };

	log_event(r, &ev);
	r->slice_over = false;
	landing_timer_every(&recorded_of(t)->slice, GROUP_SLICE_NS);
}

static void take_turn(struct recorder *r, struct task *t)
{
	if (t->proc->grouped)
		log_turn(r, t, group_enter(&r->link.tree->group), 0);
}

static void end_turn(struct recorder *r, struct task *t)
{
	if (!t->proc->grouped)
		return;
	landing_timer_every(&recorded_of(t)->slice, 0);
	group_leave(&r->link.tree->group);
}

static void recorder_shares(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);

	if (t->proc->grouped)
		return;
	t->proc->grouped = true;
	log_turn(r, t, group_enter(&r->link.tree->group), REC_F_AFTER);
}

/* Somebody has kicked us, or a timer has: has the group a reason? */
static void look_at_slice(struct recorder *r, const struct task *t)
{
	r->slice_over |= t->proc->grouped && group_wanted(&r->link.tree->group);
}

static bool switch_asked(const struct recorder *r, const struct task *t)
{
	return sched_asked(t) || r->slice_over;
}

/* ---- giving way ---- */

static void recorder_blocks(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);

	/* Another process cannot write in our log: it is said beforehand. */
	if (t->proc->grouped) {
		log_blocked(r, t);
		end_turn(r, t);
	}
	if (t->proc->sched)
		sched_leave(t, t->proc->grouped);
}

static void recorder_unblocks(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);
	struct task *before = t->proc->sched ? sched_enter(t) : NULL;

	if (before)
		log_blocked(r, before);
	take_turn(r, t);
}

static void begin_thread(struct task *made, struct task *before)
{
	struct recorder *r = recorder_of(made->proc->sess);

	if (before)
		log_blocked(r, before);
	take_turn(r, made);
}

static int64_t recorder_thread(struct session *s, struct task *t, struct plan *p, struct task *made)
{
	(void)s, (void)p;
	made->of_session = calloc(1, sizeof(struct recorded));
	return made->of_session ? live_thread(t, made, begin_thread) : -ENOMEM;
}

static int recorder_thread_ended(struct session *s, struct task *t, struct task **next)
{
	landing_timer_end(&recorded_of(t)->timer);
	end_turn(recorder_of(s), t);
	landing_timer_end(&recorded_of(t)->slice);
	return live_thread_ended(s, t, next);
}

/* What the kernel has written to memory it shares with the guest is due at a place like this. */
static bool wants_refresh(const struct task *t)
{
	return kernel_shared_age(t->proc) >= SCHED_SLICE_NS && kernel_shared_news(t->proc);
}

struct refreshed {
	unsigned n, cap;
	struct { uint64_t addr, len; } *piece;
};

static void note_piece(void *arg, uint64_t addr, uint64_t len)
{
	struct refreshed *f = arg;

	if (f->n == f->cap) {
		f->cap = f->cap ? 2 * f->cap : 64;
		f->piece = reallocarray(f->piece, f->cap, sizeof(*f->piece));
		if (!f->piece)
			abort();
	}
	f->piece[f->n].addr = addr;
	f->piece[f->n++].len = len;
}

/* ev with what has changed in such memory up to now. */
static void log_refreshed(struct recorder *r, struct task *t, struct event *ev)
{
	struct refreshed f = { 0 };

	kernel_shared_refresh(t, note_piece, &f);
	for (unsigned i = 0; i < f.n; i++)
		ev->ndata += ring_data_count(f.piece[i].len);
	log_event(r, ev);
	for (unsigned i = 0; i < f.n; i++)
		log_bytes(r, f.piece[i].addr, (const void *)(uintptr_t)f.piece[i].addr, f.piece[i].len, DATA_MEMORY);
	free(f.piece);
}

/* *within: to another thread of this process, which may be asked of it by both. */
static bool wants_switch(const struct recorder *r, struct task *t, bool *within)
{
	*within = sched_wants_switch(t);
	return *within || (r->slice_over && group_wanted(&r->link.tree->group));
}

static int recorder_preempt(struct session *s, struct task *t, bool point)
{
	struct recorder *r = recorder_of(s);
	struct event ev = { .type = REC_SCHED, .tid = t->tid, .regs = *t->regs };
	const struct exec_point *p = point ? stop_landing(r, t) : NULL;
	unsigned char annex[POINT_ENCODED_MAX];
	struct task *before;
	bool within, gives_way;

	if (point && !p)
		return 0;
	gives_way = wants_switch(r, t, &within);
	if (!gives_way && !(point && wants_refresh(t)))
		return 0;
	if (p) {
		ev.flags = REC_F_POINT;
		ev.annex = annex;
		ev.annex_len = (uint32_t)exec_point_encode(p, annex);
		vcpu_branches_reset(t->vcpu);
	} else {
		stop_landing(r, t);
	}
	log_refreshed(r, t, &ev);
	if (point)
		signal_preempted(t);
	if (within) {
		end_turn(r, t);
		before = sched_yield_baton(t);
		if (before)
			log_blocked(r, before);
		take_turn(r, t);
	} else if (t->proc->grouped) {
		log_turn(r, t, group_pass_on(&r->link.tree->group), 0);
	}
	return 0;
}

/* The slice that t has begun ends at a branch. */
static void count_slice(struct task *t)
{
	uint64_t now;

	if (!t->proc->sched || (!sched_new_slice(t) && vcpu_branches_armed(t->vcpu)))
		return;
	sched_counts(t, vcpu_branches_read(t->vcpu, &now) == 0 &&
			vcpu_branches_arm(t->vcpu, now + sched_branches(t)) == 0);
}

static int recorder_resume(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);
	uint64_t delay;

	if (r->landing.phase != LANDING_IDLE)
		return 0;
	count_slice(t);
	r->landing.timer = &recorded_of(t)->timer;
	if (kernel_shared_age(t->proc))
		landing_tick(&r->landing, SCHED_SLICE_NS);
	delay = sched_chaos_delay(t);
	if (delay)
		landing_tick(&r->landing, delay);
	if (!switch_asked(r, t))
		return 0;
	return landing_kicked(&r->landing, t, true);
}

static int recorder_kicked(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);
	int rc = live_kicked(s, t);

	if (rc)
		return rc;
	look_at_slice(r, t);
	if (process_self.chaos)
		sched_ask(t);
	r->landing.timer = &recorded_of(t)->timer;
	if (kernel_shared_age(t->proc) >= SCHED_SLICE_NS)
		kernel_shared_push(t); /* that is seen by nobody but the kernel */
	return landing_kicked(&r->landing, t, t->pending || switch_asked(r, t) || wants_refresh(t));
}

static int recorder_landed(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);

	if (r->landing.phase != LANDING_IDLE)
		return landing_hit(&r->landing, t);
	return t->proc->sched && sched_slice_used(t) ? landing_here(&r->landing, t) : 0;
}

/* A file that nobody in the tree is likely to write is only read: the C library's caches, for one. */
static bool shared_with_others(int fd, int prot, int flags, int kind)
{
	int mode = fcntl(fd, F_GETFL);
	struct statfs fs;

	if (kind != FILE_MAP_SHARED || (flags & MAP_TYPE) == MAP_PRIVATE)
		return false;
	if (prot & PROT_WRITE || (mode >= 0 && (mode & O_ACCMODE) != O_RDONLY))
		return true;
	return fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

/*
 * The trace keeps a copy. A process that may not write there (any more: it changed its user, restricted itself, limited the
 * size of files) has the supervisor do it. When that is gone, so is the recording.
 */
static int keep_file(struct recorder *r, int fd, struct file_ref *ref)
{
	struct rlimit size;
	int rc = -EACCES;

	if (r->cut)
		return 0;
	if (r->link.files && getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur == RLIM_INFINITY)
		rc = files_add(r->link.files, fd, ref);
	if (rc < 0 && rc != -EINVAL && rc != -ENOSPC && rc != -EDQUOT)
		rc = control_store(r->link.control, fd, ref);
	if (rc == -ENOSPC || rc == -EDQUOT)
		ring_stop(r->link.ring); /* the next event finds out; the program goes on */
	else if (rc == -EPIPE)
		r->cut = true;
	else
		return rc;
	return 0;
}

static int recorder_map_file(struct session *s, struct task *t, struct plan *p, int fd, int prot, int flags,
			     uint64_t offset, uint64_t len, struct map_source *src)
{
	struct recorder *r = recorder_of(s);
	unsigned char annex[FILE_MAP_ANNEX_MAX];
	struct file_map m = { 0 };
	int rc = live_map_file(t, fd, prot, flags, offset, len, src, &m);

	if (rc < 0)
		return rc;
	if (shared_with_others(fd, prot, flags, m.kind))
		recorder_shares(s, t);
	rc = m.kind == FILE_MAP_ZERO || m.kind == FILE_MAP_KERNEL ? 0 : keep_file(r, fd, &m.ref);
	if (rc < 0)
		return rc;
	plan_set_annex(p, annex, file_map_encode(&m, annex));
	return 0;
}

static int recorder_image_file(struct session *s, struct exec_params *x, unsigned index, const char *path)
{
	struct recorder *r = recorder_of(s);
	int given = r->link.program_fd, fd, rc;

	fd = index || given < 0 ? live_image_file(path) : live_image_fd(fcntl(given, F_DUPFD_CLOEXEC, 3));
	if (fd < 0)
		return fd;
	rc = keep_file(r, fd, &x->file[index].ref);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static void tell(const struct recorder *r, int32_t type, const struct task *t, int parent)
{
	struct control_message m = { .type = type, .number = r->link.number, .parent = parent, .status = t->wait_status };

	snprintf(m.comm, sizeof(m.comm), "%s", t->proc->comm);
	if (r->link.ring)
		control_send(r->link.control, &m, sizeof(m), NULL, 0); /* an error: the ring's file keeps what there is */
}

static int recorder_exited(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);
	struct event ev = { .type = REC_EXIT, .tid = t->tid, .regs = *t->regs, .result = t->wait_status };

	log_event(r, &ev);
	tell(r, CONTROL_ENDED, t, 0);
	signal_host_die(t->wait_status);
}

struct birth {
	struct recorder *parent, *made;
	const struct fork_request *q;
	pid_t parent_pid;
	int number, ring_fd; /* the child's; <= 0: it cannot be recorded */
};

/* In the child: the ring it was given instead of its parent's. */
static int change_ring(struct birth *b, struct recorder_links *link)
{
	if (!(b->q->flags & CLONE_VM) && link->ring)
		ring_close(link->ring); /* our copy of the parent's */
	if (link->ring_fd >= 0)
		fd_hidden_close(link->ring_fd);
	link->number = b->number;
	link->ring = NULL;
	link->ring_fd = -1;
	if (b->number <= 0)
		return 0;
	link->ring_fd = b->ring_fd;
	return recorder_open_ring(link);
}

/* In the child: its own ring, announced to the supervisor, begins with the registers it starts with. */
static int child_ready(struct task *t, void *arg)
{
	struct birth *b = arg;
	struct recorder_links link = b->parent->link;
	struct fork_annex annex = {
		.parent = b->parent_pid,
		.pid = getpid(),
		.parent_number = b->parent->link.number,
		.child_tid = b->q->flags & CLONE_CHILD_SETTID ? b->q->child_tid : 0,
	};
	struct event ev = { .type = REC_FORK, .tid = annex.pid, .regs = *t->regs, .annex = &annex,
			    .annex_len = sizeof(annex) };
	int rc = change_ring(b, &link);

	t->proc->pid = t->tid = annex.pid;
	if (rc == 0)
		rc = recorder_create(&link, &b->made);
	if (rc < 0)
		return rc;
	/* In memory lent by the parent it runs in the parent's turn. */
	t->proc->grouped &= !(b->q->flags & CLONE_VM);
	t->proc->sess = &b->made->base;
	tell(b->made, CONTROL_BORN, t, annex.parent_number);
	log_event(b->made, &ev);
	take_turn(b->made, t);
	return 0;
}

static int64_t recorder_fork(struct session *s, struct task *t, struct plan *p, const struct fork_request *q)
{
	struct recorder *r = recorder_of(s);
	struct birth b = { .parent = r, .q = q, .parent_pid = t->proc->pid };
	int64_t pid;
	int32_t number;

	if (!(q->flags & CLONE_VM) && mm_shared_writable(t->proc->mm))
		recorder_shares(s, t);

	/* Taken before, so that our own event can say which one it is. */
	b.number = r->cut ? 0 : control_take_ring(r->link.control, &b.ring_fd);
	/* What it does in our memory has to be in a recording of ours, too. */
	if (!r->cut && b.number <= 0 && q->flags & CLONE_VM)
		ring_stop(r->link.ring);
	pid = clone_process(t, q, child_ready, &b);
	if (pid == 0)
		return 0;
	number = b.number > 0 ? b.number : 0;
	if (number)
		fd_hidden_close(b.ring_fd);
	plan_set_annex(p, &number, sizeof(number));
	if (b.made) { /* a vfork child made it in our memory, and is gone to its own */
		ring_close(b.made->link.ring);
		free(b.made);
	}
	return pid;
}

static int64_t recorder_exec_call(struct session *s, struct task *t, struct plan *p, struct exec_request *q)
{
	struct recorder *r = recorder_of(s);
	struct handover h;
	int64_t rc;

	rc = live_exec(t, p, q, &r->link.program_fd);
	if (rc < 0)
		return rc;
	log_syscall(r, t, t->regs, 0);
	handover_fill(&h, t);
	h.kind = HANDOVER_RECORD;
	h.dir_fd = r->link.dir;
	h.control_fd = r->link.control;
	h.shared_fd = r->link.shared;
	h.number = r->link.number;
	if (!r->cut) {
		h.ring_fd = r->link.ring_fd;
		h.events = ring_events(r->link.ring);
	}
	end_turn(r, t);
	signal_host_requeue(t);
	handover_exec(&h, q);
	signal_host_die(SIGKILL); /* as Linux ends a program whose exec fails too late to return */
}

int recorder_exec(struct recorder *r, struct task *t, const struct exec_params *x)
{
	struct event ev = { .type = REC_EXEC, .tid = t->tid, .regs = *t->regs };
	cleanup_free void *blob = NULL;
	int rc = exec_params_encode(x, &blob, &ev.annex_len);

	if (rc < 0)
		return rc;
	ev.annex = blob;
	tell(r, CONTROL_PROGRAM, t, 0);
	log_event(r, &ev);
	return 0;
}

static const struct session_ops recorder_ops = {
	.name = "record",
	.turn = live_turn,
	.preempt = recorder_preempt,
	.blocks = recorder_blocks,
	.unblocks = recorder_unblocks,
	.resume = recorder_resume,
	.syscall = recorder_syscall,
	.tsc = recorder_tsc,
	.fault = recorder_fault,
	.signal = recorder_signal,
	.kicked = recorder_kicked,
	.landed = recorder_landed,
	.set_mask = live_set_mask,
	.set_action = live_set_action,
	.map_file = recorder_map_file,
	.map_done = live_map_done,
	.bpf_object = bpf_object_ask,
	.image_file = recorder_image_file,
	.fork = recorder_fork,
	.shares = recorder_shares,
	.thread = recorder_thread,
	.thread_ended = recorder_thread_ended,
	.futex_wake = live_futex_wake,
	.exec = recorder_exec_call,
	.exited = recorder_exited,
};

int recorder_open_ring(struct recorder_links *links)
{
	int rc = ring_open_fd(links->ring_fd, &links->ring);

	if (rc == 0)
		ring_watch(links->ring, links->control);
	return rc;
}

int recorder_create(const struct recorder_links *links, struct recorder **out)
{
	struct recorder *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->base.ops = &recorder_ops;
	r->link = *links;
	r->cut = !links->ring;
	if (links->files)
		files_share(links->files, &links->tree->memo);
	*out = r;
	return 0;
}

struct session *recorder_session(struct recorder *r)
{
	return &r->base;
}
