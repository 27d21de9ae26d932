/* eventfd, timerfd, signalfd, inotify. */
#include "guest.h"
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static void with_eventfd(void)
{
	uint64_t v = 7;
	int fd = eventfd(5, EFD_NONBLOCK | EFD_CLOEXEC), sem = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);

	SHOW(write(fd, &v, 8));
	SHOW(read(fd, &v, 8));
	printf("value %llu\n", (unsigned long long)v);
	SHOW(read(fd, &v, 8));
	SHOW(read(fd, &v, 4));
	SHOW(read(sem, &v, 8));
	printf("value %llu\n", (unsigned long long)v);
	v = UINT64_MAX;
	SHOW(write(fd, &v, 8));
	SHOW(eventfd(0, 0x55));
}

static void with_timerfd(void)
{
	struct itimerspec t = { .it_value = { 0, 3000000 } }, left;
	struct itimerspec slow = { .it_value = { 500, 0 }, .it_interval = { 7, 8 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t n = 0;

	SHOW(timerfd_settime(fd, 0, &t, NULL));
	SHOW(read(fd, &n, 8));
	printf("expired %llu\n", (unsigned long long)n);
	SHOW(timerfd_gettime(fd, &left));
	printf("left %ld.%ld\n", left.it_value.tv_sec, left.it_value.tv_nsec);
	SHOW(timerfd_settime(fd, 0, &slow, &left));
	SHOW(timerfd_gettime(fd, &left));
	CHECK(left.it_value.tv_sec > 480 && left.it_value.tv_sec <= 500);
	printf("interval %ld.%ld\n", left.it_interval.tv_sec, left.it_interval.tv_nsec);
	SHOW(timerfd_create(77, 0));
}

static void with_signalfd(void)
{
	struct signalfd_siginfo info;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 1);
	SHOW(sigprocmask(SIG_BLOCK, &set, NULL));
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	CHECK(fd >= 0);
	SHOW(read(fd, &info, sizeof(info)));
	SHOW(kill(getpid(), SIGUSR1));
	SHOW(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 4711 }));
	SHOW(read(fd, &info, sizeof(info)));
	printf("signal %u code %d\n", info.ssi_signo, info.ssi_code);
	CHECK(info.ssi_pid == (uint32_t)getpid() && info.ssi_uid == getuid());
	SHOW(read(fd, &info, sizeof(info)));
	printf("signal %u code %d value %d\n", info.ssi_signo, info.ssi_code, info.ssi_int);
	SHOW(read(fd, &info, 3));
	SHOW(close(fd));
}

static void with_inotify(void)
{
	char b[4096] __attribute__((aligned(8)));
	const struct inotify_event *e;
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), wd;
	ssize_t n, at;

	SHOW(wd = inotify_add_watch(fd, "dir", IN_CREATE | IN_DELETE | IN_MOVE));
	SHOW(read(fd, b, sizeof(b)));
	SHOW(close(creat("dir/new", 0600)));
	SHOW(rename("dir/new", "dir/newer"));
	SHOW(unlink("dir/newer"));
	SHOW(n = read(fd, b, sizeof(b)));
	for (at = 0; at < n; at += sizeof(*e) + e->len) {
		e = (const struct inotify_event *)(b + at);
		printf("wd %d mask %#x name %s paired %d\n", e->wd, e->mask, e->name, e->cookie != 0);
	}
	SHOW(inotify_rm_watch(fd, wd));
	SHOW(inotify_add_watch(fd, "none", IN_CREATE));
	SHOW(inotify_rm_watch(0, 1));
}

int main(void)
{
	with_eventfd();
	with_timerfd();
	with_signalfd();
	with_inotify();
	return guest_end();
}
