/* Job control between processes that share memory: who is stopped keeps nobody else from running. */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "proctest.h"

static volatile int *shared;

static int wait_stopped(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, WUNTRACED) < 0 && errno == EINTR)
		;
	return status;
}

static pid_t worker(int place)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	for (int i = 0; i < 1000; i++)
		shared[place]++;
	_exit(0);
}

static void stops_itself(int sig, int way)
{
	pid_t pid = fork();

	if (pid == 0) {
		shared[0]++;
		if (way == 0)
			raise(sig);
		else if (way == 1)
			kill(getpid(), sig);
		else
			syscall(SYS_tkill, getpid(), sig);
		shared[0]++;
		_exit(3);
	}
	show_status("it", wait_stopped(pid));
	printf("before: %d\n", shared[0]);
	CHECK(wait_for(worker(1)) == 0 && wait_for(worker(2)) == 0);
	CHECK(kill(pid, SIGCONT) == 0);
	show_end("it", pid);
	printf("after: %d %d %d\n", shared[0], shared[1], shared[2]);
}

/* Stopped from outside, wherever it is, with others that go on. */
static void is_stopped(void)
{
	pid_t pid = fork(), others[3];

	if (pid == 0)
		for (;;)
			shared[3]++;
	for (int i = 0; i < 3; i++)
		others[i] = worker(4 + i);
	CHECK(kill(pid, SIGSTOP) == 0);
	show_status("it", wait_stopped(pid));
	for (int i = 0; i < 3; i++)
		CHECK(wait_for(others[i]) == 0);
	printf("others: %d %d %d\n", shared[4], shared[5], shared[6]);
	CHECK(kill(pid, SIGKILL) == 0);
	show_end("it", pid);
}

int main(void)
{
	by_line();
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	stops_itself(SIGSTOP, 0);
	stops_itself(SIGSTOP, 1);
	stops_itself(SIGSTOP, 2);
	is_stopped();
	return 0;
}
