/* The recording session: system calls, exceptions and signals. Contract: recorder.h, recorder_int.h. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/control.h"
#include "record/inputs.h"
#include "record/live.h"
#include "record/recorder_int.h"
#include "record/robust.h"
#include "record/sched.h"
#include "record/thread.h"
#include "record/world.h"
#include "syscall-emu/fd.h"
#include "syscall-emu/serve.h"
#include "syscall-emu/signal_host.h"
#include "vmm/branches.h"

struct recorded *recorded_of(struct task *t)
{
	if (!t->of_session)
		t->of_session = calloc(1, sizeof(struct recorded));
	if (!t->of_session)
		abort();
	return t->of_session;
}

static int first_piece(void *arg, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes)
{
	(void)arg, (void)addr, (void)len, (void)kind, (void)bytes;
	return 1;
}

/* The program need not wait for its call to be in the log, unless bytes of its memory have to be. */
static void answer_early(struct task *t, int64_t ret)
{
	if (t->served && !plan_written(&t->plan, first_piece, NULL))
		serve_answer(t, ret);
}

static int recorder_syscall(struct session *s, struct task *t, const struct sys_desc *desc, int64_t *ret)
{
	struct recorder *r = recorder_of(s);
	struct guest_regs entry = *t->regs;
	struct world_answer answer;
	uint64_t arrivals;
	int64_t rc;

	recorder_stop_landing(r, t);
	rc = syscall_prepare(t, desc);

	inputs_take(&recorded_of(t)->in, &t->plan);
	if (rc == 0 && r->link.world && world_call(r->link.world, t, desc, &recorded_of(t)->in, &answer)) {
		*ret = answer.result;
		recorder_log_answer(r, t, &entry, &answer);
		return 0;
	}
	arrivals = sched_arrivals(t);
	if (t->proc->grouped)
		robust_note(&r->link.tree->robusts, t);
	*ret = rc < 0 ? rc : syscall_perform(t, desc);
	if (r->link.world && rc == 0)
		world_made(r->link.world, t, *ret);
	if (*ret == SYS_ERESTARTSYS && t->served)
		return 0; /* the thread makes it itself */
	sched_await(t, arrivals, &entry, *ret);
	if (t->newborn) { /* the child of a fork: its stream began with REC_FORK */
		t->newborn = false;
		return 0;
	}
	if (*ret == 0)
		robust_killed(&r->link.tree->robusts, t);
	if (*ret != SYS_ERESTARTSYS) {
		recorder_log_poked(r, t); /* first: what it finds, the program may change */
		answer_early(t, *ret);
	}
	recorder_log_syscall(r, t, &entry, *ret);
	return 0;
}

static int recorder_tsc(struct session *s, struct task *t, bool rdtscp, uint64_t *tsc, uint32_t *aux)
{
	struct event ev = { .type = REC_TSC, .tid = t->tid, .regs = *t->regs };
	struct world *w = recorder_of(s)->link.world;
	int rc = w && world_tsc(w, tsc, rdtscp ? aux : NULL) ? 0 : live_tsc(s, t, rdtscp, tsc, aux);

	if (rc < 0)
		return rc;
	ev.result = (int64_t)*tsc;
	if (rdtscp) {
		ev.annex = aux;
		ev.annex_len = sizeof(*aux);
	}
	recorder_log(recorder_of(s), &ev);
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

	recorder_log(recorder_of(s), &ev);
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
	p = recorder_stop_landing(r, t);
	memcpy(annex, si, sizeof(*si));
	ev.annex = annex;
	ev.annex_len = sizeof(*si);
	if (p) {
		ev.flags |= REC_F_POINT;
		ev.annex_len += (uint32_t)exec_point_encode(p, annex + sizeof(*si));
		vcpu_branches_reset(t->vcpu); /* points count from one to the next */
	}
	recorder_log(r, &ev);
	return 1;
}

void recorder_tell(const struct recorder *r, int32_t type, const struct task *t, int parent)
{
	struct control_message m = { .type = type, .number = r->link.number, .parent = parent, .status = t->wait_status };

	snprintf(m.comm, sizeof(m.comm), "%s", t->proc->comm);
	if (!r->link.ring)
		return;
	/* An error: the ring's file keeps what there is. */
	if (type == CONTROL_ENDED || type == CONTROL_VM)
		control_leave_vm(r->link.control, &m, vm_own_fd(t->proc->vm));
	else
		control_send(r->link.control, &m, sizeof(m), NULL, 0);
}

/* Others who share the descriptors would keep ours open. From here on no kick may come for the vCPU. */
static void close_own(struct recorder *r, struct task *t)
{
	const uint64_t all = ~0ULL;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
	process_drop_vm(t);
	if (r->link.ring_fd >= 0)
		fd_hidden_close(r->link.ring_fd);
}

static int recorder_exited(struct session *s, struct task *t)
{
	struct recorder *r = recorder_of(s);
	struct event ev = { .type = REC_EXIT, .tid = t->tid, .regs = *t->regs, .result = t->wait_status };

	recorder_log(r, &ev);
	recorder_tell(r, CONTROL_ENDED, t, 0);
	if (fdtable_shared(t->proc->fds))
		close_own(r, t);
	signal_host_die(t->wait_status);
}

static void recorder_pokes(struct session *s, pid_t pid, uint64_t addr, uint64_t len)
{
	struct tree_pokes *p = &recorder_of(s)->link.tree->pokes;

	if (pid)
		poke_begin(p, pid, addr, len);
	else
		poke_end(p);
}

static const struct session_ops recorder_ops = {
	.name = "record",
	.turn = live_turn,
	.preempt = recorder_preempt,
	.blocks = recorder_blocks,
	.unblocks = recorder_unblocks,
	.resume = recorder_resume,
	.serves = recorder_serves,
	.contended = recorder_contended,
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
	.pokes = recorder_pokes,
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
