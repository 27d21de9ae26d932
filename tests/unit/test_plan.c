/* The plan engine: what is checked, copied, forwarded and found written. */
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#include "guest_double.h"
#include "tests/unit/unit.h"
#include "vmm/layout.h"

#define A MEM_BASE
#define B (MEM_BASE + 0x2000)
#define C (MEM_BASE + 0x4000)
#define D (MEM_BASE + 0x6000)

static int pipe_with(const char *text)
{
	int fd[2];

	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(write(fd[1], text, strlen(text)), (ssize_t)strlen(text));
	close(fd[1]);
	return fd[0];
}

static void expect(unsigned i, uint64_t addr, uint64_t len)
{
	ck_assert_uint_lt(i, npieces);
	ck_assert_uint_eq(pieces[i].addr, addr);
	ck_assert_uint_eq(pieces[i].len, len);
}

START_TEST(test_read)
{
	int fd = pipe_with("hello");

	ck_assert_int_eq(call(SYS_read, (uint64_t)fd, A, 100), 5);
	ck_assert_uint_eq(written(), 1);
	expect(0, A, 5);
	ck_assert_mem_eq(at(A), "hello", 5);
	ck_assert_int_eq(call(SYS_read, (uint64_t)fd, A, 100), 0);
	ck_assert_uint_eq(written(), 0);
	ck_assert_int_eq(call(SYS_read, 999, A, 100), -EBADF);
	ck_assert_uint_eq(written(), 0);
}
END_TEST

START_TEST(test_readv_budget)
{
	int fd = pipe_with("0123456789");
	struct iovec v[5] = { { at(B), 3 }, { at(B + 3), 2 }, { at(C), 0 }, { at(C), 4 }, { at(D), 100 } };

	memcpy(at(A), v, sizeof(v));
	ck_assert_int_eq(call(SYS_readv, (uint64_t)fd, A, 5), 10);
	ck_assert_uint_eq(written(), 3);
	expect(0, B, 5); /* neighbours are one piece */
	expect(1, C, 4);
	expect(2, D, 1);
	ck_assert_mem_eq(at(A), v, sizeof(v));
}
END_TEST

START_TEST(test_iovec_limits)
{
	struct iovec v = { at(B), (size_t)-1 };
	struct msghdr h = { .msg_iov = at(B), .msg_iovlen = 1025 };

	ck_assert_int_eq(build(SYS_readv, 0, A, 1025), -EINVAL);
	memcpy(at(A), &v, sizeof(v));
	ck_assert_int_eq(build(SYS_readv, 0, A, 1), -EINVAL);
	v.iov_len = GUEST_TOP;
	memcpy(at(A), &v, sizeof(v));
	ck_assert_int_eq(build(SYS_readv, 0, A, 1), -EFAULT);
	memcpy(at(A), &h, sizeof(h));
	ck_assert_int_eq(build(SYS_recvmsg, 0, A, 0), -EMSGSIZE);
	ck_assert_uint_eq(forwarded, 0);
}
END_TEST

/* More nested objects than a call may have: refused, not half done. */
START_TEST(test_copy_limit)
{
	struct mmsghdr *m = at(A);

	for (int i = 0; i < 1024; i++)
		m[i].msg_hdr = (struct msghdr){ .msg_iov = at(A), .msg_iovlen = 1024 };
	ck_assert_int_eq(build(SYS_recvmmsg, 0, A, 1024, 0, 0), -ENOBUFS);
	/* as many as the kernel takes, one piece each */
	for (int i = 0; i < 1024; i++) {
		struct iovec v = { at(D), 1 };

		m[i].msg_hdr.msg_iovlen = 1;
		m[i].msg_hdr.msg_iov = at(A + 0x80000);
		memcpy(at(A + 0x80000), &v, sizeof(v));
	}
	ck_assert_int_eq(build(SYS_recvmmsg, 0, A, 0xffffffff, 0, 0), 0);
	ck_assert_uint_eq(task.plan.nregions, 1 + 1024 * 2);
}
END_TEST

static void make_msghdr(uint64_t where, uint64_t iov, uint64_t buf, size_t len, uint64_t name, uint64_t control)
{
	struct iovec v = { at(buf), len };
	struct msghdr h = { .msg_name = at(name), .msg_namelen = name ? 110 : 0, .msg_iov = at(iov), .msg_iovlen = 1,
			    .msg_control = at(control), .msg_controllen = control ? 256 : 0 };

	memcpy(at(iov), &v, sizeof(v));
	memcpy(at(where), &h, sizeof(h));
}

START_TEST(test_recvmsg)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0sandrec-test-plan" };
	struct msghdr *h = at(A);
	int one = 1, s[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, s), 0);
	ck_assert_int_eq(bind(s[0], (void *)&name, 20), 0);
	ck_assert_int_eq(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)), 0);
	ck_assert_int_eq(send(s[0], "abcdef", 6, 0), 6);
	make_msghdr(A, A + 64, B, 100, C, D);
	ck_assert_int_eq(call(SYS_recvmsg, (uint64_t)s[1], A, 0), 6);
	ck_assert_mem_eq(at(B), "abcdef", 6);
	ck_assert_mem_eq(at(C), &name, 20);
	ck_assert_uint_eq(h->msg_namelen, 20);
	ck_assert_uint_eq(h->msg_controllen, CMSG_SPACE(sizeof(struct ucred)));
	ck_assert_ptr_eq(h->msg_iov, at(A + 64)); /* never an address of ours */
	ck_assert_ptr_eq(h->msg_name, at(C));
	ck_assert_uint_eq(written(), 4);
	expect(0, A, sizeof(*h));
	expect(1, C, 20);
	expect(2, D, h->msg_controllen);
	expect(3, B, 6);
}
END_TEST

START_TEST(test_recvmmsg)
{
	struct mmsghdr *m = at(A);
	int s[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, s), 0);
	ck_assert_int_eq(send(s[0], "abc", 3, 0), 3);
	ck_assert_int_eq(send(s[0], "defgh", 5, 0), 5);
	for (unsigned i = 0; i < 3; i++) {
		make_msghdr(A + i * sizeof(*m), A + 0x400 + 16 * i, B + 0x100 * i, 100, 0, 0);
		m[i].msg_len = 77;
	}
	ck_assert_int_eq(call(SYS_recvmmsg, (uint64_t)s[1], A, 3, MSG_DONTWAIT, 0), 2);
	ck_assert_uint_eq(m[0].msg_len, 3);
	ck_assert_uint_eq(m[1].msg_len, 5);
	ck_assert_uint_eq(m[2].msg_len, 77);
	ck_assert_uint_eq(written(), 3);
	expect(0, A, 2 * sizeof(*m));
	expect(1, B, 3);
	expect(2, B + 0x100, 5);
}
END_TEST

static void redirect_iovec(void)
{
	struct iovec v = { at(HOLE_BASE), 100 };
	struct msghdr *h = at(A);

	memcpy(at(A + 64), &v, sizeof(v));
	h->msg_iov = at(HOLE_BASE);
	h->msg_name = at(HOLE_BASE);
}

/* Another thread changes the objects between our check and the kernel's look: the copy is what counts. */
START_TEST(test_double_fetch)
{
	char want[HOLE_SIZE];
	int s[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, s), 0);
	ck_assert_int_eq(send(s[0], "abc", 3, 0), 3);
	make_msghdr(A, A + 64, B, 100, C, 0);
	before_forward = redirect_iovec;
	ck_assert_int_eq(call(SYS_recvmsg, (uint64_t)s[1], A, 0), 3);
	ck_assert_mem_eq(at(B), "abc", 3);
	memset(want, 's', sizeof(want));
	ck_assert_mem_eq(at(HOLE_BASE), want, sizeof(want));
}
END_TEST

static void grow_socklen(void)
{
	*(uint32_t *)at(A) = 0x10000;
}

START_TEST(test_socklen)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0sandrec-test-plan-name" };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(s, (void *)&name, 26), 0);
	memset(at(B), 0xa5, 64);
	*(uint32_t *)at(A) = 4;
	before_forward = grow_socklen;
	ck_assert_int_eq(call(SYS_getsockname, (uint64_t)s, B, A), 0);
	ck_assert_uint_eq(*(uint32_t *)at(A), 26); /* what it would have been */
	ck_assert_uint_eq(((uint8_t *)at(B))[4], 0xa5);
	ck_assert_uint_eq(written(), 2);
	expect(0, A, 4);
	expect(1, B, 4);
	/* no address wanted */
	before_forward = NULL;
	ck_assert_int_eq(call(SYS_accept, (uint64_t)s, 0, 0), -EINVAL);
}
END_TEST

/* The length that comes back has no place to go: EFAULT, as Linux says, and nothing claimed. */
START_TEST(test_copy_back_fault)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	*(uint32_t *)at(C) = 64;
	ck_assert_int_eq(mprotect(at(C), 0x1000, PROT_READ), 0);
	ck_assert_int_eq(call(SYS_getsockname, (uint64_t)s, B, C), -EFAULT);
	for (unsigned i = 0; i < written(); i++)
		ck_assert_uint_ne(pieces[i].addr, C);
}
END_TEST

START_TEST(test_null)
{
	ck_assert_int_eq(call(SYS_read, 0, 0, 0), 0);
	ck_assert_int_eq(call(SYS_nanosleep, 0, 0), -EFAULT);
	ck_assert_int_eq(call(SYS_clock_getres, CLOCK_MONOTONIC, 0), 0);
	ck_assert_uint_eq(written(), 0);
	ck_assert_int_eq(call(SYS_openat, (uint64_t)AT_FDCWD, 0, O_RDONLY), -EFAULT);
	ck_assert_int_eq(call(SYS_recvmsg, 0, 0, 0), -ENOTSOCK);
}
END_TEST

START_TEST(test_vmm_addresses)
{
	struct { uint64_t addr, len; } bad[] = {
		{ GUEST_TOP, 1 }, { GUEST_TOP, 0 }, { GUEST_TOP - 1, 2 }, { HOLE_BASE, 1 }, { HOLE_BASE + 8, 0 },
		{ HOLE_BASE - 1, 2 }, { ~0ULL, 1 }, { A, ~0ULL }, { HOLE_BASE - 0x1000, 0x20000 },
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct iovec v = { at(bad[i].addr), (size_t)(bad[i].len & INT64_MAX) };

		ck_assert_int_eq(build(SYS_read, 0, bad[i].addr, bad[i].len), -EFAULT);
		memcpy(at(A), &v, sizeof(v));
		ck_assert_int_eq(build(SYS_writev, 0, A, 1), -EFAULT);
	}
	ck_assert_int_eq(build(SYS_read, 0, HOLE_BASE - 1, 1), 0);
	ck_assert_int_eq(build(SYS_read, 0, HOLE_BASE + HOLE_SIZE, 1), 0);
}
END_TEST

START_TEST(test_strings)
{
	const uint64_t last = HOLE_BASE - 4;

	memcpy(at(last), "tmp", 4);
	ck_assert_int_eq(build(SYS_chdir, last), 0);
	ck_assert_ptr_nonnull(task.plan.region[0].copy); /* so that the kernel cannot read on */
	ck_assert_uint_ne(task.plan.host_arg[0], last);
	ck_assert_uint_eq(task.plan.region[0].cap, 4);
	memcpy(at(last), "tmpx", 4);
	ck_assert_int_eq(build(SYS_chdir, last), -EFAULT);
	memcpy(at(A), "/dev/null", 10);
	ck_assert_int_eq(build(SYS_chdir, A), 0);
	ck_assert_ptr_null(task.plan.region[0].copy);
	ck_assert_uint_eq(task.plan.region[0].cap, 10);
	ck_assert_int_eq(call(SYS_chdir, A), -ENOTDIR);
	/* unreadable, but the guest's own: Linux says what it is */
	ck_assert_int_eq(call(SYS_chdir, HOLE_BASE + HOLE_SIZE + 0x10000), -EFAULT);
	ck_assert_uint_eq(forwarded, 2);
	memset(at(A), 'x', 5000);
	ck_assert_int_eq(call(SYS_chdir, A), -ENAMETOOLONG);
}
END_TEST

static int64_t finish(int64_t ret)
{
	plan_finish(&task.plan, &task, ret);
	return (int64_t)written();
}

START_TEST(test_on_error)
{
	ck_assert_int_eq(build(SYS_nanosleep, A, B), 0);
	ck_assert_int_eq(finish(0), 0);
	ck_assert_int_eq(build(SYS_nanosleep, A, B), 0);
	ck_assert_int_eq(finish(-EINTR), 1);
	expect(0, B, 16);
	ck_assert_int_eq(build(SYS_clock_nanosleep, 0, 1, A, B), 0);
	ck_assert_int_eq(finish(-EINTR), 0);
	ck_assert_int_eq(build(SYS_clock_nanosleep, 0, 0, A, B), 0);
	ck_assert_int_eq(finish(-EINTR), 1);
	/* what a row claims beyond what is there is not claimed */
	ck_assert_int_eq(build(SYS_ppoll, A, 1, HOLE_BASE + HOLE_SIZE + 0x10000, 0, 8), 0);
	ck_assert_int_eq(finish(-EFAULT), 0);
}
END_TEST

static const struct sys_desc short_row = {
	.name = "short", .nargs = 2, .arg = { A_PTR, A_SIZE },
	.mem = MEM({ .dir = MEM_IN, .arg = 0, .cap = ARG(1),
		     .sub = MEM({ .dir = MEM_OUT, .off = 8, .cap = { .op = LEN_FIELD, .off = 16, .width = 8, .scale = 1 } }) }),
};

START_TEST(test_short_object)
{
	memset(at(A), 0xff, 64);
	*(uint64_t *)at(A + 8) = B;
	/* The pointer is there, its length is cut off: as if zero. */
	ck_assert_int_eq(plan_build(&task.plan, &task, &short_row, 0, (const uint64_t[6]){ A, 16 }), 0);
	ck_assert_uint_eq(task.plan.nregions, 2);
	ck_assert_uint_eq(task.plan.region[1].cap, 0);
	ck_assert_uint_eq(((uint64_t *)task.plan.region[0].copy)[2], 0);
	/* Cut off before the pointer. */
	ck_assert_int_eq(plan_build(&task.plan, &task, &short_row, 0, (const uint64_t[6]){ A, 8 }), 0);
	ck_assert_uint_eq(task.plan.nregions, 1);
	/* Cut off within it: the kernel would take the half that is there for one. */
	ck_assert_int_eq(plan_build(&task.plan, &task, &short_row, 0, (const uint64_t[6]){ A, 15 }), -EFAULT);
	*(uint64_t *)at(A + 8) = 0xffffffff00000000;
	ck_assert_int_eq(plan_build(&task.plan, &task, &short_row, 0, (const uint64_t[6]){ A, 12 }), 0);
	ck_assert_uint_eq(task.plan.nregions, 1);
	*(uint64_t *)at(A + 8) = B;
	*(uint64_t *)at(A + 16) = 32;
	ck_assert_int_eq(plan_build(&task.plan, &task, &short_row, 0, (const uint64_t[6]){ A, 24 }), 0);
	ck_assert_uint_eq(task.plan.region[1].cap, 32);
}
END_TEST

START_TEST(test_extras)
{
	char local[8] = "annexed";

	ck_assert_int_eq(build(SYS_getpid, 0), 0);
	for (unsigned i = 0; i < 40; i++)
		ck_assert_int_eq(plan_add(&task.plan, A + 8 * i, 8, 0, NULL), 0);
	ck_assert_int_eq(plan_add(&task.plan, B, 0, 0, NULL), 0);
	ck_assert_int_eq(plan_add(&task.plan, B, 4, 1, "text"), 0);
	ck_assert_int_eq(plan_add(&task.plan, B + 4, 4, 1, "more"), 0);
	plan_set_annex(&task.plan, local, sizeof(local));
	memset(local, 0, sizeof(local));
	ck_assert_str_eq(task.plan.annex, "annexed");
	ck_assert_uint_eq(written(), 3);
	expect(0, A, 320);
	ck_assert_mem_eq(pieces[1].bytes, "text", 4);
	ck_assert_mem_eq(pieces[2].bytes, "more", 4);
	ck_assert_int_eq(build(SYS_getpid, 0), 0);
	ck_assert_uint_eq(written(), 0);
	ck_assert_ptr_null(task.plan.annex);
}
END_TEST

static char sent_text[64];

static int note_sent(void *arg, const void *bytes, uint64_t len)
{
	(void)arg;
	strncat(sent_text, bytes, len);
	return 0;
}

START_TEST(test_sent)
{
	struct iovec v[3] = { { at(B), 3 }, { at(C), 4 }, { at(D), 5 } };

	memcpy(at(B), "abc", 3);
	memcpy(at(C), "defg", 4);
	memcpy(at(D), "hijkl", 5);
	memcpy(at(A), v, sizeof(v));
	ck_assert_int_eq(build(SYS_writev, 1, A, 3), 0);
	ck_assert_int_eq(plan_sent(&task.plan, 9, note_sent, NULL), 0);
	ck_assert_str_eq(sent_text, "abcdefghi");
	ck_assert_int_eq(plan_sent(&task.plan, -EPIPE, note_sent, NULL), 0);
	ck_assert_str_eq(sent_text, "abcdefghi");
	sent_text[0] = 0;
	make_msghdr(A, A + 64, B, 3, C, 0); /* the name is not part of what was sent */
	ck_assert_int_eq(build(SYS_sendmsg, 1, A, 0), 0);
	ck_assert_int_eq(plan_sent(&task.plan, 3, note_sent, NULL), 0);
	ck_assert_str_eq(sent_text, "abc");
}
END_TEST

START_TEST(test_poll_select)
{
	int fd = pipe_with("x");
	struct pollfd pf[2] = { { fd, POLLIN, 0 }, { -1, 0, 0 } };
	uint64_t mask[2] = { B, 8 };

	memcpy(at(A), pf, sizeof(pf));
	ck_assert_int_eq(call(SYS_poll, A, 2, 0), 1);
	ck_assert_uint_eq(written(), 1);
	expect(0, A, 16);
	memset(at(C), 0, 256);
	((uint64_t *)at(C))[fd / 64] |= 1ULL << fd % 64;
	memset(at(B), 0, 8);
	memcpy(at(D), mask, sizeof(mask));
	ck_assert_int_eq(call(SYS_pselect6, (uint64_t)fd + 1, C, 0, 0, 0, D), 1);
	ck_assert_uint_eq(written(), 1);
	expect(0, C, ((uint64_t)fd + 64) / 64 * 8);
	mask[0] = HOLE_BASE;
	memcpy(at(D), mask, sizeof(mask));
	ck_assert_int_eq(build(SYS_pselect6, (uint64_t)fd + 1, C, 0, 0, 0, D), -EFAULT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plan");
	TCase *c = tcase_create("plan");

	tcase_add_checked_fixture(c, guest_setup, guest_teardown);
	tcase_add_test(c, test_read);
	tcase_add_test(c, test_readv_budget);
	tcase_add_test(c, test_iovec_limits);
	tcase_add_test(c, test_copy_limit);
	tcase_add_test(c, test_recvmsg);
	tcase_add_test(c, test_recvmmsg);
	tcase_add_test(c, test_double_fetch);
	tcase_add_test(c, test_socklen);
	tcase_add_test(c, test_copy_back_fault);
	tcase_add_test(c, test_null);
	tcase_add_test(c, test_vmm_addresses);
	tcase_add_test(c, test_strings);
	tcase_add_test(c, test_on_error);
	tcase_add_test(c, test_short_object);
	tcase_add_test(c, test_extras);
	tcase_add_test(c, test_sent);
	tcase_add_test(c, test_poll_select);
	suite_add_tcase(s, c);
	return unit_run(s);
}
