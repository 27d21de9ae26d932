/* Output that never passes through guest memory is carried and noted; descriptors in messages. Each test is its own process. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "syscall-emu/fdtable.h"
#include "tests/unit/unit.h"
#include "trace/event.h"

#define GUEST ((char *)0x20000000)
#define OFFSET ((off_t *)(GUEST + 0x1000))

static struct process proc;
static struct task task = { .proc = &proc };
static int readers[2], file;
static char noted[1 << 17];
static size_t noted_len;
static uint32_t noted_kind;

/* Two pipes as stdout and stderr, a file with text, two pages of guest memory, a plan that is filled by hand. */
static void start(void)
{
	char name[] = "/tmp/sandrec-test-XXXXXX";

	for (int i = 0; i < 2; i++) {
		int tube[2];

		ck_assert_int_eq(pipe2(tube, O_CLOEXEC | O_NONBLOCK), 0);
		dup2(tube[1], i + 1);
		close(tube[1]);
		readers[i] = tube[0];
	}
	file = mkstemp(name);
	unlink(name);
	ck_assert_int_eq(write(file, "0123456789", 10), 10);
	lseek(file, 0, SEEK_SET);
	ck_assert_ptr_eq(mmap(GUEST, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
			 GUEST);
	ck_assert_int_eq(plan_init(&task.plan), 0);
	ck_assert_int_eq(fdtable_create(&proc.fds), 0);
}

static struct plan *args(uint64_t nr, const uint64_t v[6])
{
	struct plan *p = &task.plan;

	p->nr = nr;
	memcpy(p->arg, v, sizeof(p->arg));
	memcpy(p->host_arg, v, sizeof(p->arg));
	p->nregions = p->nextra = p->arena_used = 0;
	p->ev_flags = 0;
	return p;
}
#define ARGS(nr, ...) args(nr, (const uint64_t[6]){ __VA_ARGS__ })

static int collect(void *arg, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes)
{
	(void)arg, (void)addr;
	if (!bytes || noted_len + len >= sizeof(noted))
		return 0;
	noted_kind = kind;
	memcpy(noted + noted_len, bytes, len);
	noted_len += len;
	return 0;
}

/* What the plan says was output must be what the reader finds. */
static void arrived(int reader, uint32_t kind, const char *text)
{
	char got[256] = "";

	noted_len = 0;
	memset(noted, 0, 64);
	plan_written(&task.plan, collect, NULL);
	ck_assert_str_eq(noted, text);
	ck_assert_int_eq(noted_kind, kind);
	ck_assert_int_eq(read(reader, got, sizeof(got) - 1), (ssize_t)strlen(text));
	ck_assert_str_eq(got, text);
}

START_TEST(test_sendfile)
{
	start();
	ck_assert_int_eq(do_sendfile(&task, ARGS(SYS_sendfile, 1, file, 0, 4)), 4);
	arrived(readers[0], DATA_STDOUT, "0123");
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 4);
	*OFFSET = 7;
	ck_assert_int_eq(do_sendfile(&task, ARGS(SYS_sendfile, 2, file, (uintptr_t)OFFSET, 100)), 3);
	arrived(readers[1], DATA_STDERR, "789");
	ck_assert_int_eq(*OFFSET, 10);
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 4);
	ck_assert_int_eq(do_sendfile(&task, ARGS(SYS_sendfile, 1, file, (uintptr_t)OFFSET, 100)), 0);
	*OFFSET = -1;
	ck_assert_int_eq(do_sendfile(&task, ARGS(SYS_sendfile, 1, file, (uintptr_t)OFFSET, 100)), -EINVAL);
	ck_assert_int_eq(do_sendfile(&task, ARGS(SYS_sendfile, 1, file, 0x7fffffff0000, 100)), -EFAULT);
	ck_assert_int_eq(do_sendfile(&task, ARGS(SYS_sendfile, 1, 999, 0, 100)), -EBADF);
	/* Elsewhere it is the kernel's: nothing to note. */
	ck_assert_int_eq(do_sendfile(&task, ARGS(SYS_sendfile, open("/dev/null", O_WRONLY), file, 0, 2)), 2);
	ck_assert_int_eq(task.plan.nextra, 0);
}
END_TEST

/* A reader that takes nothing: what does not fit stays in the source. */
START_TEST(test_sendfile_full)
{
	static char big[200000];
	int64_t n;

	start();
	memset(big, 'b', sizeof(big));
	ck_assert_int_eq(pwrite(file, big, sizeof(big), 0), (ssize_t)sizeof(big));
	n = do_sendfile(&task, ARGS(SYS_sendfile, 1, file, 0, sizeof(big)));
	ck_assert_int_gt(n, 4095);
	ck_assert_int_lt(n, sizeof(big));
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), n);
	noted_len = 0;
	plan_written(&task.plan, collect, NULL);
	ck_assert_int_eq(noted_len, n);
	ck_assert_int_eq(do_sendfile(&task, ARGS(SYS_sendfile, 1, file, 0, sizeof(big))), -EAGAIN);
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), n);
	ck_assert_int_eq(task.plan.nextra, 0);
}
END_TEST

START_TEST(test_splice_from_file)
{
	start();
	*OFFSET = 2;
	ck_assert_int_eq(do_splice(&task, ARGS(SYS_splice, file, (uintptr_t)OFFSET, 1, 0, 5, 0)), 5);
	arrived(readers[0], DATA_STDOUT, "23456");
	ck_assert_int_eq(*OFFSET, 7);
	ck_assert_int_eq(lseek(file, 0, SEEK_CUR), 0);
	ck_assert_int_eq(do_splice(&task, ARGS(SYS_splice, file, 0, 1, (uintptr_t)OFFSET, 5, 0)), -ESPIPE);
	ck_assert_int_eq(do_splice(&task, ARGS(SYS_splice, file, 0, 1, 0, 5, 0x1000)), -EINVAL);
}
END_TEST

START_TEST(test_splice_and_tee)
{
	int tube[2];

	start();
	ck_assert_int_eq(pipe(tube), 0);
	ck_assert_int_eq(write(tube[1], "water", 5), 5);
	ck_assert_int_eq(do_tee(&task, ARGS(SYS_tee, tube[0], 1, 3, 0)), 3);
	arrived(readers[0], DATA_STDOUT, "wat");
	ck_assert_int_eq(do_splice(&task, ARGS(SYS_splice, tube[0], 0, 1, 0, 4, 0)), 4);
	arrived(readers[0], DATA_STDOUT, "wate");
	ck_assert_int_eq(do_splice(&task, ARGS(SYS_splice, tube[0], 0, 2, 0, 100, SPLICE_F_NONBLOCK)), 1);
	arrived(readers[1], DATA_STDERR, "r");
	ck_assert_int_eq(do_splice(&task, ARGS(SYS_splice, tube[0], 0, 1, 0, 100, SPLICE_F_NONBLOCK)), -EAGAIN);
	close(tube[1]);
	ck_assert_int_eq(do_splice(&task, ARGS(SYS_splice, tube[0], 0, 1, 0, 100, 0)), 0);
}
END_TEST

START_TEST(test_copy_file_range)
{
	char name[] = "/tmp/sandrec-test-XXXXXX", got[16] = "";
	int out = mkstemp(name);

	dup2(out, 50);
	start();
	/* Stdout is a file here. */
	fdtable_destroy(proc.fds);
	dup2(50, 1);
	ck_assert_int_eq(fdtable_create(&proc.fds), 0);
	*OFFSET = 3;
	if (do_copy_file_range(&task, ARGS(SYS_copy_file_range, file, (uintptr_t)OFFSET, 1, 0, 4, 0)) == 4) {
		plan_written(&task.plan, collect, NULL);
		ck_assert_str_eq(noted, "3456");
		ck_assert_int_eq(noted_kind, DATA_STDOUT);
		ck_assert_int_eq(*OFFSET, 7);
		ck_assert_int_eq(pread(out, got, sizeof(got), 0), 4);
		ck_assert_str_eq(got, "3456");
	}
	ck_assert_int_eq(do_copy_file_range(&task, ARGS(SYS_copy_file_range, file, 0, 1, 0, 4, 77)), -EINVAL);
	unlink(name);
}
END_TEST

static struct sys_mem object_mem = { .dir = MEM_IN, .arg = 1 };

/* Fills in the engine's part for a msghdr at the start of guest memory. */
static int64_t send_fd(int sock, int fd)
{
	static char one = 'x';
	struct msghdr *m = (void *)GUEST;
	char *control = GUEST + 0x1000;
	struct cmsghdr *c = (void *)control;
	struct iovec v = { &one, 1 };
	struct plan *p = ARGS(SYS_sendmsg, sock, (uintptr_t)GUEST, 0);
	struct msghdr copy;

	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	*m = (struct msghdr){ .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int)) };
	copy = *m;
	p->region[0] = (struct plan_region){ .mem = &object_mem, .addr = (uintptr_t)GUEST, .copy = &copy, .cap = sizeof(copy),
					     .parent = ~(uint64_t)0 };
	p->nregions = 1;
	p->host_arg[1] = (uintptr_t)&copy;
	int64_t ret = do_sendmsg(&task, p);

	ck_assert_ptr_eq(copy.msg_control, control);
	return ret;
}

START_TEST(test_pass)
{
	int pair[2], hidden;
	char b[8];

	start();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	hidden = fd_hide(open("/dev/zero", O_RDONLY));
	ck_assert_int_ge(hidden, 0);
	ck_assert_int_eq(send_fd(pair[0], 0), 1);
	ck_assert_int_eq(read(pair[1], b, 8), 1);
	ck_assert_int_eq(send_fd(pair[0], hidden), -EBADF);
	ck_assert(read(pair[1], b, 8) == -1 && errno == EAGAIN);
	ck_assert_int_eq(send_fd(pair[0], 777), -EBADF);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fd_copy");
	TCase *c = tcase_create("copy");

	tcase_add_test(c, test_sendfile);
	tcase_add_test(c, test_sendfile_full);
	tcase_add_test(c, test_splice_from_file);
	tcase_add_test(c, test_splice_and_tee);
	tcase_add_test(c, test_copy_file_range);
	tcase_add_test(c, test_pass);
	suite_add_tcase(s, c);
	return unit_run(s);
}
