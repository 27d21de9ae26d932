/* Process groups, sessions, orphans and who inherits them. */
#include <sys/prctl.h>

#include "proctest.h"

static int leads(void)
{
	if (setpgid(0, 0) < 0 || getpgrp() != getpid())
		return 1;
	if (setsid() != -1 || errno != EPERM) /* a leader cannot */
		return 2;
	return 0;
}

static int session(void)
{
	pid_t mine = setsid();

	if (mine != getpid() || getsid(0) != mine || getpgrp() != mine)
		return 1;
	if (open("/dev/tty", O_RDWR) != -1 || errno != ENXIO)
		return 2;
	return setpgid(0, 0) == -1 && errno == EPERM ? 0 : 3;
}

static void from_outside(void)
{
	struct gate g;
	pid_t a, b;

	gate_make(&g);
	a = fork();
	if (a == 0) {
		pause();
		_exit(1);
	}
	CHECK(setpgid(a, a) == 0);
	b = fork();
	if (b == 0) {
		pause();
		_exit(1);
	}
	CHECK(setpgid(b, a) == 0 && getpgid(b) == a);
	SHOW(setpgid(b, 1));
	SHOW(kill(-a, SIGTERM));
	int status;

	CHECK(waitpid(-a, &status, 0) > 0);
	show_status("one of the group", status);
	CHECK(waitpid(-a, &status, 0) > 0);
	show_status("other of the group", status);
	SHOW(waitpid(-a, &status, 0));
	SHOW(kill(-a, 0));
}

/* The grandchild comes to this process, which asked for it. */
static void reaper(void)
{
	struct gate g;
	int on = 0;
	pid_t pid, grandchild = 0;

	gate_make(&g);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	CHECK(prctl(PR_GET_CHILD_SUBREAPER, &on) == 0 && on == 1);
	pid = fork();
	if (pid == 0) {
		grandchild = fork();
		if (grandchild == 0) {
			gate_pass(&g);
			_exit(33);
		}
		CHECK(write(g.fd[1], &grandchild, 0) == 0);
		_exit(32);
	}
	show_end("child", pid);
	gate_open(&g);
	int status;

	grandchild = wait(&status);
	CHECK(grandchild > 0 && grandchild != pid);
	show_status("grandchild", status);
	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
}

static void on_death(int sig)
{
	struct gate born, told;
	char c = 0;
	pid_t pid;

	gate_make(&born);
	gate_make(&told);
	pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			sigset_t set;
			int got = 0, was = -1;

			sigemptyset(&set);
			sigaddset(&set, sig);
			sigprocmask(SIG_BLOCK, &set, NULL);
			CHECK(prctl(PR_GET_PDEATHSIG, &was) == 0 && was == 0);
			CHECK(prctl(PR_SET_PDEATHSIG, sig) == 0);
			CHECK(prctl(PR_GET_PDEATHSIG, &was) == 0 && was == sig);
			gate_open(&born);
			sigwait(&set, &got);
			c = (char)got;
			CHECK(write(told.fd[1], &c, 1) == 1);
			_exit(0);
		}
		gate_pass(&born);
		_exit(0);
	}
	show_end("parent of the one to be told", pid);
	CHECK(read(told.fd[0], &c, 1) == 1);
	printf("told by signal %d\n", c);
}

/* The setting belongs to one process: a child does not have it, a new program keeps it. */
static void death_setting(char **argv)
{
	int was = -1;
	pid_t pid = fork();

	if (pid == 0) {
		CHECK(prctl(PR_SET_PDEATHSIG, SIGUSR2) == 0);
		pid = fork();
		if (pid == 0)
			_exit(prctl(PR_GET_PDEATHSIG, &was) == 0 ? was : 99);
		show_end("death signal in a child", pid);
		execl(argv[0], argv[0], "death-signal", NULL);
		_exit(1);
	}
	show_end("death signal after exec", pid);
	SHOW(prctl(PR_SET_PDEATHSIG, 65));
}

static void orphan(void)
{
	struct gate told;
	char c = 0;
	pid_t pid;

	gate_make(&told);
	pid = fork();
	if (pid == 0) {
		pid_t parent = getpid();

		if (fork() == 0) {
			while (getppid() == parent)
				usleep(1000);
			c = getppid() != parent;
			CHECK(write(told.fd[1], &c, 1) == 1);
			_exit(0);
		}
		_exit(0);
	}
	show_end("parent", pid);
	CHECK(read(told.fd[0], &c, 1) == 1);
	printf("the orphan has another parent: %d\n", c);
}

int main(int argc, char **argv)
{
	int was = -1;

	by_line();
	if (argc > 1 && !strcmp(argv[1], "death-signal"))
		return prctl(PR_GET_PDEATHSIG, &was) == 0 ? was : 99;
	in_child("group leader", leads);
	in_child("session leader", session);
	from_outside();
	reaper();
	on_death(SIGUSR1);
	on_death(SIGRTMIN);
	death_setting(argv);
	orphan();
	return guest_end();
}
