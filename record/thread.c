/* Host threads for guest threads. Contract: thread.h. */
#include <errno.h>
#include <linux/futex.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "record/sched.h"
#include "record/thread.h"
#include "syscall-emu/signal_host.h"

#define STACK (512u << 10) /* copies of filters and names are the largest things on it */
#define LOOP_FAILED 70

struct start {
	struct task *task;
	void (*begin)(struct task *made, struct task *before);
	int tid; /* a futex: 0 until the thread runs */
};

/* Not before the thread is in the queue: who comes next must not depend on how fast it gets there. */
static void started(void *arg)
{
	struct start *start = arg;

	__atomic_store_n(&start->tid, start->task->tid, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &start->tid, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *thread_main(void *arg)
{
	struct start *start = arg;
	struct task *t = start->task;
	void (*begin)(struct task *, struct task *) = start->begin;

	t->tid = (pid_t)syscall(SYS_gettid);
	/* Before anybody can send this thread a signal by its number. */
	signal_host_thread(t);
	begin(t, sched_enter_new(t, started, start));
	signal_host_mask(t);
	if (task_loop(t) < 0)
		_exit(LOOP_FAILED);
	return NULL;
}

/* libc takes a signal for itself with its first thread; the guest's threads use the same one. */
static void give_signals_back(struct task *t)
{
	signal_host_action(t, 32);
	signal_host_action(t, 33);
}

int64_t live_thread(struct task *t, struct task *made, void (*begin)(struct task *made, struct task *before))
{
	struct start start = { .task = made, .begin = begin };
	struct signal_host_state saved;
	pthread_attr_t attr;
	pthread_t thread;
	int rc = t->proc->sched ? 0 : sched_begin(t);

	if (rc < 0)
		return rc;
	mallopt(M_ARENA_MAX, 1);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK);
	signal_host_save(&saved);
	rc = pthread_create(&thread, &attr, thread_main, &start);
	pthread_attr_destroy(&attr);
	give_signals_back(t);
	while (!rc && !__atomic_load_n(&start.tid, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &start.tid, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	signal_host_restore(t, &saved);
	return rc ? -EAGAIN : made->tid;
}

/*
 * Host threads on their last steps, in libc, whose locks they may hold: without the baton. The copies of these locks in a
 * forked child would stay held.
 */
#define ENDING_MAX 256
static pid_t ending[ENDING_MAX];
static unsigned nending;

static bool still_ending(const struct process *p, pid_t tid)
{
	return !thread_find(p, tid) && syscall(SYS_tgkill, getpid(), tid, 0) == 0;
}

void live_threads_settle(const struct process *p)
{
	for (; nending; nending--)
		while (still_ending(p, ending[nending - 1]))
			sched_yield();
}

static void note_ending(const struct process *p, pid_t tid)
{
	if (nending == ENDING_MAX)
		live_threads_settle(p);
	ending[nending++] = tid;
}

/* What ends with its first thread is the process, for the kernel; so that one stays, and hears nothing any more. */
static _Noreturn void outlive(struct task *t)
{
	const uint64_t all = ~0ULL;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all));
	sched_exit(t);
	for (;;)
		pause();
}

int live_thread_ended(struct session *s, struct task *t, struct task **next)
{
	struct process *p = t->proc;
	struct task gone = { .proc = p };
	bool first = t->tid == p->pid;

	(void)s;
	*next = NULL;
	signal_host_thread(NULL);
	thread_free(t);
	if (first)
		outlive(&gone);
	note_ending(p, (pid_t)syscall(SYS_gettid));
	sched_exit(&gone);
	return 0;
}

int live_turn(struct session *s, struct task **t)
{
	(void)s, (void)t;
	return 0;
}

void live_futex_wake(struct session *s, uint64_t addr, int n)
{
	(void)s;
	syscall(SYS_futex, addr, FUTEX_WAKE, n, NULL, NULL, 0);
}
