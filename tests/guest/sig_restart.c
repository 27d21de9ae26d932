/* Which interrupted calls start again and which return EINTR, with and without SA_RESTART. */
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "sigtest.h"

static int pipes[2], socks[2];
static volatile int ticks;

/* The first tick interrupts; the second one also lets a restarted call finish. */
static void on_alarm(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)si, (void)context;
	if (++ticks == 2) {
		if (write(pipes[1], "p", 1) != 1 || write(socks[1], "s", 1) != 1)
			_exit(9);
	}
}

static void start(void)
{
	struct itimerval it = { .it_value.tv_usec = 10000, .it_interval.tv_usec = 10000 };

	ticks = 0;
	setitimer(ITIMER_REAL, &it, NULL);
}

static void stop(void)
{
	struct itimerval it = { 0 };
	struct pollfd pfd = { .fd = pipes[0], .events = POLLIN };
	char c[8];

	setitimer(ITIMER_REAL, &it, NULL);
	while (recv(socks[0], c, sizeof(c), MSG_DONTWAIT) > 0)
		;
	while (poll(&pfd, 1, 0) > 0)
		if (read(pipes[0], c, sizeof(c)) <= 0)
			break;
}

#define CALL(name, expr) \
	do { \
		long rc; \
		int e; \
		start(); \
		errno = 0; \
		rc = (expr); \
		e = errno; \
		stop(); \
		printf("  %s: %s\n", name, rc < 0 ? strerror(e) : ticks < 2 ? "returned early" : "finished"); \
	} while (0)

static void calls(void)
{
	struct timespec ts = { .tv_nsec = 200000000 }, left = { .tv_sec = 77 }, abs;
	struct pollfd pfd = { .fd = pipes[0], .events = POLLIN };
	struct epoll_event ev = { .events = EPOLLIN };
	struct timeval tv = { .tv_sec = 5 };
	int ep = epoll_create1(0), word = 0;
	sigset_t none, usr1;
	fd_set fds;
	char c;

	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	epoll_ctl(ep, EPOLL_CTL_ADD, pipes[0], &ev);
	FD_ZERO(&fds);
	FD_SET(pipes[0], &fds);
	CALL("read", read(pipes[0], &c, 1));
	CALL("recv", recv(socks[0], &c, 1, 0));
	CALL("nanosleep", nanosleep(&ts, &left));
	printf("  remainder sensible %d\n", left.tv_sec == 0 && left.tv_nsec > 0 && left.tv_nsec < 200000000);
	clock_gettime(CLOCK_MONOTONIC, &abs);
	abs.tv_sec += 5;
	CALL("absolute sleep", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &abs, NULL) ? (errno = EINTR, -1) : 0);
	CALL("poll", poll(&pfd, 1, 5000));
	CALL("ppoll", ppoll(&pfd, 1, &(struct timespec){ .tv_sec = 5 }, &none));
	CALL("select", select(pipes[0] + 1, &fds, NULL, NULL, &tv));
	FD_SET(pipes[0], &fds);
	CALL("pselect", pselect(pipes[0] + 1, &fds, NULL, NULL, &(struct timespec){ .tv_sec = 5 }, &none));
	CALL("epoll_wait", epoll_wait(ep, &ev, 1, 5000));
	CALL("pause", pause());
	CALL("sigsuspend", sigsuspend(&none));
	CALL("sigtimedwait", sigtimedwait(&usr1, NULL, &(struct timespec){ .tv_sec = 5 }));
	CALL("futex", syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &(struct timespec){ .tv_sec = 5 }, NULL, 0));
	CALL("usleep", usleep(5000000));
	close(ep);
}

int main(void)
{
	if (pipe(pipes) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, socks) < 0)
		return 1;
	printf("interrupting\n");
	on_signal(SIGALRM, on_alarm, 0);
	calls();
	printf("restarting\n");
	on_signal(SIGALRM, on_alarm, SA_RESTART);
	calls();
	return 0;
}
