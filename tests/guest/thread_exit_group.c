/* The process ends while its threads are in every state, by every way to end. */
#include <signal.h>
#include <sys/epoll.h>
#include <linux/futex.h>
#include "proctest.h"
#include "threadtest.h"

static volatile unsigned long spins;
static int pipe_fd[2];
static atomic_long tid[5];
static int word;

static void *in_state(void *arg)
{
	uintptr_t n = (uintptr_t)arg;
	char c;

	tid[n] = gettid_raw();
	switch (n) {
	case 0:
		for (;;)
			spins++;
	case 1:
		c = 0;
		if (read(pipe_fd[0], &c, 1) < 0)
			break;
		break;
	case 2:
		syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
		break;
	case 3:
		sleep(1000);
		break;
	case 4:
		for (;;)
			close(epoll_create1(0));
	}
	_exit(99);
}

static void all_states(void)
{
	CHECK(pipe(pipe_fd) == 0);
	for (uintptr_t i = 0; i < 5; i++)
		start(in_state, (void *)i);
	AWAIT(spins > 100 && tid[4]);
	for (int i = 1; i < 4; i++)
		AWAIT(tid[i] && state_of(tid[i]) == 'S');
}

static int by_return(void) { all_states(); exit(3); }
static int by_exit(void) { all_states(); _exit(4); }

static void *exit_from_thread(void *arg)
{
	(void)arg;
	exit(5);
}

static int by_thread(void)
{
	all_states();
	start(exit_from_thread, NULL);
	pause();
	return 0;
}

static int by_thread_leader_computes(void)
{
	all_states();
	start(exit_from_thread, NULL);
	for (;;)
		spins++;
	return 0;
}

static void *abort_in_thread(void *arg)
{
	(void)arg;
	signal(SIGABRT, SIG_DFL);
	abort();
}

static int by_abort(void)
{
	all_states();
	start(abort_in_thread, NULL);
	pause();
	return 0;
}

static void *fault_in_thread(void *arg)
{
	*(volatile int *)arg = 1;
	return NULL;
}

static int by_fault(void)
{
	all_states();
	start(fault_in_thread, (void *)16);
	pause();
	return 0;
}

static int by_signal(void)
{
	all_states();
	kill(getpid(), SIGTERM);
	for (;;)
		spins++;
	return 0;
}

static int by_sigkill(void)
{
	all_states();
	kill(getpid(), SIGKILL);
	for (;;)
		spins++;
	return 0;
}

static int by_thread_signal(void)
{
	all_states();
	syscall(SYS_tgkill, getpid(), (pid_t)tid[0], SIGUSR1);
	pause();
	return 0;
}

static void *last(void *arg)
{
	nap(10);
	return arg;
}

static int by_last_thread(void)
{
	start(last, NULL);
	start(last, NULL);
	pthread_exit(NULL);
}

static int by_last_raw(void)
{
	start(last, NULL);
	syscall(SYS_exit, 6);
	return 0;
}

static int all_at_once(void)
{
	for (int i = 0; i < 8; i++)
		start(exit_from_thread, NULL);
	pause();
	return 0;
}

int main(void)
{
	by_line();
	in_child("return", by_return);
	in_child("_exit", by_exit);
	in_child("by a thread", by_thread);
	in_child("by a thread, the first one computes", by_thread_leader_computes);
	in_child("abort", by_abort);
	in_child("fault", by_fault);
	in_child("signal", by_signal);
	in_child("SIGKILL", by_sigkill);
	in_child("signal to a thread", by_thread_signal);
	in_child("the last thread's end", by_last_thread);
	in_child("the last thread's end, status of the first", by_last_raw);
	in_child("all at once", all_at_once);
	CHECK(pipe(pipe_fd) == 0);
	all_states();
	start(exit_from_thread, NULL);
	pause();
	return 0;
}
