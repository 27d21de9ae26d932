/*
 * Each row that can be tried without harm is: with buffers that end at a guard page and are filled with a pattern, what
 * the kernel changed must be what the row says was written, no less, and its last byte must be written, no more.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "guest_double.h"
#include "tests/unit/unit.h"

#define SLOT 0x10000ULL /* guest memory of one argument: its last page is the guard */

enum { FILE_FD = 100, PIPE_FD, SOCKET_FD, EPOLL_FD, TIMER_FD, DIR_FD, DGRAM_FD };

struct buffer {
	uint32_t len;
	const void *in;   /* its content before the call; NULL: the pattern */
	uint32_t in_len;
	uint8_t loose;    /* the kernel may leave the end of it as it is */
};

struct canary {
	const char *name;
	uint64_t arg[6];
	struct buffer buf[6];
	int64_t want;     /* -1: any result that is no error */
};

#define OUTBUF(n) { .len = (n) }
#define LOOSE(n) { .len = (n), .loose = 1 }
#define INBUF(v) { .len = sizeof(v), .in = &(v), .in_len = sizeof(v), .loose = 1 }
#define TEXT(s) { .len = sizeof(s), .in = (s), .in_len = sizeof(s), .loose = 1 }
#define ANY (-1)

static const struct pollfd poll_one = { PIPE_FD, POLLIN, 0 };
static const struct timespec one_ns = { 0, 1 };
static const struct itimerspec no_timer;
static const uint32_t socklen = 110, caps[2] = { 0x20080522, 0 };
static const struct timeval no_wait;
static const uint64_t set_low[2] = { 0, 1ULL << (PIPE_FD - 64) }, sigmask = 0, offset;
static const uint32_t handle_head[2] = { 128, 0 };
static const struct sigevent quiet = { .sigev_notify = SIGEV_NONE };

static const struct canary canaries[] = {
	{ "read", { PIPE_FD, 0, 100 }, { [1] = OUTBUF(100) }, 20 },
	{ "read", { FILE_FD, 0, 7 }, { [1] = OUTBUF(7) }, 7 },
	{ "pread64", { FILE_FD, 0, 64, 4 }, { [1] = OUTBUF(64) }, ANY },
	{ "stat", { 0 }, { [0] = TEXT("/"), [1] = LOOSE(144) }, 0 },
	{ "lstat", { 0 }, { [0] = TEXT("/"), [1] = LOOSE(144) }, 0 },
	{ "fstat", { FILE_FD }, { [1] = OUTBUF(144) }, 0 },
	{ "newfstatat", { (uint64_t)AT_FDCWD }, { [1] = TEXT("/dev"), [2] = OUTBUF(144) }, 0 },
	{ "statx", { (uint64_t)AT_FDCWD, 0, 0, 0xfff }, { [1] = TEXT("/dev"), [4] = OUTBUF(256) }, 0 },
	{ "statfs", { 0 }, { [0] = TEXT("/"), [1] = OUTBUF(120) }, 0 },
	{ "fstatfs", { FILE_FD }, { [1] = OUTBUF(120) }, 0 },
	{ "getcwd", { 0, 4096 }, { [0] = OUTBUF(4096) }, ANY },
	{ "readlink", { 0, 0, 30 }, { [0] = TEXT("/proc/self/exe"), [1] = OUTBUF(30) }, ANY },
	{ "readlinkat", { DIR_FD, 0, 0, 30 }, { [1] = TEXT("/proc/self/exe"), [2] = OUTBUF(30) }, ANY },
	{ "getdents64", { DIR_FD, 0, 1000 }, { [1] = LOOSE(1000) }, ANY },
	{ "getdents", { DIR_FD, 0, 1000 }, { [1] = LOOSE(1000) }, ANY },
	{ "poll", { 0, 1, 0 }, { [0] = INBUF(poll_one) }, 1 },
	{ "ppoll", { 0, 1, 0, 0, 8 }, { [0] = INBUF(poll_one), [2] = INBUF(one_ns), [3] = INBUF(sigmask) }, 1 },
	{ "select", { 128 }, { [1] = { 16, set_low, 0, 1 }, [4] = INBUF(no_wait) }, 1 },
	{ "epoll_wait", { EPOLL_FD, 0, 3, 0 }, { [1] = OUTBUF(36) }, 1 },
	{ "epoll_pwait", { EPOLL_FD, 0, 3, 0, 0, 8 }, { [1] = OUTBUF(36), [4] = INBUF(sigmask) }, 1 },
	{ "epoll_pwait2", { EPOLL_FD, 0, 3, 0, 0, 8 }, { [1] = OUTBUF(36), [3] = INBUF(one_ns) }, 1 },
	{ "getsockname", { SOCKET_FD }, { [1] = LOOSE(110), [2] = INBUF(socklen) }, 0 },
	{ "getpeername", { SOCKET_FD }, { [1] = LOOSE(110), [2] = INBUF(socklen) }, 0 },
	{ "recvfrom", { DGRAM_FD, 0, 50, 0 }, { [1] = OUTBUF(50), [4] = OUTBUF(110), [5] = INBUF(socklen) }, 10 },
	{ "getsockopt", { SOCKET_FD, SOL_SOCKET, SO_TYPE }, { [3] = LOOSE(110), [4] = INBUF(socklen) }, 0 },
	{ "getsockopt", { SOCKET_FD, SOL_SOCKET, SO_LINGER }, { [3] = LOOSE(110), [4] = INBUF(socklen) }, 0 },
	{ "getsockopt", { SOCKET_FD, SOL_SOCKET, SO_PEERCRED }, { [3] = LOOSE(110), [4] = INBUF(socklen) }, 0 },
	{ "sendfile", { 102, FILE_FD, 0, 0 }, { [2] = INBUF(offset) }, 0 },
	{ "clock_gettime", { CLOCK_MONOTONIC }, { [1] = OUTBUF(16) }, 0 },
	{ "clock_getres", { CLOCK_MONOTONIC }, { [1] = OUTBUF(16) }, 0 },
	{ "gettimeofday", { 0 }, { [0] = OUTBUF(16), [1] = OUTBUF(8) }, 0 },
	{ "time", { 0 }, { [0] = OUTBUF(8) }, ANY },
	{ "times", { 0 }, { [0] = OUTBUF(32) }, ANY },
	{ "nanosleep", { 0 }, { [0] = INBUF(one_ns), [1] = LOOSE(16) }, 0 },
	{ "clock_nanosleep", { CLOCK_MONOTONIC, 0 }, { [2] = INBUF(one_ns), [3] = LOOSE(16) }, 0 },
	{ "getitimer", { ITIMER_REAL }, { [1] = OUTBUF(32) }, 0 },
	{ "setitimer", { ITIMER_REAL }, { [1] = INBUF(no_timer), [2] = OUTBUF(32) }, 0 },
	{ "timer_create", { CLOCK_MONOTONIC }, { [1] = INBUF(quiet), [2] = OUTBUF(4) }, 0 },
	{ "timerfd_settime", { TIMER_FD, 0 }, { [2] = INBUF(no_timer), [3] = OUTBUF(32) }, 0 },
	{ "timerfd_gettime", { TIMER_FD }, { [1] = OUTBUF(32) }, 0 },
	{ "adjtimex", { 0 }, { [0] = { 208, (char[208]){ 0 }, 208, 1 } }, ANY },
	{ "uname", { 0 }, { [0] = OUTBUF(390) }, 0 },
	{ "sysinfo", { 0 }, { [0] = LOOSE(112) }, 0 },
	{ "getrandom", { 0, 64, 0 }, { [0] = OUTBUF(64) }, 64 },
	{ "getrusage", { 0 }, { [1] = OUTBUF(144) }, 0 },
	{ "getrlimit", { RLIMIT_NOFILE }, { [1] = OUTBUF(16) }, 0 },
	{ "prlimit64", { 0, RLIMIT_NOFILE, 0 }, { [3] = OUTBUF(16) }, 0 },
	{ "getresuid", { 0 }, { [0] = OUTBUF(4), [1] = OUTBUF(4), [2] = OUTBUF(4) }, 0 },
	{ "getresgid", { 0 }, { [0] = OUTBUF(4), [1] = OUTBUF(4), [2] = OUTBUF(4) }, 0 },
	{ "getgroups", { 64 }, { [1] = OUTBUF(256) }, ANY },
	{ "capget", { 0 }, { [0] = INBUF(caps), [1] = OUTBUF(24) }, 0 },
	{ "getcpu", { 0 }, { [0] = OUTBUF(4), [1] = OUTBUF(4) }, 0 },
	{ "sched_getaffinity", { 0, 1024 }, { [2] = OUTBUF(1024) }, ANY },
	{ "sched_getparam", { 0 }, { [1] = OUTBUF(4) }, 0 },
	{ "sched_getattr", { 0, 0, 48, 0 }, { [1] = OUTBUF(48) }, 0 },
	{ "sched_rr_get_interval", { 0 }, { [1] = OUTBUF(16) }, 0 },
	{ "rt_sigpending", { 0, 8 }, { [0] = OUTBUF(8) }, 0 },
	{ "wait4", { (uint64_t)-1, 0, WNOHANG }, { [1] = OUTBUF(4), [3] = OUTBUF(144) }, ANY },
	{ "waitid", { P_ALL, 0, 0, WEXITED | WNOHANG }, { [2] = OUTBUF(28), [4] = OUTBUF(144) }, ANY },
	{ "pipe", { 0 }, { [0] = OUTBUF(8) }, 0 },
	{ "pipe2", { 0, O_CLOEXEC }, { [0] = OUTBUF(8) }, 0 },
	{ "socketpair", { AF_UNIX, SOCK_STREAM, 0 }, { [3] = OUTBUF(8) }, 0 },
	{ "listxattr", { 0, 0, 100 }, { [0] = TEXT("/"), [1] = LOOSE(100) }, ANY },
	{ "name_to_handle_at", { (uint64_t)AT_FDCWD, 0, 0, 0, 0 },
	  { [1] = TEXT("/"), [2] = { 136, handle_head, 8, 1 }, [3] = OUTBUF(4) }, 0 },
	{ "mincore", { MEM_BASE, 0x3000 }, { [2] = OUTBUF(3) }, 0 },
};

static void move_fd(int from, int to)
{
	ck_assert_int_eq(dup2(from, to), to);
	close(from);
}

static int memory_file(const char *text)
{
	int fd = (int)syscall(SYS_memfd_create, "canary", 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* Fresh for each call: some use up what they read. */
static void make_fds(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 0x1122334455667788 };
	int p[2], s[2];

	move_fd(memory_file("some text in a file of memory"), FILE_FD);
	ck_assert_int_eq(pipe(p), 0);
	ck_assert_int_eq(write(p[1], "twenty bytes, or so.", 20), 20);
	move_fd(p[0], PIPE_FD);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	move_fd(s[0], SOCKET_FD);
	move_fd(epoll_create1(0), EPOLL_FD);
	ck_assert_int_eq(epoll_ctl(EPOLL_FD, EPOLL_CTL_ADD, PIPE_FD, &ev), 0);
	move_fd(timerfd_create(CLOCK_MONOTONIC, 0), TIMER_FD);
	move_fd(open("/", O_RDONLY | O_DIRECTORY), DIR_FD);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, s), 0);
	ck_assert_int_eq(bind(s[1], (void *)&name, 2), 0); /* a name of the kernel's choice */
	ck_assert_int_eq(send(s[1], "ten bytes!", 10, 0), 10);
	move_fd(s[0], DGRAM_FD);
}

struct outcome {
	uint8_t changed[6][SLOT];
	uint8_t claimed[6][SLOT];
};

static uint64_t slot_of(unsigned i)
{
	return MEM_BASE + i * SLOT;
}

static void place(const struct canary *k, uint64_t args[6], uint8_t pattern)
{
	for (unsigned i = 0; i < 6; i++) {
		uint64_t end = slot_of(i) + SLOT - 0x1000;

		args[i] = k->arg[i];
		memset(at(slot_of(i)), pattern, SLOT - 0x1000);
		if (!k->buf[i].len)
			continue;
		args[i] = end - k->buf[i].len;
		if (k->buf[i].in)
			memcpy(at(args[i]), k->buf[i].in, k->buf[i].in_len ? k->buf[i].in_len : k->buf[i].len);
	}
}

static void run_canary(const struct canary *k, uint8_t pattern, struct outcome *o)
{
	static uint8_t before[6][SLOT];
	const struct sys_desc *d = sys_by_name(k->name);
	uint64_t args[6];
	int64_t ret;

	ck_assert_msg(d != NULL, "%s has no row", k->name);
	make_fds();
	place(k, args, pattern);
	for (unsigned i = 0; i < 6; i++)
		memcpy(before[i], at(slot_of(i)), SLOT - 0x1000);
	ret = call_row(d, d->key, args);
	ck_assert_msg(k->want == ANY ? ret >= 0 || ret == -ECHILD : ret == k->want, "%s: result %lld", k->name, (long long)ret);
	written();
	for (unsigned n = 0; n < npieces; n++)
		for (uint64_t a = pieces[n].addr; a < pieces[n].addr + pieces[n].len; a++)
			o->claimed[(a - MEM_BASE) / SLOT][(a - MEM_BASE) % SLOT] = 1;
	for (unsigned i = 0; i < 6; i++)
		for (uint64_t b = 0; b < SLOT - 0x1000; b++)
			o->changed[i][b] |= before[i][b] != ((uint8_t *)at(slot_of(i)))[b];
	for (uint32_t i = 0; i < task.plan.nregions; i++) {
		const struct plan_region *r = &task.plan.region[i];

		ck_assert_msg(r->parent != ~0ULL || r->mem->cap.op != LEN_CONST || r->mem->cap.scale >= 4096 ||
			      r->cap <= k->buf[(r->addr - MEM_BASE) / SLOT].len,
			      "%s: capacity %llu is more than the kernel needs", k->name, (unsigned long long)r->cap);
	}
}

START_TEST(test_canary)
{
	static struct outcome o;
	const struct canary *k = &canaries[_i];

	memset(&o, 0, sizeof(o));
	run_canary(k, 0xa5, &o);
	run_canary(k, 0xff, &o);
	run_canary(k, 0x5a, &o);
	for (unsigned i = 0; i < 6; i++) {
		long last_claim = -1, last_change = -1;

		for (long b = 0; b < (long)(SLOT - 0x1000); b++) {
			if (o.changed[i][b] && !o.claimed[i][b])
				ck_abort_msg("%s: argument %u: byte %ld is written, not claimed", k->name, i,
					     b - (long)(SLOT - 0x1000 - k->buf[i].len));
			if (o.claimed[i][b])
				last_claim = b;
			if (o.changed[i][b])
				last_change = b;
		}
		ck_assert_msg(k->buf[i].loose || last_claim == last_change, "%s: argument %u: claimed up to %ld, written to %ld",
			      k->name, i, last_claim, last_change);
	}
}
END_TEST

static void setup(void)
{
	guest_setup();
	for (unsigned i = 0; i < 6; i++)
		ck_assert_int_eq(mprotect(at(slot_of(i) + SLOT - 0x1000), 0x1000, PROT_NONE), 0);
}

int main(void)
{
	Suite *s = suite_create("canary");
	TCase *c = tcase_create("canary");

	tcase_add_checked_fixture(c, setup, guest_teardown);
	tcase_add_loop_test(c, test_canary, 0, (int)(sizeof(canaries) / sizeof(canaries[0])));
	suite_add_tcase(s, c);
	return unit_run(s);
}
