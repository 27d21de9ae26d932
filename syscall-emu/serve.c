/* Serving system calls beside the guest. Contract: serve.h. */
#include <errno.h>
#include <linux/futex.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "guestlib/abi.h"
#include "syscall-emu/fdtable.h"
#include "syscall-emu/landmark.h"
#include "syscall-emu/mm_join.h"
#include "syscall-emu/process.h"
#include "syscall-emu/processors.h"
#include "syscall-emu/serve.h"
#include "syscall-emu/serve_calls.h"
#include "syscall-emu/signal_host.h"
#include "syscall-emu/text_jump.h"
#include "vmm/jump.h"
#include "vmm/notsc.h"
#include "vmm/switchless_ring.h"

#define STACK (512u << 10)     /* as a guest thread's (record/thread.c) */
#define POLL_NS 500000         /* how long the server looks for the next request before it sleeps */
#define PATIENCE 4             /* so much longer for the first one: the task is outside when it wakes */
#define LOOKS_NS 40000         /* how long the guest looks for its answer: about an exit */
#define LOOKS_ALWAYS_NS 300000
#define AWAKE_NS 500000       /* how long SERVE_ALWAYS waits for the server to wake */
#define BURST_BEGIN 64         /* calls in quick succession that begin the thread */
#define BURST_WAKE 2           /* and that wake it */
#define BURST_BUSY 16          /* before that is looked at again while all processors are busy */
#define BURST_MAX 8192         /* when being awake has been of no use again and again */
#define BURST_CALL_NS 250000   /* quick succession: so much for a call, its exit included */
#define DENSE_CALL_NS 60000    /* and so much where the program does next to nothing but calls */
#define WORTH 8                /* calls that make being awake worth it */
#define FEW 4                  /* so few of them for each missed request are too few */
#define MISSES 8               /* requests that were not taken in time: often enough to think about it */
#define RING_BATCH 16          /* calls put into the ring at a time, while whoever leaves the guest has to wait */
#define RING_FEW 4             /* while the guest waits */
#define RFLAGS_TF 0x100ULL

static struct {
	struct process *proc;      /* whose it is: a child that borrows our memory has another */
	struct switchless *page;
	struct task *task;         /* who entered the guest last; the server's while the gate is its */
	pthread_t thread;
	pid_t tid;                 /* atomic */
	pid_t tid_for;             /* of server.task; atomic */
	bool made;
	bool resting;              /* it is let fall asleep */
	bool never;                /* the program waits for processor time, which a server uses up, too */
	int quit;                  /* atomic */
	int asleep;                /* atomic, a futex; set by the server, cleared by who wakes it */
	int awake;                 /* atomic; set by the server while it looks for requests */
	int rc;                    /* of a served call that ended the session; read while the server is not at work */
	uint64_t served;           /* as rc */
	uint64_t place;            /* of the session, at the first call in the ring; as rc */
	uint64_t looked;           /* where a request was answered with a look at the ring; as rc */
	bool answered;             /* the call at hand, by serve_answer(); as rc */
	bool dry;                  /* there is no ring, or the call behind it is not one for it; as rc */
	uint64_t served_then, missed_then; /* when it was woken */
	unsigned calls, burst;     /* calls outside in a row, and how many make a burst */
	uint64_t since;            /* when the row began */
	bool dense;                /* the last burst was little more than exits */
	bool apart;                /* it was kept off a processor */
	uint64_t poll;             /* looks that take POLL_NS here */
} server;

/* ---- the server's thread ---- */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static const struct sys_desc *row_of(const struct guest_regs *r)
{
	return sys_lookup(r->rax, (const uint64_t[6]){ r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 });
}

/* What else is there for the task? Nothing, or it leaves the machine. */
static bool only_calls(struct task *t)
{
	const struct session_ops *ops = t->proc->sess->ops;

	return !t->pending && !t->dead && ops->serves && ops->serves(t->proc->sess, t);
}

/* At this call? Its event must come before anything that others do: not one that lets them. */
static bool site_may_change(const struct task *t, const struct sys_desc *d)
{
	return !t->proc->sess->ops->injects && (d->block == BLOCK_NEVER || !task_not_alone(t));
}

void serve_answer(struct task *t, int64_t ret)
{
	if (!t->served || !only_calls(t))
		return;
	t->regs->rax = (uint64_t)ret;
	server.answered = true;
	switchless_answer_early(server.page, t->regs);
}

static uint32_t serve(struct task *t)
{
	const struct sys_desc *d = row_of(t->regs);
	struct session *s = t->proc->sess;
	int64_t ret;

	t->at_once = only_calls(t) ? serve_how(t, d) : AT_ONCE_NOT;
	if (t->at_once == AT_ONCE_NOT || (site_may_change(t, d) && text_jump_due(t->regs->rip, false)))
		return ABI_SW_DECLINED;
	t->jumped = text_jump_patched(t->regs->rip);
	t->served = true;
	server.rc = s->ops->syscall(s, t, d, &ret);
	t->served = false;
	if (server.rc < 0)
		return ABI_SW_LEAVE;
	if (ret == SYS_ERESTARTSYS && !s->ops->injects)
		return ABI_SW_DECLINED; /* nothing has happened, and nothing is logged */
	server.served++;
	if (server.answered)
		return ABI_SW_DONE;
	if (ret == SYS_ERESTARTSYS) {
		t->regs->rip -= 2;
		return ABI_SW_LEAVE;
	}
	t->regs->rax = (uint64_t)ret;
	return only_calls(t) ? ABI_SW_DONE : ABI_SW_LEAVE;
}

/* What the guest has taken from the ring has happened. */
static void settle(struct task *t)
{
	struct session *s = t->proc->sess;
	unsigned n = s->ops->taken ? switchless_ring_taken(server.page) : 0;

	if (!n)
		return;
	s->ops->taken(s, n);
	server.place += n;
	server.served += n;
}

/* While the guest waits: the ring holds what comes next, or nothing. */
static void resync(struct task *t)
{
	struct session *s = t->proc->sess;

	if (!s->ops->taken)
		return;
	settle(t);
	if (server.place != s->ops->happened(s))
		switchless_ring_clear(server.page);
	server.place = s->ops->happened(s);
	server.dry = !switchless_ring_room(server.page) && !switchless_ring_left(server.page);
}

/* Up to n more calls into the ring, which may be in use. */
static void put_more(struct task *t, unsigned n)
{
	struct session *s = t->proc->sess;
	struct switchless_call c;

	while (n-- && !server.dry)
		server.dry = !s->ops->ahead(s, t, switchless_ring_left(server.page), &c) ||
			     !switchless_ring_put(server.page, t->regs, &c);
}

/* When there is room for some. True: it was worth a look. */
static bool fill(void)
{
	if (server.dry || switchless_ring_room(server.page) < RING_BATCH || !switchless_hold(server.page))
		return false;
	settle(server.task);
	put_more(server.task, RING_BATCH);
	switchless_release(server.page);
	return true;
}

/* A request: can the guest take it from the ring, if it looks again? Not when it has just done that. */
static bool in_ring(struct task *t)
{
	settle(t);
	if (switchless_ring_room(server.page) && !switchless_ring_left(server.page))
		put_more(t, RING_FEW);
	if (!switchless_ring_left(server.page) || server.looked == server.place)
		return false;
	server.looked = server.place;
	return true;
}

static bool take(void)
{
	struct task *t;
	uint32_t state;

	if (!switchless_take(server.page))
		return false;
	t = server.task;
	switchless_request(server.page, t->regs);
	server.answered = false;
	if (in_ring(t)) {
		state = ABI_SW_AGAIN;
	} else {
		state = serve(t);
		resync(t);
	}
	if (server.answered)
		switchless_release(server.page);
	else
		switchless_answer(server.page, t->regs, state);
	return true;
}

static void sleep_until_woken(void)
{
	__atomic_store_n(&server.awake, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&server.asleep, 1, __ATOMIC_SEQ_CST);
	switchless_doze(server.page);
	take(); /* one that came just now */
	while (__atomic_load_n(&server.asleep, __ATOMIC_SEQ_CST) && !__atomic_load_n(&server.quit, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &server.asleep, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
}

static void *server_main(void *arg)
{
	uint64_t looks = 0, most = server.poll * PATIENCE;

	(void)arg;
	signal_host_server(&server.tid_for);
	notsc_free();
	__atomic_store_n(&server.tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELAXED);
	__atomic_store_n(&server.awake, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&server.quit, __ATOMIC_SEQ_CST)) {
		if (take() || fill()) {
			looks = 0;
			most = process_self.serve == SERVE_ALWAYS ? server.poll * PATIENCE : server.poll;
			continue;
		}
		__builtin_ia32_pause();
		if (++looks < most)
			continue;
		sleep_until_woken();
		looks = 0;
		most = server.poll * PATIENCE;
		__atomic_store_n(&server.awake, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* ---- beginning and ending ---- */

static void wake(void)
{
	if (__atomic_exchange_n(&server.asleep, 0, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &server.asleep, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/*
 * Where others use the processors, the server may come to lie on the task's: then one of the two waits for the other, and the scheduler
 * sees nothing wrong with that, as long as each has its share.
 */
static void keep_apart(bool apart)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	if (!(apart || server.apart) || cpu < 0 || sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	if (apart)
		CPU_CLR((unsigned)cpu, &set);
	server.apart = apart && CPU_COUNT(&set) && sched_setaffinity(serve_tid(), sizeof(set), &set) == 0;
	if (!apart)
		sched_setaffinity(serve_tid(), sizeof(set), &set);
}

static uint64_t measure_poll(void)
{
	uint64_t begin = now_ns(), ns;

	for (unsigned i = 0; i < 200; i++)
		__builtin_ia32_pause();
	ns = now_ns() - begin;
	return 200 * (uint64_t)POLL_NS / (ns ? ns : 1) + 1;
}

/* With every signal blocked that can be, which the new thread inherits. */
static int make_thread(struct task *t)
{
	const uint64_t most = ~(SIGBIT(SIGSEGV) | SIGBIT(SIGBUS));
	pthread_attr_t attr;
	uint64_t mask;
	int rc;

	mallopt(M_ARENA_MAX, 1);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &most, &mask, sizeof(mask));
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	rc = pthread_create(&server.thread, &attr, server_main, NULL);
	pthread_attr_destroy(&attr);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
	/* One of the two others was caught just now: the rest waits until it has been delivered. */
	if (t->pending)
		syscall(SYS_rt_sigprocmask, SIG_SETMASK, &most, NULL, sizeof(most));
	return rc;
}

/* The task's thread, which waits for the server to be done with a call: it might take longer than the program lives. */
static void hurry(void *arg)
{
	(void)arg;
	if (__atomic_load_n(&server.task->interruptible, __ATOMIC_SEQ_CST))
		signal_host_hurry(serve_tid());
}

static bool begin(struct task *t)
{
	struct session *s = t->proc->sess;

	if (!switchless_useful(t->vcpu) || !processors_several() ||
	    switchless_install(t->vcpu, process_self.serve == SERVE_ALWAYS ? LOOKS_ALWAYS_NS : LOOKS_NS, &server.page) < 0)
		return false;
	switchless_late(server.page, hurry, NULL);
	server.quit = server.asleep = server.awake = 0;
	if (!server.poll)
		server.poll = measure_poll();
	server.dry = !s->ops->ahead || switchless_ring_make(t->vcpu) < 0;
	server.looked = ~0ULL;
	resync(t);
	server.made = make_thread(t) == 0;
	/* libc takes these for itself with its first thread. */
	s->ops->set_action(s, t, 32);
	s->ops->set_action(s, t, 33);
	return server.made;
}

static bool ours(const struct task *t)
{
	if (!server.proc)
		server.proc = t->proc;
	return server.proc == t->proc;
}

void serve_end(struct task *t)
{
	if (!server.made || !ours(t))
		return;
	__atomic_store_n(&server.quit, 1, __ATOMIC_SEQ_CST);
	wake();
	pthread_join(server.thread, NULL);
	server.made = server.resting = false;
	__atomic_store_n(&server.tid, 0, __ATOMIC_RELAXED);
	server.calls = 0;
}

void serve_without_vm(struct task *t)
{
	serve_end(t);
	if (ours(t))
		server.page = NULL;
}

void serve_forked(void)
{
	uint64_t poll = server.poll;

	memset(&server, 0, sizeof(server));
	server.poll = poll;
}

pid_t serve_tid(void)
{
	pid_t tid;

	/* It exists before it has come to say what its number is. */
	while (!(tid = __atomic_load_n(&server.tid, __ATOMIC_RELAXED)) && server.made)
		sched_yield();
	return tid;
}

/* ---- around the guest ---- */

/* Nothing that would have to be asked before or after each call, by this thread. */
static bool simple(const struct task *t)
{
	const struct process *p = t->proc;

	return !p->shared && !mm_joined(p->mm) && !p->inject.n && !t->seccomp.mode && !landmark_armed(t) &&
	       !(t->regs->rflags & RFLAGS_TF);
}

/* For tests: what is to be seen then must not depend on what else the machine has to do, or as little as possible. */
static void wait_until_awake(void)
{
	const uint64_t until = now_ns() + AWAKE_NS;

	wake();
	while (!__atomic_load_n(&server.awake, __ATOMIC_SEQ_CST) && now_ns() < until)
		sched_yield();
}

void serve_enter(struct task *t)
{
	bool ready = server.page && server.made && ours(t) && simple(t) && only_calls(t) && switchless_join(t->vcpu) == 0;

	/* Where calls are not served the program's own `syscall` is to be seen: by a debugger, by a search for an execution point. */
	jump_direct(t->proc->vm, !ready);
	if (!server.page)
		return;
	if (ready) { /* before the gate is opened, which the server takes first */
		server.task = t;
		__atomic_store_n(&server.tid_for, t->tid, __ATOMIC_RELAXED);
		resync(t);
	}
	if (ready && process_self.serve == SERVE_ALWAYS)
		wait_until_awake();
	switchless_allow(server.page, ready && !server.resting && __atomic_load_n(&server.awake, __ATOMIC_SEQ_CST));
}

void serve_keep_out(struct task *t)
{
	jump_direct(t->proc->vm, true);
	if (server.page)
		switchless_allow(server.page, false);
}

int serve_leave(struct task *t)
{
	if (!server.made || !ours(t))
		return 0;
	settle(t);
	return server.rc;
}

/* Was it of use since it was woken? If not, the next time takes more. */
static void judge(bool useful)
{
	unsigned more = server.burst * 4 < BURST_MAX ? server.burst * 4 : BURST_MAX;

	server.burst = useful ? BURST_WAKE : more;
	server.served_then = server.served;
	server.missed_then = switchless_missed(server.page);
}

/* Awake, and yet the call is made outside: does the server get no processor? */
static void look_at_misses(void)
{
	uint64_t missed = switchless_missed(server.page) - server.missed_then;

	if (process_self.serve == SERVE_ALWAYS || missed < MISSES)
		return;
	server.resting = missed * FEW > server.served - server.served_then;
	judge(!server.resting);
}

/* A timer on the processor time of the process: a server would make it run out sooner. */
static bool times_processor(const struct guest_regs *r)
{
	switch ((uint32_t)r->rax) {
	case SYS_setitimer:
		return (int)r->rdi != ITIMER_REAL;
	case SYS_timer_create: /* those made from process numbers are negative */
		return (int)r->rdi == CLOCK_PROCESS_CPUTIME_ID || (int)r->rdi < 0;
	}
	return false;
}

/* So many calls so quickly one after the other that having a server would have paid? */
static bool is_burst(void)
{
	uint64_t since = server.since, took;

	if (process_self.serve == SERVE_ALWAYS)
		return true;
	if (server.calls == 0)
		server.since = now_ns();
	if (++server.calls < server.burst)
		return false;
	server.calls = 0;
	took = now_ns() - since;
	server.dense = server.burst >= BURST_BUSY && took < server.burst * (uint64_t)DENSE_CALL_NS;
	return took < server.burst * (uint64_t)BURST_CALL_NS;
}

/*
 * After a burst. Without an idle processor a server takes some of one from somebody. That is less than the exits are of a program which
 * does little else than calls, and it gets on even if server and program run at the same time only now and then.
 */
static void wake_or_begin(struct task *t)
{
	bool taken = process_self.serve != SERVE_ALWAYS && !processors_idle(t->proc->fds ? t->proc->fds->proc_root : -1);

	if (taken && !server.dense) {
		server.burst = server.burst < BURST_BUSY ? BURST_BUSY : server.burst;
		return;
	}
	if (server.made)
		judge(server.served - server.served_then >= WORTH && !server.resting);
	else
		server.burst = begin(t) ? BURST_WAKE : BURST_MAX;
	server.resting = false;
	if (server.made)
		keep_apart(taken);
	wake();
}

static void look_at_site(struct task *t, const struct sys_desc *desc)
{
	if (server.made && only_calls(t) && site_may_change(t, desc) && serve_how(t, desc) != AT_ONCE_NOT &&
	    text_jump_due(t->regs->rip, process_self.serve == SERVE_ALWAYS))
		text_jump_try(t);
}

void serve_outside(struct task *t, const struct sys_desc *desc)
{
	const struct sys_desc *row = sys_row((uint32_t)t->regs->rax);
	const struct session_ops *ops = t->proc->sess->ops;

	if (process_self.serve == SERVE_NEVER || process_self.sandbox.strict || !ops->serves || !ours(t))
		return;
	if (!ops->injects && times_processor(t->regs))
		server.never = true;
	if (!ops->injects && serve_alters(row, desc)) {
		serve_end(t);
		server.never |= t->proc->nthreads > 1; /* threads may differ in it from here on */
	}
	if (!ops->injects && server.never)
		serve_end(t);
	if (server.never || !serve_row_allows(t, desc) || !simple(t))
		return;
	if (!server.burst)
		server.burst = BURST_BEGIN;
	if (server.made && !server.resting && !__atomic_load_n(&server.asleep, __ATOMIC_SEQ_CST)) {
		look_at_misses();
	} else if (is_burst()) {
		wake_or_begin(t);
	}
	look_at_site(t, desc);
}
