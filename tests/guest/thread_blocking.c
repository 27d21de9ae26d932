/* Calls that wait for another thread, and put what they get into memory that all can see. */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include "threadtest.h"

static char shared[8][4096];
static int fd[2];
static atomic_int seen;
static atomic_long reader_tid;

/* Looks at the buffer all the time while the reader waits: it changes once, as a whole, or not at all. */
static void *watch(void *arg)
{
	volatile char *b = arg;

	while (!b[0])
		if (seen == 2)
			return NULL;
	seen |= 1;
	return NULL;
}

static void *do_read(void *arg)
{
	reader_tid = gettid_raw();
	return (void *)read(fd[0], arg, 4096);
}

static void *do_readv(void *arg)
{
	struct iovec v[3] = { { arg, 10 }, { (char *)arg + 100, 20 }, { (char *)arg + 1000, 3000 } };

	reader_tid = gettid_raw();
	return (void *)readv(fd[0], v, 3);
}

static void *do_recvmsg(void *arg)
{
	struct iovec v[2] = { { arg, 7 }, { (char *)arg + 50, 200 } };
	char control[64];
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n;

	reader_tid = gettid_raw();
	n = recvmsg(fd[0], &m, 0);
	return (void *)(n * 1000 + (long)m.msg_controllen);
}

static void *do_poll(void *arg)
{
	struct pollfd p[2] = { { fd[0], POLLIN, 0 }, { -1, POLLIN, 0 } };
	int n;

	reader_tid = gettid_raw();
	n = poll(p, 2, -1);
	return (void *)(read(fd[0], arg, 4096) * 1000 + n * 100 + p[0].revents);
}

static void *do_select(void *arg)
{
	fd_set set;
	int n;

	FD_ZERO(&set);
	FD_SET(fd[0], &set);
	reader_tid = gettid_raw();
	n = select(fd[0] + 1, &set, NULL, NULL, NULL);
	return (void *)(read(fd[0], arg, 4096) * 1000 + n * 100 + !!FD_ISSET(fd[0], &set));
}

static void *do_epoll(void *arg)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u64 = 9 }, got[4];
	int ep = epoll_create1(0), n;

	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd[0], &e) == 0);
	reader_tid = gettid_raw();
	n = epoll_wait(ep, got, 4, -1);
	close(ep);
	return (void *)(read(fd[0], arg, 4096) * 1000 + n * 100 + (long)got[0].data.u64);
}

static void exchange(const char *what, void *(*fn)(void *), char *buf, bool sockets)
{
	char text[] = "what has been sent from one thread to another, and is seen at once";
	pthread_t w, r;

	CHECK((sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, fd) : pipe(fd)) == 0);
	seen = 0;
	reader_tid = 0;
	w = start(watch, buf);
	r = start(fn, buf);
	AWAIT(reader_tid);
	await_asleep(reader_tid);
	CHECK(buf[0] == 0);
	CHECK(write(fd[1], text, sizeof(text)) == sizeof(text));
	printf("%s: %ld", what, (long)join(r));
	join(w);
	printf(", %08x\n", sum_of(buf, 4096));
	close(fd[0]);
	close(fd[1]);
}

static void *post(void *arg)
{
	uint64_t n = 3;

	nap(10);
	CHECK(write(*(int *)arg, &n, 8) == 8);
	return NULL;
}

static void *raise_it(void *arg)
{
	nap(10);
	kill(getpid(), (int)(uintptr_t)arg);
	return NULL;
}

static void special(void)
{
	int ev = eventfd(0, 0), tm = timerfd_create(CLOCK_MONOTONIC, 0), sf;
	struct itimerspec soon = { .it_value.tv_nsec = 5000000 };
	struct signalfd_siginfo si;
	uint64_t n;
	sigset_t s;
	pthread_t t = start(post, &ev);

	CHECK(read(ev, &n, 8) == 8);
	printf("eventfd: %lu\n", (unsigned long)n);
	join(t);
	CHECK(timerfd_settime(tm, 0, &soon, NULL) == 0);
	CHECK(read(tm, &n, 8) == 8);
	printf("timerfd: %lu\n", (unsigned long)n);
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &s, NULL);
	sf = signalfd(-1, &s, 0);
	t = start(raise_it, (void *)SIGUSR1);
	CHECK(read(sf, &si, sizeof(si)) == sizeof(si));
	printf("signalfd: %u\n", si.ssi_signo);
	join(t);
	close(ev);
	close(tm);
	close(sf);
}

/* A pipeline of threads over pipes, and a full pipe that makes the writer wait. */
static int stage_fd[5][2];

static void *stage(void *arg)
{
	uintptr_t n = (uintptr_t)arg;
	uint32_t v;

	while (read(stage_fd[n][0], &v, 4) == 4) {
		v = v * 3 + 1;
		CHECK(write(stage_fd[n + 1][1], &v, 4) == 4);
	}
	close(stage_fd[n + 1][1]);
	return NULL;
}

static void *feed(void *arg)
{
	static char block[200000];

	(void)arg;
	memset(block, 7, sizeof(block));
	CHECK(write(fd[1], block, sizeof(block)) == sizeof(block));
	close(fd[1]);
	return NULL;
}

static void pipelines(void)
{
	pthread_t t[4];
	uint32_t v, sum = 0, n = 0;
	static char some[3000];
	ssize_t got;
	size_t all = 0;

	for (int i = 0; i < 5; i++)
		CHECK(pipe(stage_fd[i]) == 0);
	for (uintptr_t i = 0; i < 4; i++)
		t[i] = start(stage, (void *)i);
	for (uint32_t i = 0; i < 200; i++)
		CHECK(write(stage_fd[0][1], &i, 4) == 4);
	close(stage_fd[0][1]);
	while (read(stage_fd[4][0], &v, 4) == 4) {
		sum += v;
		n++;
	}
	for (int i = 0; i < 4; i++)
		join(t[i]);
	printf("pipeline: %u values, sum %u\n", n, sum);
	CHECK(pipe(fd) == 0);
	t[0] = start(feed, NULL);
	nap(5);
	while ((got = read(fd[0], some, sizeof(some))) > 0)
		all += (size_t)got;
	join(t[0]);
	printf("full pipe: %zu\n", all);
	close(fd[0]);
}

int main(void)
{
	exchange("read", do_read, shared[0], false);
	exchange("readv", do_readv, shared[1], false);
	exchange("recvmsg", do_recvmsg, shared[2], true);
	exchange("poll", do_poll, shared[3], false);
	exchange("select", do_select, shared[4], true);
	exchange("epoll", do_epoll, shared[5], false);
	special();
	pipelines();
	return guest_end();
}
