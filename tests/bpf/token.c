/* BPF_TOKEN_CREATE, with everything it can answer: a command that programs call to see whether it is there. */
#include <linux/capability.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sched.h>
#include <sys/wait.h>

#include "bpf.h"

#ifndef SYS_fsopen
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
enum { CONFIG_STRING = 1, CONFIG_CREATE = 6 };

/* The root of a file system that has been mounted nowhere. */
static int root_of(int mnt)
{
	return openat(mnt, ".", O_RDONLY | O_DIRECTORY);
}

/* A child in a user namespace of its own: made by clone, as unshare wants a process without other threads. */
static pid_t namespace_child(void)
{
	fflush(stdout);
	return (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, 0);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };

	return (int)syscall(SYS_capset, &h, none);
}

static int token(int fd, uint32_t flags)
{
	union attr a = { 0 };

	a.u32[0] = flags;
	a.u32[1] = (uint32_t)fd;
	return bpf(TOKEN_CREATE, &a, 8);
}

/* Everything is delegated, and the file system is made: in the user namespace that it was opened in. */
static int delegate(int fs)
{
	if (syscall(SYS_fsconfig, fs, CONFIG_STRING, "delegate_cmds", "any", 0) < 0)
		return -1;
	syscall(SYS_fsconfig, fs, CONFIG_STRING, "delegate_maps", "any", 0);
	syscall(SYS_fsconfig, fs, CONFIG_STRING, "delegate_progs", "any", 0);
	syscall(SYS_fsconfig, fs, CONFIG_STRING, "delegate_attachs", "any", 0);
	return (int)syscall(SYS_fsconfig, fs, CONFIG_CREATE, NULL, NULL, 0);
}

static void with_token(int fd)
{
	union attr a = { 0 };
	struct bpf_insn insns[] = { MOV_IMM(0, 0), EXIT };

	a.a.map_type = BPF_MAP_TYPE_HASH;
	a.a.key_size = a.a.value_size = 4;
	a.a.max_entries = 1;
	SHOW_OK(bpf(BPF_MAP_CREATE, &a, 72)); /* without it: the user namespace has no say */
	a.a.map_flags = PROG_F_TOKEN_FD;
	a.u32[19] = (uint32_t)fd; /* map_token_fd */
	SHOW_OK(bpf(BPF_MAP_CREATE, &a, 80));
	memset(&a, 0, sizeof(a));
	a.a.prog_type = BPF_PROG_TYPE_XDP;
	a.a.insns = ptr(insns);
	a.a.insn_cnt = 2;
	a.a.license = ptr("GPL");
	a.a.prog_flags = PROG_F_TOKEN_FD;
	a.u32[PROG_TOKEN_FD_AT / 4] = (uint32_t)fd;
	SHOW_OK(bpf(BPF_PROG_LOAD, &a, 168));
}

/* A file system of the user namespace's own, delegated to by the one who may: the way of systemd and container managers. */
static void in_user_namespace(void)
{
	pid_t pid = namespace_child();
	int status;

	if (pid < 0) {
		printf("no user namespace\n");
		return;
	}
	if (pid == 0) {
		int fs, mnt, fd;

		fs = (int)syscall(SYS_fsopen, "bpf", 0);
		mnt = fs < 0 ? -1 : (int)syscall(SYS_fsconfig, fs, CONFIG_STRING, "delegate_cmds", "any", 0);
		printf("delegation from inside: %s\n", fs < 0 ? "no file system" : result(mnt));
		fd = token(fs, 0);
		printf("no mount: %s\n", result(fd));
		SHOW(syscall(SYS_fsconfig, fs, CONFIG_CREATE, NULL, NULL, 0));
		mnt = (int)syscall(SYS_fsmount, fs, 0, 0);
		printf("own mount: %s\n", result(mnt));
		fd = token(root_of(mnt), 0);
		printf("nothing delegated: %s\n", result(fd));
		fflush(stdout);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* EPERM: a file system of another user namespace. */
static void not_permitted(int root)
{
	pid_t pid = namespace_child();
	int status;

	if (pid < 0) {
		printf("no user namespace\n");
		return;
	}
	if (pid == 0) {
		printf("the parent's: %s\n", result(token(root, 0)));
		fflush(stdout);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* The file system is opened inside, for its user namespace, and delegated to by the parent, through a passed descriptor. */
static void delegated(void)
{
	int to_parent[2], to_child[2], status, inherited;
	char c = 0;
	pid_t pid;

	CHECK(pipe(to_parent) == 0 && pipe(to_child) == 0);
	pid = namespace_child();
	if (pid == 0) {
		int fs, mnt, fd;
		char go;

		fs = (int)syscall(SYS_fsopen, "bpf", 0);
		if (fs < 0)
			_exit(2);
		if (write(to_parent[1], &fs, sizeof(fs)) != sizeof(fs) || read(to_child[0], &go, 1) != 1)
			_exit(3);
		mnt = (int)syscall(SYS_fsmount, fs, 0, 0);
		fd = token(root_of(mnt), 0);
		printf("delegated: %s\n", result(fd));
		if (fd >= 0)
			with_token(fd);
		CHECK(drop_capabilities() == 0);
		printf("without capabilities: %s\n", result(token(root_of(mnt), 0)));
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0) {
		printf("no user namespace\n");
		return;
	}
	close(to_parent[1]);
	if (read(to_parent[0], &inherited, sizeof(inherited)) == sizeof(inherited)) {
		int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		int fs = (int)syscall(SYS_pidfd_getfd, pidfd, inherited, 0);

		CHECK(fs >= 0);
		printf("delegation: %s\n", result(delegate(fs)));
		close(fs);
		close(pidfd);
	}
	CHECK(write(to_child[1], &c, 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid);
	printf("child: %d\n", WEXITSTATUS(status));
	close(to_parent[0]);
	close(to_child[0]);
	close(to_child[1]);
}

int main(void)
{
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY), fs, mnt;
	union attr a = { 0 };

	SHOW(token(-1, 0));
	SHOW(token(tmp, 0));
	SHOW(token(tmp, 7));
	SHOW(bpf(TOKEN_CREATE, &a, 4));
	a.u32[2] = 1;
	SHOW(bpf(TOKEN_CREATE, &a, 12));
	SHOW(bpf(TOKEN_CREATE, NULL, 8));
	fs = (int)syscall(SYS_fsopen, "bpf", 0);
	if (fs >= 0) {
		printf("bpf file system: %s\n", result(delegate(fs)));
		mnt = (int)syscall(SYS_fsmount, fs, 0, 0);
		SHOW_OK(token(root_of(mnt), 0)); /* EOPNOTSUPP: only in a user namespace */
		not_permitted(root_of(mnt));
		close(mnt);
		close(fs);
	} else {
		printf("no bpf file system\n");
	}
	in_user_namespace();
	delegated();
	return guest_end();
}
