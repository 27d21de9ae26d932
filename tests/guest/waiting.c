/* epoll, poll and select on descriptors of this process. */
#include "guest.h"
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>

static void with_epoll(int *p)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 0x1122334455667788 }, got[4];
	struct timespec soon = { 0, 1000000 };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	CHECK(ep >= 0);
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
	SHOW(epoll_wait(ep, got, 4, 0));
	SHOW(write(p[1], "x", 1));
	SHOW(epoll_wait(ep, got, 4, 1000));
	printf("events %#x data %#llx\n", got[0].events, (unsigned long long)got[0].data.u64);
	e.events = EPOLLIN | EPOLLET | EPOLLONESHOT;
	SHOW(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e));
	SHOW(epoll_pwait(ep, got, 4, -1, NULL));
	SHOW(epoll_wait(ep, got, 4, 0));
	e.events = EPOLLOUT;
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, p[1], &e));
	SHOW(syscall(SYS_epoll_pwait2, ep, got, 4, &soon, NULL, 8));
	SHOW(epoll_ctl(ep, EPOLL_CTL_DEL, p[1], NULL));
	SHOW(epoll_wait(ep, got, 4, 2));
	SHOW(epoll_wait(ep, got, 0, 2));
	SHOW(syscall(SYS_epoll_wait, ep, got, -1, 2));
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e));
	SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &e));
	SHOW(close(ep));
}

static void with_poll(int *p)
{
	struct pollfd fds[4] = { { .fd = p[0], .events = POLLIN }, { .fd = p[1], .events = POLLOUT },
				 { .fd = -5, .events = POLLIN }, { .fd = 999, .events = POLLIN } };
	struct timespec soon = { 0, 2000000 };
	sigset_t mask;

	SHOW(poll(fds, 4, 1000));
	for (int i = 0; i < 4; i++)
		printf("revents %#x\n", fds[i].revents);
	SHOW(poll(NULL, 0, 1));
	sigfillset(&mask);
	SHOW(ppoll(fds, 1, &soon, &mask));
	SHOW(syscall(SYS_poll, 8, 2, 0));
	SHOW(syscall(SYS_poll, fds, 1 << 30, 0));
}

static void with_select(int *p)
{
	struct timeval tv = { 0, 2000 }, zero = { 0, 0 };
	struct timespec ts = { 0, 2000000 };
	fd_set r, w;
	sigset_t mask;
	char c;

	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	SHOW(select(p[1] + 1, &r, &w, NULL, &tv));
	printf("read %d write %d\n", FD_ISSET(p[0], &r), FD_ISSET(p[1], &w));
	SHOW(read(p[0], &c, 1));
	SHOW(select(p[1] + 1, &r, NULL, NULL, &zero));
	printf("read %d\n", FD_ISSET(p[0], &r));
	tv = (struct timeval){ 0, 2000 };
	SHOW(select(0, NULL, NULL, NULL, &tv));
	printf("left %ld.%06ld\n", (long)tv.tv_sec, (long)tv.tv_usec);
	sigemptyset(&mask);
	FD_SET(p[0], &r);
	SHOW(pselect(p[0] + 1, &r, NULL, NULL, &ts, &mask));
	FD_ZERO(&r);
	FD_SET(60, &r);
	SHOW(select(61, &r, NULL, NULL, &zero));
}

int main(void)
{
	int p[2];

	SHOW(pipe2(p, O_NONBLOCK));
	with_epoll(p);
	with_poll(p);
	with_select(p);
	return guest_end();
}
