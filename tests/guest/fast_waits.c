/*
 * Calls that may wait, some of which do: pipes, sockets, eventfds and what waits for them, in one process, between processes and
 * between threads, blocking and not; the signals that writing can bring; and others that come while such calls are made.
 */
#include "threadtest.h"

#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define ROUNDS 150

static volatile sig_atomic_t heard[65];

static void on_signal(int sig)
{
	heard[sig]++;
}

static void catch(int sig, int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	CHECK(sigaction(sig, &sa, NULL) == 0);
	heard[sig] = 0;
}

/* What goes in comes out again, as much as there is. */
static void one_pipe(void)
{
	char in[64], out[64];
	int p[2], n;

	CHECK(pipe(p) == 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct iovec v[2] = { { in, 5 }, { in + 5, i % 20 } };

		memset(in, (int)i, sizeof(in));
		CHECK(write(p[1], in, i % 60) == (ssize_t)(i % 60));
		CHECK(writev(p[1], v, 2) == 5 + (ssize_t)(i % 20));
		CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == (int)(i % 60 + 5 + i % 20));
		CHECK(read(p[0], out, sizeof(out)) == (n < 64 ? n : 64) && !memcmp(in, out, n < 64 ? (size_t)n : 64));
		if (n > 64)
			CHECK(readv(p[0], v, 2) == n - 64);
		CHECK(read(p[0], out, 0) == 0);
	}
	CHECK(fcntl(p[0], F_SETFL, O_NONBLOCK) == 0);
	CHECK(read(p[0], out, 8) < 0 && errno == EAGAIN);
	CHECK(read(p[1], out, 8) < 0 && errno == EBADF);
	CHECK(syscall(SYS_write, p[1], 8, 8) < 0 && errno == EFAULT);
	close(p[1]);
	for (unsigned i = 0; i < ROUNDS; i++)
		CHECK(read(p[0], out, 8) == 0);
	close(p[0]);
}

/* The child answers, so each waits for the other, again and again. */
static void echo(int in, int out, unsigned rounds)
{
	char buf[8192];

	for (unsigned i = 0; i < rounds; i++) {
		size_t n = 1 + i * 37 % 8000, got = 0;

		while (got < n) {
			ssize_t k = read(in, buf + got, n - got);

			if (k <= 0)
				_exit(9);
			got += (size_t)k;
		}
		if (write(out, buf, n) != (ssize_t)n)
			_exit(8);
	}
}

static void ask(int in, int out, unsigned rounds)
{
	char said[8192], heard_back[8192];

	for (unsigned i = 0; i < rounds; i++) {
		size_t n = 1 + i * 37 % 8000, got = 0;

		memset(said, (int)i, n);
		CHECK(write(out, said, n) == (ssize_t)n);
		while (got < n) {
			ssize_t k = read(in, heard_back + got, n - got);

			CHECK(k > 0);
			got += k > 0 ? (size_t)k : n;
		}
		CHECK(!memcmp(said, heard_back, n));
	}
}

static pid_t start_echo(int in, int out)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		echo(in, out, ROUNDS);
		_exit(0);
	}
	return pid;
}

static void between_processes(int type)
{
	int to[2], from[2], status;
	pid_t pid;

	if (type) {
		CHECK(socketpair(AF_UNIX, type, 0, to) == 0);
		from[0] = dup(to[1]);
		from[1] = dup(to[0]);
	} else {
		CHECK(pipe(to) == 0 && pipe(from) == 0);
	}
	pid = start_echo(to[0], from[1]);
	ask(from[0], to[1], ROUNDS);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	close(to[0]), close(to[1]), close(from[0]), close(from[1]);
}

/* More than there is room for: every byte goes in, although it takes many turns. */
static void large(int type)
{
	static char block[300000];
	int p[2], status;
	size_t sum = 0;
	ssize_t n;
	pid_t pid;

	CHECK(type ? socketpair(AF_UNIX, type, 0, p) == 0 : pipe(p) == 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		for (unsigned i = 0; i < 10; i++)
			if (write(p[1], block, sizeof(block)) != sizeof(block))
				_exit(7);
		_exit(0);
	}
	close(p[1]);
	while ((n = read(p[0], block, 5000)) > 0)
		sum += (size_t)n;
	CHECK(sum == 10 * sizeof(block));
	close(p[0]);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* A reader that is gone: the signal is the writer's own, and comes before its next instruction. */
static void broken(void)
{
	int p[2], s[2];
	char c = 0;

	catch(SIGPIPE, 0);
	CHECK(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	for (unsigned i = 0; i < ROUNDS; i++)
		CHECK(write(p[1], &c, 1) == 1 && read(p[0], &c, 1) == 1 && write(s[0], &c, 1) == 1 && read(s[1], &c, 1) == 1);
	close(p[0]);
	close(s[1]);
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(write(p[1], &c, 1) < 0 && errno == EPIPE && heard[SIGPIPE] == 3 * i + 1);
		CHECK(write(s[0], &c, 1) < 0 && errno == EPIPE && heard[SIGPIPE] == 3 * i + 2);
		CHECK(send(s[0], &c, 1, 0) < 0 && errno == EPIPE && heard[SIGPIPE] == 3 * i + 3);
		CHECK(send(s[0], &c, 1, MSG_NOSIGNAL) < 0 && errno == EPIPE && heard[SIGPIPE] == 3 * i + 3);
	}
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < ROUNDS; i++)
		CHECK(write(p[1], &c, 1) < 0 && errno == EPIPE);
	close(p[1]);
	close(s[0]);
}

/* One that was sent to the process and is blocked stays where it is. */
static void blocked_pipe_signal(void)
{
	const struct timespec now = { 0, 0 };
	sigset_t set;
	int s[2];

	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	catch(SIGPIPE, 0);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && kill(getpid(), SIGPIPE) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	close(s[1]);
	for (unsigned i = 0; i < 30; i++)
		CHECK(send(s[0], "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE);
	CHECK(sigtimedwait(&set, NULL, &now) == SIGPIPE);
	CHECK(sigtimedwait(&set, NULL, &now) < 0 && errno == EAGAIN);
	CHECK(write(s[0], "x", 1) < 0 && errno == EPIPE);
	CHECK(sigtimedwait(&set, NULL, &now) == SIGPIPE);
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0 && heard[SIGPIPE] == 0);
	close(s[0]);
}

/* Waiting for less than a whole message, for all of it, for a time. */
static void socket_options(void)
{
	struct timeval t = { .tv_usec = 20000 };
	int s[2], low = 4;
	char buf[16];
	pid_t pid;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0);
	for (unsigned i = 0; i < 20; i++) {
		CHECK(send(s[0], "abcd", 4, 0) == 4);
		CHECK(recv(s[1], buf, 4, MSG_PEEK) == 4 && recv(s[1], buf, 16, 0) == 4 && !memcmp(buf, "abcd", 4));
		CHECK(recv(s[1], buf, 4, MSG_DONTWAIT) < 0 && errno == EAGAIN);
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		for (unsigned i = 0; i < 16; i++)
			if (send(s[0], "e", 1, 0) != 1)
				_exit(5);
		_exit(0);
	}
	CHECK(recv(s[1], buf, 8, MSG_WAITALL) == 8);
	CHECK(setsockopt(s[1], SOL_SOCKET, SO_RCVLOWAT, &low, sizeof(low)) == 0);
	CHECK(recv(s[1], buf, 4, 0) == 4 && read(s[1], buf, 4) == 4);
	CHECK(waitpid(pid, NULL, 0) == pid);
	CHECK(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)) == 0);
	CHECK(recv(s[1], buf, 4, 0) < 0 && errno == EAGAIN);
	close(s[0]), close(s[1]);
}

static void events(void)
{
	int e = eventfd(0, 0), sem = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
	uint64_t v;

	for (uint64_t i = 1; i < ROUNDS; i++) {
		CHECK(write(e, &i, 8) == 8 && write(e, &i, 8) == 8);
		CHECK(read(e, &v, 8) == 8 && v == 2 * i);
		CHECK(read(e, &v, 7) < 0 && errno == EINVAL);
	}
	for (unsigned i = 0; i < 3; i++)
		CHECK(read(sem, &v, 8) == 8 && v == 1);
	CHECK(read(sem, &v, 8) < 0 && errno == EAGAIN);
	close(e), close(sem);
}

/* All of the family, with nothing ready and with something, for no time and for some. */
static void waiting(void)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 77 }, got[4];
	int p[2], ep = epoll_create1(0);
	char c;

	CHECK(pipe(p) == 0 && epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev) == 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct pollfd f[2] = { { .fd = p[0], .events = POLLIN, .revents = 99 }, { .fd = p[1], .events = 0, .revents = 98 } };
		struct timespec ms = { 0, 1000000 }, none = { 0, 0 };
		struct timeval one = { 0, 1000 }, zero = { 0, 0 };
		fd_set set;

		CHECK(epoll_wait(ep, got, 4, 0) == 0 && poll(f, 2, 0) == 0 && f[0].revents == 0 && f[1].revents == 0);
		FD_ZERO(&set);
		FD_SET(p[0], &set);
		CHECK(select(p[0] + 1, &set, NULL, NULL, &zero) == 0 && !FD_ISSET(p[0], &set));
		if (i % 16 == 0) {
			f[0].revents = 99;
			FD_SET(p[0], &set);
			CHECK(epoll_wait(ep, got, 4, 1) == 0 && poll(f, 2, 1) == 0 && f[0].revents == 0);
			CHECK(ppoll(f, 2, &ms, NULL) == 0 && select(p[0] + 1, &set, NULL, NULL, &one) == 0 && !FD_ISSET(p[0], &set));
		}
		CHECK(write(p[1], "x", 1) == 1);
		FD_ZERO(&set);
		FD_SET(p[0], &set);
		CHECK(epoll_wait(ep, got, 4, -1) == 1 && got[0].data.u64 == 77);
		CHECK(poll(f, 2, -1) == 1 && f[0].revents == POLLIN && f[1].revents == 0);
		CHECK(ppoll(f, 2, NULL, NULL) == 1 && ppoll(f, 2, &none, NULL) == 1);
		CHECK(select(p[0] + 1, &set, NULL, NULL, NULL) == 1 && FD_ISSET(p[0], &set));
		CHECK(pselect(p[0] + 1, &set, NULL, NULL, NULL, NULL) == 1);
		CHECK(poll(f, 2, -1) == 1 && read(p[0], &c, 1) == 1);
		CHECK(syscall(SYS_poll, 8, 1, 1) < 0 && errno == EFAULT);
		none.tv_nsec = 2000000000;
		CHECK(syscall(SYS_ppoll, f, 2, &none, NULL, 0) < 0 && errno == EINVAL);
	}
	close(p[0]), close(p[1]), close(ep);
}

/* A mask for the time of a call is the thread's own. */
static void masked(void)
{
	sigset_t block, old;
	struct pollfd f = { .fd = -1 };
	struct timespec forever = { 1000, 0 };

	catch(SIGUSR1, 0);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &block, &old) == 0);
	for (int i = 0; i < 20; i++) {
		CHECK(raise(SIGUSR1) == 0 && heard[SIGUSR1] == i);
		CHECK(ppoll(&f, 1, &forever, &old) < 0 && errno == EINTR && heard[SIGUSR1] == i + 1);
	}
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
}

/* What was sent to the thread is not for others to read. */
static void own_signals(void)
{
	struct signalfd_siginfo si;
	sigset_t set, old;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	for (unsigned i = 0; i < 30; i++) {
		CHECK(read(fd, &si, sizeof(si)) < 0 && errno == EAGAIN);
		CHECK(raise(SIGUSR2) == 0 && read(fd, &si, sizeof(si)) == sizeof(si) && si.ssi_signo == SIGUSR2);
	}
	close(fd);
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
}

/* Opening waits for the other end. */
static void named_pipe(void)
{
	int status, fd;
	char buf[8];
	pid_t pid;

	CHECK(mkfifo("fifo", 0600) == 0);
	for (unsigned i = 0; i < 10; i++) {
		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			fd = open("fifo", O_WRONLY);
			_exit(write(fd, "hello", 5) != 5);
		}
		fd = open("fifo", O_RDONLY);
		CHECK(fd >= 0 && read(fd, buf, 8) == 5 && read(fd, buf, 8) == 0);
		close(fd);
		CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	}
	CHECK(open("fifo", O_WRONLY | O_NONBLOCK) < 0 && errno == ENXIO);
	unlink("fifo");
}

/* Locks of files, taken and waited for. */
static void locks(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10 };
	int fd = open("locked", O_CREAT | O_RDWR, 0600), status, ready[2];
	char c;
	pid_t pid;

	CHECK(pipe(ready) == 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		l.l_type = i % 2 ? F_UNLCK : F_WRLCK;
		CHECK(fcntl(fd, F_SETLK, &l) == 0);
	}
	l.l_type = F_WRLCK;
	CHECK(fcntl(fd, F_SETLK, &l) == 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		CHECK(fcntl(fd, F_SETLK, &l) < 0 && (errno == EAGAIN || errno == EACCES));
		CHECK(fcntl(fd, F_GETLK, &l) == 0 && l.l_pid == getppid());
		l.l_type = F_WRLCK;
		CHECK(write(ready[1], "x", 1) == 1 && fcntl(fd, F_SETLKW, &l) == 0);
		_exit(guest_failed);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	l.l_type = F_UNLCK;
	CHECK(fcntl(fd, F_SETLK, &l) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	close(fd), close(ready[0]), close(ready[1]);
}

/* A timer's signals fall into all kinds of calls, and no byte is lost. */
static void interrupted(void)
{
	struct itimerval often = { { 0, 20000 }, { 0, 20000 } }, never = { { 0, 0 }, { 0, 0 } };
	int to[2], from[2], status;
	pid_t pid;

	catch(SIGALRM, SA_RESTART);
	CHECK(pipe(to) == 0 && pipe(from) == 0);
	pid = start_echo(to[0], from[1]);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (unsigned i = 0; i < 20; i++)
		one_pipe();
	ask(from[0], to[1], ROUNDS);
	while (heard[SIGALRM] < 3)
		one_pipe();
	CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	close(to[0]), close(to[1]), close(from[0]), close(from[1]);
}

struct ends { int in, out; };

static void *answer(void *arg)
{
	struct ends *e = arg;

	echo(e->in, e->out, ROUNDS);
	return NULL;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned turn;

static void *take_turns(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	int null = open("/dev/null", O_WRONLY);

	for (unsigned i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		while (turn % 3 != me)
			pthread_cond_wait(&changed, &mutex);
		turn++;
		CHECK(write(null, "x", 1) == 1);
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&mutex);
		CHECK(lseek(null, 0, SEEK_SET) == 0 && getppid() > 0);
	}
	close(null);
	return NULL;
}

static void threads(void)
{
	pthread_t t[3];
	int to[2], from[2];
	struct ends e;

	CHECK(pipe(to) == 0 && pipe(from) == 0);
	e = (struct ends){ to[0], from[1] };
	t[0] = start(answer, &e);
	ask(from[0], to[1], ROUNDS);
	join(t[0]);
	for (unsigned i = 0; i < 3; i++)
		t[i] = start(take_turns, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < 3; i++)
		join(t[i]);
	CHECK(turn == 3 * ROUNDS);
	one_pipe();
	between_processes(0);
	close(to[0]), close(to[1]), close(from[0]), close(from[1]);
}

int main(void)
{
	one_pipe();
	between_processes(0);
	between_processes(SOCK_STREAM);
	large(0);
	large(SOCK_STREAM);
	broken();
	blocked_pipe_signal();
	socket_options();
	events();
	waiting();
	masked();
	own_signals();
	named_pipe();
	locks();
	interrupted();
	threads();
	return guest_end();
}
