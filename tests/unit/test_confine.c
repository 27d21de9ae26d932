/* The kernel's half of the sandbox alone: no table stands before these calls. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record/confine.h"
#include "tests/unit/unit.h"

static char dir[] = "/var/tmp/test_confine.XXXXXX";

/* Which attempt was let through, counted from 1; 0: none. Runs confined. */
static int attempts(void)
{
	char out[64], in[64];
	int n = 0;

	snprintf(out, sizeof(out), "%s/outside", dir);
	snprintf(in, sizeof(in), "%s/rw/inside", dir);
#define REFUSED(...) \
	do { \
		n++; \
		errno = 0; \
		if ((long)(__VA_ARGS__) >= 0 || (errno != EPERM && errno != EACCES)) \
			return n; \
	} while (0)
	REFUSED(open(out, O_WRONLY | O_CREAT, 0600));
	REFUSED(open("/etc/passwd", O_WRONLY));
	REFUSED(mkdir(out, 0700));
	REFUSED(unlink(dir));
	REFUSED(truncate("/etc/passwd", 0));
	REFUSED(socket(AF_INET, SOCK_STREAM, 0));
	REFUSED(socket(AF_UNIX, SOCK_STREAM, 0));
	REFUSED(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
	REFUSED(mount("none", dir, "tmpfs", 0, NULL));
	REFUSED(unshare(CLONE_NEWUSER));
	REFUSED(syscall(SYS_bpf, 0, NULL, 0));
	REFUSED(syscall(SYS_io_uring_setup, 1, NULL));
	REFUSED(syscall(SYS_keyctl, 0, 0, 0));
	REFUSED(syscall(SYS_shmget, 1, 4096, 01600));
	REFUSED(syscall(SYS_chmod, dir, 0755));
	REFUSED(syscall(SYS_fchmodat, AT_FDCWD, dir, 0755));
	REFUSED(syscall(1000));
	REFUSED(syscall(SYS_getpid | 0x40000000));
	n = 100;
	if (open(in, O_WRONLY | O_CREAT, 0600) < 0 || unlink(in) < 0 || open("/dev/null", O_WRONLY) < 0)
		return n;
	if (open("/etc/passwd", O_RDONLY) < 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return n + 1;
	return prctl(PR_CAPBSET_READ, 21, 0, 0, 0) == 1 && geteuid() == 0 ? n + 2 : 0; /* CAP_SYS_ADMIN */
}

static void in_child(int (*f)(void), const struct sandbox *s)
{
	char why[200] = "";
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (confine(s, why, sizeof(why)) < 0)
			_exit(200);
		_exit(f());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wait status %#x", status);
}

static int signals(void)
{
	return kill(getppid(), 0) < 0 && errno == EPERM ? 0 : 1;
}

START_TEST(test_refused)
{
	struct sandbox s = { .strict = true };
	char why[200], rw[64];

	if (confine_check(&s, why, sizeof(why)) < 0)
		return; /* no Landlock: then strict is refused altogether */
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(rw, sizeof(rw), "%s/rw", dir);
	ck_assert_int_eq(mkdir(rw, 0700), 0);
	ck_assert_int_eq(sandbox_allow_path(&s, rw), 0);
	in_child(attempts, &s);
	if (s.signals)
		in_child(signals, &s);
	rmdir(rw);
	rmdir(dir);
}
END_TEST

static int with_network(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 && syscall(SYS_keyctl, 0, -3, 1) < 0 && errno == EPERM ? 0 : 1;
}

START_TEST(test_allowed)
{
	struct sandbox s = { .strict = true, .net = true };
	char why[200];

	ck_assert_int_eq(sandbox_allow_call(&s, "no_such_call"), -ENOENT);
	ck_assert_int_eq(sandbox_allow_call(&s, "chmod"), 0);
	ck_assert(!sandbox_refuses_number(&s, SYS_chmod));
	ck_assert(sandbox_refuses_number(&s, SYS_fchmodat));
	if (confine_check(&s, why, sizeof(why)) == 0)
		in_child(with_network, &s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("confine");
	TCase *c = tcase_create("confine");

	tcase_add_test(c, test_refused);
	tcase_add_test(c, test_allowed);
	suite_add_tcase(suite, c);
	return unit_run(suite);
}
