/* Our descriptors out of the guest's reach, output recognised, /proc/self/exe exchanged. Each test is its own process. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "syscall-emu/fdtable.h"
#include "tests/unit/unit.h"
#include "trace/event.h"

#define GUEST ((char *)0x20000000)
#define PROGRAM "/bin/sh"

static struct process proc = { .exe = PROGRAM };
static struct task task = { .proc = &proc };

/* A task without an address space: two pages of guest memory and a plan that is filled by hand. */
static void start(void)
{
	ck_assert_ptr_eq(mmap(GUEST, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
			 GUEST);
	ck_assert_int_eq(plan_init(&task.plan), 0);
	ck_assert_int_eq(fdtable_create(&proc.fds), 0);
}

static struct plan *args(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct plan *p = &task.plan;
	const uint64_t v[6] = { a, b, c, d };

	p->nr = nr;
	memcpy(p->arg, v, sizeof(v));
	memcpy(p->host_arg, v, sizeof(v));
	p->nregions = p->nextra = p->arena_used = 0;
	p->ev_flags = 0;
	return p;
}

static uint64_t guest_path(const char *s)
{
	strcpy(GUEST, s);
	return (uint64_t)(uintptr_t)GUEST;
}

START_TEST(test_hide)
{
	struct rlimit before, after;
	int fd = open("/dev/zero", O_RDONLY), hidden;
	char c = 'x';

	getrlimit(RLIMIT_NOFILE, &before);
	ck_assert_int_eq(fd_hide_init(), 0);
	hidden = fd_hide(fd);
	ck_assert_int_ge(hidden, 0);
	getrlimit(RLIMIT_NOFILE, &after);
	ck_assert(before.rlim_cur == after.rlim_cur && before.rlim_max == after.rlim_max);
	ck_assert(fd_is_ours(hidden));
	ck_assert(!fd_is_ours(fd) && !fd_is_ours(-1) && !fd_is_ours(0));
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
	ck_assert_int_eq(fcntl(hidden, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(read(hidden, &c, 1), 1);
	ck_assert_int_eq(c, 0);
	ck_assert_int_eq(fd_hide(hidden), hidden);
	fd_hidden_close(hidden);
	ck_assert(fd_is_ours(hidden));
	ck_assert_int_lt(read(hidden, &c, 0), 0);
	ck_assert_int_eq(fd_hide(-1), -EBADF);
}
END_TEST

/* A guest that raises its limit finds none of the range's numbers free. */
START_TEST(test_no_gap)
{
	struct rlimit lim = { 300, 5000 };
	int hidden, fd;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	ck_assert_int_eq(fd_hide_init(), 0);
	ck_assert_ptr_null(fd_hide_note());
	hidden = fd_hide(open("/dev/zero", O_RDONLY));
	ck_assert_int_eq(hidden, 300);
	lim.rlim_cur = 5000;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	fd = fcntl(1, F_DUPFD, 300);
	ck_assert_int_eq(fd, 300 + FD_OURS);
	for (int i = 300; i < 300 + FD_OURS; i++)
		ck_assert(fd_is_ours(i));
}
END_TEST

/* No privilege to pass the hard limit: numbers below it. */
START_TEST(test_below)
{
	struct rlimit lim = { 200, 200 };
	int hidden;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	if (getuid() == 0)
		ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
	ck_assert_int_eq(fd_hide_init(), 0);
	ck_assert_ptr_nonnull(fd_hide_note());
	hidden = fd_hide(open("/dev/zero", O_RDONLY));
	ck_assert_int_eq(hidden, 200 - FD_OURS);
	ck_assert(fd_is_ours(199) && !fd_is_ours(200) && !fd_is_ours(135));
}
END_TEST

/* The privilege is gone when another descriptor has to be hidden. */
START_TEST(test_later)
{
	struct rlimit lim = { 200, 200 };
	int hidden;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	ck_assert_int_eq(fd_hide_init(), 0);
	if (getuid() == 0) {
		ck_assert_int_eq(fd_is_ours(200), fd_hide_note() == NULL);
		ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
		hidden = fd_hide(open("/dev/zero", O_RDONLY));
		ck_assert_int_ge(hidden, 0);
		ck_assert_int_lt(hidden, 200);
		ck_assert(fd_is_ours(hidden));
	}
	/* More of them than one range holds. */
	for (int i = 0; i < 2 * FD_OURS - 2; i++) {
		hidden = fd_hide(open("/dev/zero", O_RDONLY));
		if (hidden < 0) {
			ck_assert_int_eq(hidden, -EMFILE);
			ck_assert_int_gt(i, FD_OURS - 10);
			break;
		}
		ck_assert(fd_is_ours(hidden));
	}
}
END_TEST

START_TEST(test_calls_on_ours)
{
	int hidden, fd = -1;

	start();
	hidden = fd_hide(open("/dev/zero", O_RDONLY));
	ck_assert_int_eq(do_close(&task, args(SYS_close, (uint64_t)hidden, 0, 0, 0)), -EBADF);
	ck_assert_int_eq(do_dup2(&task, args(SYS_dup2, 1, (uint64_t)hidden, 0, 0)), -EBADF);
	ck_assert_int_eq(do_dup2(&task, args(SYS_dup2, (uint64_t)hidden, 50, 0, 0)), -EBADF);
	ck_assert_int_eq(do_dup3(&task, args(SYS_dup3, 1, (uint64_t)hidden, 0, 0)), -EBADF);
	ck_assert_int_eq(do_readlink(&task, args(SYS_readlink, guest_path("/proc/self/fd/1"), 0x20001000, 99, 0)) > 0, 1);
	sprintf(GUEST, "/proc/self/fd/%d", hidden);
	ck_assert_int_eq(do_readlink(&task, args(SYS_readlink, 0x20000000, 0x20001000, 99, 0)), -ENOENT);
	ck_assert_int_eq(do_open(&task, args(SYS_open, 0x20000000, O_RDONLY, 0, 0)), -ENOENT);
	sprintf(GUEST, "/dev/fd/%d", hidden);
	ck_assert_int_eq(do_open(&task, args(SYS_open, 0x20000000, O_RDONLY, 0, 0)), -ENOENT);
	fd = open("/dev/null", O_RDONLY);
	ck_assert_int_eq(do_close_range(&task, args(SYS_close_range, (uint64_t)fd, ~0u, 0, 0)), 0);
	ck_assert_int_lt(fcntl(fd, F_GETFD), 0);
	ck_assert_int_ge(fcntl(hidden, F_GETFD), 0);
	ck_assert_int_eq(do_close_range(&task, args(SYS_close_range, 9, 8, 0, 0)), -EINVAL);
	ck_assert_int_eq(do_close_range(&task, args(SYS_close_range, (uint64_t)hidden, (uint64_t)hidden, 64, 0)), -EINVAL);
}
END_TEST

START_TEST(test_listing)
{
	int fd, hidden, seen = 0;
	int64_t n;

	start();
	hidden = fd_hide(open("/dev/zero", O_RDONLY));
	fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
	ck_assert_int_ge(hidden, 0);
	/* A small buffer: some of the results hold nothing but ours. */
	for (;;) {
		struct plan *p = args(SYS_getdents64, (uint64_t)fd, 0x20001000, 96, 0);

		n = post_getdents64(&task, p, plan_forward(p, &task));
		ck_assert_int_ge(n, 0);
		if (!n)
			break;
		for (int64_t at = 0; at < n;) {
			struct dirent64 *e = (void *)(GUEST + 0x1000 + at);

			ck_assert(!fd_is_ours(atoi(e->d_name)));
			seen++;
			at += e->d_reclen;
		}
	}
	ck_assert_int_ge(seen, 5);
}
END_TEST

/* Two pipes as stdout and stderr. */
static void outputs(int readers[2])
{
	for (int i = 0; i < 2; i++) {
		int tube[2];

		ck_assert_int_eq(pipe2(tube, O_CLOEXEC | O_NONBLOCK), 0);
		dup2(tube[1], i + 1);
		close(tube[1]);
		readers[i] = tube[0];
	}
}

START_TEST(test_output_kind)
{
	int readers[2], copy, other[2];
	struct fdtable *f;

	outputs(readers);
	start();
	f = proc.fds;
	f->no_kcmp = _i;
	ck_assert_int_eq(fd_output_kind(f, 1), REC_F_STDOUT);
	ck_assert_int_eq(fd_output_kind(f, 2), REC_F_STDERR);
	ck_assert_int_eq(fd_output_kind(f, 0), 0);
	ck_assert_int_eq(fd_output_kind(f, readers[0]), 0);
	ck_assert_int_eq(fd_output_kind(f, -1), 0);
	ck_assert_int_eq(fd_output_kind(f, 500), 0);
	copy = dup(2);
	ck_assert_int_eq(fd_output_kind(f, copy), REC_F_STDERR);
	ck_assert_int_eq(fd_output_kind(f, fcntl(1, F_DUPFD, 2000)), REC_F_STDOUT);
	/* The same number means something else now. */
	ck_assert_int_eq(do_close(&task, args(SYS_close, (uint64_t)copy, 0, 0, 0)), 0);
	ck_assert_int_eq(pipe(other), 0);
	ck_assert_int_eq(other[0], copy);
	ck_assert_int_eq(fd_output_kind(f, other[0]), 0);
	ck_assert_int_eq(do_dup2(&task, args(SYS_dup2, 1, (uint64_t)other[1], 0, 0)), other[1]);
	ck_assert_int_eq(fd_output_kind(f, other[1]), REC_F_STDOUT);
	ck_assert_int_eq(do_dup2(&task, args(SYS_dup2, (uint64_t)other[0], 1, 0, 0)), 1);
	ck_assert_int_eq(fd_output_kind(f, 1), 0);
	ck_assert_int_eq(do_dup2(&task, args(SYS_dup2, (uint64_t)other[1], 1, 0, 0)), 1);
	ck_assert_int_eq(fd_output_kind(f, 1), REC_F_STDOUT);
	post_write(&task, args(SYS_write, 1, 0, 1, 0), 1);
	ck_assert_int_eq(task.plan.ev_flags, REC_F_STDOUT);
	post_write(&task, args(SYS_write, 1, 0, 1, 0), -EPIPE);
	ck_assert_int_eq(task.plan.ev_flags, 0);
}
END_TEST

/* Opened again by name: not the same open file. */
START_TEST(test_output_reopened)
{
	char name[] = "/tmp/sandrec-test-XXXXXX";
	int fd = mkstemp(name), again;

	dup2(fd, 1);
	dup2(fd, 2);
	start();
	again = open(name, O_WRONLY);
	unlink(name);
	ck_assert(proc.fds->one_file);
	ck_assert_int_eq(fd_output_kind(proc.fds, again), 0);
	ck_assert_int_eq(fd_output_kind(proc.fds, 1), REC_F_STDOUT);
	ck_assert_int_eq(fd_output_kind(proc.fds, 2), REC_F_STDERR);
	ck_assert_int_eq(fd_output_kind(proc.fds, fd), REC_F_STDOUT);
}
END_TEST

/* The reader sees the end when the guest has closed its last one, whatever we hold. */
START_TEST(test_output_end)
{
	int readers[2];
	char c;

	outputs(readers);
	start();
	ck_assert_int_eq(post_fcntl_dupfd(&task, args(SYS_fcntl, 1, F_DUPFD, 60, 0), fcntl(1, F_DUPFD, 60)), 60);
	ck_assert_int_eq(dup2(1, 70), 70);
	ck_assert_int_eq(do_close(&task, args(SYS_close, 1, 0, 0, 0)), 0);
	ck_assert(read(readers[0], &c, 1) == -1 && errno == EAGAIN);
	ck_assert_int_eq(do_close(&task, args(SYS_close, 60, 0, 0, 0)), 0);
	ck_assert(read(readers[0], &c, 1) == -1 && errno == EAGAIN);
	ck_assert_int_eq(fd_output_kind(proc.fds, 70), REC_F_STDOUT);
	ck_assert_int_eq(do_close_range(&task, args(SYS_close_range, 65, 75, 0, 0)), 0);
	ck_assert_int_eq(read(readers[0], &c, 1), 0);
	ck_assert(read(readers[1], &c, 1) == -1 && errno == EAGAIN);
	ck_assert_int_eq(fd_output_kind(proc.fds, 2), REC_F_STDERR);
}
END_TEST

START_TEST(test_exe)
{
	struct stat want, got;
	int64_t n, fd;

	start();
	ck_assert_int_eq(stat(PROGRAM, &want), 0);
	memset(GUEST + 0x1000, 'x', 0x1000);
	n = do_readlink(&task, args(SYS_readlink, guest_path("/proc/self/exe"), 0x20001000, 2048, 0));
	ck_assert_int_eq(n, (int64_t)strlen(PROGRAM));
	ck_assert_mem_eq(GUEST + 0x1000, PROGRAM "xxx", (size_t)n + 3);
	ck_assert_int_eq(do_readlink(&task, args(SYS_readlink, guest_path("/proc/self/exe"), 0x20001000, 2, 0)), 2);
	fd = do_open(&task, args(SYS_open, guest_path("/proc/self/exe"), O_RDONLY | O_CLOEXEC, 0, 0));
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat((int)fd, &got), 0);
	ck_assert(got.st_ino == want.st_ino && got.st_dev == want.st_dev);
	ck_assert_int_eq(fcntl((int)fd, F_GETFD), FD_CLOEXEC);
	/* By its own name our binary is itself. */
	strcpy(GUEST, proc.fds->self_path);
	fd = do_open(&task, args(SYS_open, 0x20000000, O_RDONLY, 0, 0));
	ck_assert_int_eq(fstat((int)fd, &got), 0);
	ck_assert(got.st_ino == proc.fds->self_ino && fcntl((int)fd, F_GETFD) == 0);
}
END_TEST

START_TEST(test_exe_stat)
{
	struct stat want, *got = (void *)(GUEST + 0x1000);
	struct plan *p;

	start();
	ck_assert_int_eq(stat(PROGRAM, &want), 0);
	ck_assert_int_eq(stat("/proc/self/exe", got), 0);
	p = args(SYS_stat, guest_path("/proc/self/exe"), 0x20001000, 0, 0);
	ck_assert_int_eq(post_stat_exe(&task, p, 0), 0);
	ck_assert(got->st_ino == want.st_ino && got->st_size == want.st_size);
	ck_assert_int_eq(stat(proc.fds->self_path, got), 0);
	p = args(SYS_newfstatat, (uint64_t)AT_FDCWD, guest_path(proc.fds->self_path), 0x20001000, 0);
	ck_assert_int_eq(post_newfstatat_exe(&task, p, 0), 0);
	ck_assert(got->st_ino == proc.fds->self_ino);
}
END_TEST

START_TEST(test_stack_limit)
{
	struct rlimit *r = (void *)(GUEST + 0x1000), host;

	start();
	ck_assert_int_eq(do_getrlimit(&task, args(SYS_getrlimit, RLIMIT_STACK, 0x20001000, 0, 0)), 0);
	r->rlim_cur = 65536;
	ck_assert_int_eq(do_setrlimit(&task, args(SYS_setrlimit, RLIMIT_STACK, 0x20001000, 0, 0)), 0);
	memset(r, 0xff, sizeof(*r));
	ck_assert_int_eq(do_prlimit64(&task, args(SYS_prlimit64, 0, RLIMIT_STACK, 0, 0x20001000)), 0);
	ck_assert_int_eq(r->rlim_cur, 65536);
	getrlimit(RLIMIT_STACK, &host);
	ck_assert_int_ge(host.rlim_cur, 1 << 20);
	ck_assert_int_eq(do_setrlimit(&task, args(SYS_setrlimit, RLIMIT_STACK, 0x7ffff0000000, 0, 0)), -EFAULT);
	*r = (struct rlimit){ 10, 5 };
	ck_assert_int_eq(do_setrlimit(&task, args(SYS_setrlimit, RLIMIT_STACK, 0x20001000, 0, 0)), -EINVAL);
}
END_TEST

static int noted;
static char note_text[64];
static uint32_t note_kind;

static int collect(void *arg, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes)
{
	(void)arg, (void)addr;
	if (!bytes)
		return 0;
	noted++;
	note_kind = kind;
	memcpy(note_text, bytes, len);
	note_text[len] = 0;
	return 0;
}

/* A full pipe: what was not written is still in the source. */
START_TEST(test_splice_nothing_lost)
{
	int readers[2], tube[2];
	char junk[4096] = "";

	outputs(readers);
	start();
	ck_assert_int_eq(pipe(tube), 0);
	while (write(1, junk, sizeof(junk)) > 0)
		;
	ck_assert_int_eq(write(tube[1], "precious", 8), 8);
	args(SYS_splice, (uint64_t)tube[0], 0, 1, 0);
	task.plan.arg[4] = task.plan.host_arg[4] = 100;
	ck_assert_int_eq(do_splice(&task, &task.plan), -EAGAIN);
	while (read(readers[0], junk, sizeof(junk)) > 0)
		;
	ck_assert_int_eq(task.plan.nextra, 0);
	ck_assert_int_eq(do_splice(&task, &task.plan), 8);
	plan_written(&task.plan, collect, NULL);
	ck_assert_int_eq(noted, 1);
	ck_assert_int_eq(note_kind, DATA_STDOUT);
	ck_assert_str_eq(note_text, "precious");
	ck_assert_int_eq(read(readers[0], junk, sizeof(junk)), 8);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fd");
	TCase *c = tcase_create("fd");

	tcase_add_test(c, test_hide);
	tcase_add_test(c, test_no_gap);
	tcase_add_test(c, test_below);
	tcase_add_test(c, test_later);
	tcase_add_test(c, test_calls_on_ours);
	tcase_add_test(c, test_listing);
	tcase_add_loop_test(c, test_output_kind, 0, 2);
	tcase_add_test(c, test_output_reopened);
	tcase_add_test(c, test_output_end);
	tcase_add_test(c, test_exe);
	tcase_add_test(c, test_exe_stat);
	tcase_add_test(c, test_stack_limit);
	tcase_add_test(c, test_splice_nothing_lost);
	suite_add_tcase(s, c);
	return unit_run(s);
}
