/* Events as text: calls whose form is known, and random events, whose every number is the trace's to choose. */
#include <asm/unistd_64.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "cli/decode.h"
#include "syscall-emu/bpf_abi.h"
#include "tests/unit/unit.h"

static struct memory mem;
static char *text;

static void setup(void)
{
	memory_free(&mem);
}

static void recorded(uint64_t addr, uint32_t kind, const void *bytes, uint32_t len)
{
	ck_assert(memory_add(&mem, &(struct event_data){ addr, len, kind, bytes }));
}

static const char *show_event(const struct event *ev)
{
	struct call c;
	size_t len;
	FILE *f;

	free(text);
	f = open_memstream(&text, &len);
	decode_call(&c, ev, &mem);
	decode_name(f, &c);
	fputc('(', f);
	for (unsigned i = 0; i < decode_nargs(&c); i++) {
		fputs(i ? ", " : "", f);
		decode_arg(f, &c, i);
	}
	fputs(") = ", f);
	decode_result(f, &c);
	fclose(f);
	return text;
}

static const char *show(uint64_t nr, int64_t result, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct event ev = { .type = REC_SYSCALL, .result = result };

	ev.regs.rax = nr;
	ev.regs.rdi = a0;
	ev.regs.rsi = a1;
	ev.regs.rdx = a2;
	ev.regs.r10 = a3;
	return show_event(&ev);
}

START_TEST(test_bpf)
{
	struct attr_prog_load load = { .prog_type = 6, .insn_cnt = 2, .license = 0x3000, .log_level = 1, .log_size = 64, .log_buf = 0x4000,
				       .prog_name = "drop" };
	struct attr_elem elem = { .map_fd = 5, .key = 0x5000, .value = 0x6000, .flags = 1 };
	struct attr_batch batch = { .map_fd = 5, .count = 9 };
	uint32_t size = 20, count = 4;

	recorded(0x1000, DATA_INPUT, &load, sizeof(load));
	recorded(0x3000, DATA_INPUT, "GPL", 4);
	recorded(0x1000 + offsetof(struct attr_prog_load, log_true_size), DATA_MEMORY, &size, 4);
	ck_assert_str_eq(show(__NR_bpf, -EINVAL, CMD_PROG_LOAD, 0x1000, 144, 0),
			 "bpf(BPF_PROG_LOAD, {prog_type=BPF_PROG_TYPE_XDP, prog_name=\"drop\", insn_cnt=2, license=\"GPL\", log_level=1, "
			 "log_size=64, log_true_size=0 => 20}, 144) = -1 EINVAL (Invalid argument)");
	memory_free(&mem);
	recorded(0x1000, DATA_INPUT, &elem, sizeof(elem));
	recorded(0x5000, DATA_INPUT, "\1\0\0\0", 4);
	recorded(0x6000, DATA_INPUT, "abc", 4);
	ck_assert_str_eq(show(__NR_bpf, 0, CMD_MAP_UPDATE_ELEM, 0x1000, 32, 0),
			 "bpf(BPF_MAP_UPDATE_ELEM, {map_fd=5, key=\"\\1\\0\\0\\0\", value=\"abc\\0\", flags=BPF_NOEXIST}, 32) = 0");
	/* An attr cut short has no more fields than fit. */
	ck_assert_str_eq(show(__NR_bpf, 0, CMD_MAP_DELETE_ELEM, 0x1000, 8, 0), "bpf(BPF_MAP_DELETE_ELEM, {map_fd=5}, 8) = 0");
	memory_free(&mem);
	recorded(0x1000, DATA_INPUT, &batch, sizeof(batch));
	recorded(0x1000 + offsetof(struct attr_batch, count), DATA_MEMORY, &count, 4);
	ck_assert_str_eq(show(__NR_bpf, 0, CMD_MAP_DELETE_BATCH, 0x1000, 56, 0),
			 "bpf(BPF_MAP_DELETE_BATCH, {map_fd=5, count=9 => 4}, 56) = 0");
	/* Nothing recorded, and no command of this number. */
	memory_free(&mem);
	ck_assert_str_eq(show(__NR_bpf, 3, CMD_MAP_CREATE, 0x1000, 40, 0), "bpf(BPF_MAP_CREATE, 0x1000, 40) = 3");
	ck_assert_str_eq(show(__NR_bpf, -EINVAL, 200, 0x1000, 300, 0), "bpf(0xc8, 0x1000, 300) = -1 EINVAL (Invalid argument)");
}
END_TEST

START_TEST(paths_flags_errors)
{
	recorded(0x1000, DATA_INPUT, "/a \"b\"\n\1" "2", 10);
	ck_assert_str_eq(show(__NR_openat, -ENOENT, -100ULL, 0x1000, O_RDONLY | O_CLOEXEC, 0),
			 "openat(AT_FDCWD, \"/a \\\"b\\\"\\n\\0012\", O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)");
	ck_assert_str_eq(show(__NR_openat, 3, 0xffffff9c, 0x2000, O_WRONLY | O_CREAT, 0644),
			 "openat(AT_FDCWD, 0x2000, O_WRONLY|O_CREAT, 0644) = 3");
}
END_TEST

START_TEST(buffers)
{
	char long_text[100];

	memset(long_text, 'x', sizeof(long_text));
	recorded(0x1000, DATA_MEMORY, "abc", 3);
	recorded(0x3000, DATA_MEMORY, long_text, 40);
	recorded(0x3028, DATA_MEMORY, long_text, 60);
	recorded(0x5000, DATA_INPUT, "hello\n", 6);
	ck_assert_str_eq(show(__NR_read, 3, 0, 0x1000, 4096, 0), "read(0, \"abc\", 4096) = 3");
	ck_assert_str_eq(show(__NR_read, 0, 0, 0x1000, 4096, 0), "read(0, \"\", 4096) = 0");
	ck_assert_str_eq(show(__NR_read, -EINTR, 0, 0x9000, 4096, 0),
			 "read(0, 0x9000, 4096) = -1 EINTR (Interrupted system call)");
	ck_assert_str_eq(show(__NR_read, 100, 0, 0x3000, 100, 0),
			 "read(0, \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"..., 100) = 100");
	ck_assert_str_eq(show(__NR_write, 6, 1, 0x5000, 6, 0), "write(1, \"hello\\n\", 6) = 6");
	ck_assert_str_eq(show(__NR_write, 7, 1, 0x7000, 7, 0), "write(1, 0x7000, 7) = 7");
}
END_TEST

START_TEST(objects)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(0x7f000001) };
	struct iovec iov[2] = { { (void *)0x3000, 2 }, { (void *)0x4000, 5 } };
	struct stat st = { .st_mode = S_IFREG | 0600, .st_size = 7 };
	uint64_t set = 1ULL << (SIGINT - 1) | 1ULL << (SIGCHLD - 1);

	recorded(0x1000, DATA_INPUT, &in, sizeof(in));
	ck_assert_str_eq(show(__NR_connect, 0, 3, 0x1000, sizeof(in), 0),
			 "connect(3, {sa_family=AF_INET, sin_port=80, sin_addr=127.0.0.1}, 16) = 0");
	recorded(0x2000, DATA_INPUT, iov, sizeof(iov));
	recorded(0x3000, DATA_MEMORY, "ab", 2);
	recorded(0x4000, DATA_MEMORY, "c", 1);
	ck_assert_str_eq(show(__NR_readv, 3, 0, 0x2000, 2, 0),
			 "readv(0, [{iov_base=\"ab\", iov_len=2}, {iov_base=\"c\", iov_len=5}], 2) = 3");
	recorded(0x5000, DATA_MEMORY, &st, sizeof(st));
	ck_assert_str_eq(show(__NR_fstat, 0, 3, 0x5000, 0, 0), "fstat(3, {st_mode=S_IFREG|0600, st_size=7, ...}) = 0");
	recorded(0x6000, DATA_INPUT, &set, sizeof(set));
	ck_assert_str_eq(show(__NR_rt_sigprocmask, 0, SIG_BLOCK, 0x6000, 0, 8),
			 "rt_sigprocmask(SIG_BLOCK, [INT CHLD], NULL, 8) = 0");
}
END_TEST

START_TEST(commands)
{
	ck_assert_str_eq(show(__NR_fcntl, 5, 3, F_DUPFD_CLOEXEC, 5, 0), "fcntl(3, F_DUPFD_CLOEXEC, 5) = 5");
	ck_assert_str_eq(show(__NR_fcntl, 0, 3, F_SETFD, FD_CLOEXEC, 0), "fcntl(3, F_SETFD, FD_CLOEXEC) = 0");
	ck_assert_str_eq(show(__NR_ioctl, -ENOTTY, 1, 0x5413, 0x1000, 0),
			 "ioctl(1, TIOCGWINSZ, 0x1000) = -1 ENOTTY (Inappropriate ioctl for device)");
	ck_assert_str_eq(show(__NR_ioctl, 0, 1, 0xdead, 0x100000, 0), "ioctl(1, 0xdead, 0x100000) = 0");
}
END_TEST

START_TEST(results)
{
	struct event ev = { .type = REC_SYSCALL, .flags = REC_F_RESTART, .result = SYS_ERESTARTSYS };

	ev.regs.rax = __NR_getpid;
	ck_assert_str_eq(show_event(&ev), "getpid() = ? ERESTARTSYS (to be restarted)");
	ck_assert_str_eq(show(__NR_brk, 0x560000000000, 0, 0, 0, 0), "brk(NULL) = 0x560000000000");
	ck_assert_str_eq(show(499, -ENOSYS, 1, 2, 3, 0),
			 "syscall_0x1f3(0x1, 0x2, 0x3, NULL, NULL, NULL) = -1 ENOSYS (Function not implemented)");
	ck_assert_ptr_nonnull(strstr(show(__NR_rt_sigreturn, SYS_REGS_SET, 0, 0, 0, 0), "= ?"));
}
END_TEST

START_TEST(signals_and_ends)
{
	siginfo_t si = { .si_signo = SIGSEGV, .si_code = SEGV_ACCERR, .si_addr = (void *)0x10 };
	char *out = NULL;
	size_t len;
	FILE *f = open_memstream(&out, &len);

	decode_siginfo(f, &si, sizeof(si));
	fputc(' ', f);
	si = (siginfo_t){ .si_signo = SIGUSR1, .si_code = SI_USER, .si_pid = 4, .si_uid = 5 };
	decode_siginfo(f, &si, sizeof(si));
	fputc(' ', f);
	decode_siginfo(f, &si, 20);
	fputc(' ', f);
	decode_wait_status(f, 3 << 8);
	fputc(' ', f);
	decode_wait_status(f, SIGABRT | 0x80);
	fclose(f);
	ck_assert_str_eq(out, "{si_signo=SIGSEGV, si_code=SEGV_ACCERR, si_addr=0x10} "
			      "{si_signo=SIGUSR1, si_code=SI_USER, si_pid=4, si_uid=5} {} exited with 3 "
			      "killed by SIGABRT (core dumped)");
	ck_assert_int_eq(decode_signo(&si, 20), 0);
	free(out);
}
END_TEST

static uint64_t state = 88172645463325252ULL;

static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Addresses that are often near recorded memory, sometimes at the end of the address space. */
static uint64_t random_value(void)
{
	switch (next() % 5) {
	case 0:
		return next() % 64;
	case 1:
		return next();
	case 2:
		return UINT64_MAX - next() % 64;
	default:
		return 0x1000 + next() % 256;
	}
}

START_TEST(random_events)
{
	for (int i = 0; i < 60000; i++) {
		struct event ev = { .type = REC_SYSCALL, .result = (int64_t)random_value() - 70, .flags = next() % 32 };

		memory_clear(&mem);
		for (uint64_t n = next() % 6; n; n--) {
			unsigned char bytes[160];

			for (size_t k = 0; k < sizeof(bytes); k++)
				bytes[k] = next() % 3 ? (unsigned char)next() : 0;
			recorded(next() % 8 ? random_value() : UINT64_MAX - 8, next() % 5, bytes,
				 (uint32_t)(next() % (sizeof(bytes) + 1)));
		}
		for (int k = 0; k < 16; k++)
			ev.regs.r[k] = random_value();
		ev.regs.rax = next() % 4 ? next() % 480 : __NR_ioctl;
		show_event(&ev);
		for (const char *p = text; *p; p++)
			ck_assert_msg(*p >= 0x20 && *p < 0x7f, "not printable: %s", text);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("decode");
	TCase *t = tcase_create("decode");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 300);
	tcase_add_test(t, test_bpf);
	tcase_add_test(t, paths_flags_errors);
	tcase_add_test(t, buffers);
	tcase_add_test(t, objects);
	tcase_add_test(t, commands);
	tcase_add_test(t, results);
	tcase_add_test(t, signals_and_ends);
	tcase_add_test(t, random_events);
	suite_add_tcase(suite, t);
	return unit_run(suite);
}
