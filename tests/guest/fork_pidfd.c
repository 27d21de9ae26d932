/* Descriptors of processes. */
#include <poll.h>
#include <sys/pidfd.h>

#include "proctest.h"

static volatile int value;

static void on_signal(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)context;
	value = si->si_code * 1000 + si->si_value.sival_int;
}

static void self(void)
{
	struct sigaction act = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	siginfo_t si = { .si_signo = SIGUSR1, .si_code = SI_QUEUE, .si_value.sival_int = 77 };
	int fd = pidfd_open(getpid(), 0);

	CHECK(fd >= 0);
	sigaction(SIGUSR1, &act, NULL);
	SHOW(pidfd_send_signal(fd, SIGUSR1, &si, 0));
	printf("value %d\n", value);
	SHOW(pidfd_send_signal(fd, SIGUSR1, NULL, 0));
	printf("value %d\n", value);
	SHOW(pidfd_send_signal(fd, 0, NULL, 0));
	SHOW(pidfd_send_signal(fd, 99, NULL, 0));
	SHOW(pidfd_send_signal(0, SIGUSR1, NULL, 0));
	SHOW(pidfd_open(-1, 0));
	SHOW(pidfd_open(getpid(), 0x4000000));
	close(fd);
}

static void child(void)
{
	struct pollfd p = { .events = POLLIN };
	siginfo_t si = { 0 };
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(1);
	}
	p.fd = pidfd_open(pid, 0);
	CHECK(p.fd >= 0);
	SHOW(poll(&p, 1, 0));
	SHOW(pidfd_send_signal(p.fd, SIGTERM, NULL, 0));
	SHOW(poll(&p, 1, -1));
	CHECK(waitid(P_PIDFD, (id_t)p.fd, &si, WEXITED) == 0);
	printf("code %d status %d\n", si.si_code, si.si_status);
	SHOW(waitid(P_PIDFD, (id_t)p.fd, &si, WEXITED));
	SHOW(pidfd_send_signal(p.fd, SIGTERM, NULL, 0));
	close(p.fd);
}

/* A descriptor taken out of the child. */
static void taken(void)
{
	struct gate ready, end;
	int fd, number;
	char text[20] = "";
	pid_t pid;

	gate_make(&ready);
	gate_make(&end);
	pid = fork();
	if (pid == 0) {
		int mine[2];

		CHECK(pipe(mine) == 0);
		CHECK(write(mine[1], "from the child", 14) == 14);
		CHECK(write(ready.fd[1], &mine[0], sizeof(int)) == sizeof(int));
		gate_pass(&end);
		_exit(0);
	}
	CHECK(read(ready.fd[0], &number, sizeof(number)) == sizeof(number));
	fd = pidfd_open(pid, 0);
	number = pidfd_getfd(fd, number, 0);
	CHECK(number >= 0);
	CHECK(read(number, text, sizeof(text)) == 14);
	puts(text);
	SHOW(pidfd_getfd(fd, 500, 0));
	gate_open(&end);
	show_end("given", pid);
}

int main(void)
{
	by_line();
	self();
	child();
	taken();
	return guest_end();
}
