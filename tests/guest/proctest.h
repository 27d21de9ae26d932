/* What the guest programs about processes share. Nothing that varies may be printed: process numbers, times. */
#ifndef TESTS_PROCTEST_H
#define TESTS_PROCTEST_H

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "guest.h"

/* Lines go out at once: a fork would duplicate what stdio holds back, and an exec would lose it. */
static inline void by_line(void)
{
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
}

static inline void show_status(const char *what, int status)
{
	if (WIFEXITED(status))
		printf("%s: exit %d\n", what, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		printf("%s: signal %d%s\n", what, WTERMSIG(status), WCOREDUMP(status) ? ", core" : "");
	else if (WIFSTOPPED(status))
		printf("%s: stopped by %d\n", what, WSTOPSIG(status));
	else
		printf("%s: %s\n", what, WIFCONTINUED(status) ? "continued" : "?");
}

static inline int wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	return status;
}

static inline void show_end(const char *what, pid_t pid)
{
	show_status(what, wait_for(pid));
}

/* Runs fn in a child and shows how that ended. */
static inline void in_child(const char *what, int (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	show_end(what, pid);
}

/* One process waits until another has come so far. */
struct gate { int fd[2]; };

static inline void gate_make(struct gate *g)
{
	CHECK(pipe2(g->fd, O_CLOEXEC) == 0);
}

static inline void gate_open(struct gate *g)
{
	CHECK(write(g->fd[1], "x", 1) == 1);
}

static inline void gate_pass(struct gate *g)
{
	char c;
	ssize_t n;

	while ((n = read(g->fd[0], &c, 1)) < 0 && errno == EINTR)
		;
	CHECK(n == 1);
}

#endif
