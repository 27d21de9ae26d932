/*
 * Programs that give up rights, or move to where they see nothing of the machine, and then make processes, execute programs,
 * map files and take signals in a computation. Without root some steps fail: everywhere in the same way.
 */
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "proctest.h"

#define NOBODY 65534

static int self; /* our program */
static char *no_environment[] = { NULL };

static int execute(const char *step)
{
	char *argv[] = { (char *)"drop_rights", (char *)step, NULL };

	fexecve(self, argv, no_environment);
	printf("exec: %s\n", strerrorname_np(errno));
	return 1;
}

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

static void compute_under_alarms(void)
{
	const struct itimerval every = { .it_value.tv_usec = 2000, .it_interval.tv_usec = 2000 }, off = { 0 };
	volatile unsigned long x = 1;

	signal(SIGALRM, on_alarm);
	alarms = 0;
	CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
	while (alarms < 2)
		x = x * 3 + 1;
	CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
	signal(SIGALRM, SIG_DFL);
}

/* What every kind of program does. */
static int live(const char *what)
{
	pid_t pid = fork();
	void *map;

	if (pid == 0) {
		compute_under_alarms();
		_exit(getuid() == NOBODY ? 8 : 7);
	}
	show_end(what, pid);
	pid = fork();
	if (pid == 0)
		_exit(execute("executed"));
	show_end("fork and exec", pid);
	pid = vfork();
	if (pid == 0)
		_exit(execute("executed"));
	show_end("vfork and exec", pid);
	map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, self, 0);
	CHECK(map != MAP_FAILED && memcmp(map, "\177ELF", 4) == 0);
	return execute("last");
}

static int be_nobody(void)
{
	SHOW(setgroups(0, NULL));
	SHOW(setresgid(NOBODY, NOBODY, NOBODY));
	SHOW(setresuid(NOBODY, NOBODY, NOBODY));
	return 0;
}

static int nobody(void)
{
	be_nobody();
	return live("nobody's child");
}

static int no_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };

	SHOW(prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0));
	SHOW(prctl(PR_SET_SECUREBITS, 1, 0, 0, 0)); /* SECBIT_NOROOT */
	SHOW(syscall(SYS_capset, &head, none));
	return live("child without capabilities");
}

static int in_jail(void)
{
	SHOW(chroot("dir/sub"));
	SHOW(chdir("/"));
	return live("child in a jail");
}

static int nobody_in_jail(void)
{
	SHOW(chroot("dir/sub"));
	SHOW(chdir("/"));
	be_nobody();
	return live("nobody's child in a jail");
}

static int user_namespace(void)
{
	SHOW(unshare(CLONE_NEWUSER | CLONE_NEWNS));
	printf("now user %d\n", (int)getuid());
	return live("child in a user namespace");
}

static int pid_namespace(void)
{
	SHOW(unshare(CLONE_NEWPID));
	pid_t pid = fork();

	if (pid == 0) {
		printf("own pid %d\n", (int)getpid());
		_exit(live("child of the first process"));
	}
	show_end("the first process", pid);
	return 0;
}

static int small_files(void)
{
	const struct rlimit none = { 0, 0 };

	SHOW(setrlimit(RLIMIT_FSIZE, &none));
	return live("child that may not write");
}

static int no_descriptors(void)
{
	const struct rlimit few = { 30, 30 };

	SHOW(setrlimit(RLIMIT_NOFILE, &few));
	while (dup(0) >= 0)
		;
	return live("child with all its descriptors in use");
}

int main(int argc, char **argv)
{
	by_line();
	self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (argc > 1 && !strcmp(argv[1], "executed"))
		return 9;
	if (argc > 1 && !strcmp(argv[1], "last")) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(10);
		show_end("child of the executed program", pid);
		return 11;
	}
	CHECK(self >= 0);
	in_child("nobody", nobody);
	in_child("no capabilities", no_capabilities);
	in_child("jail", in_jail);
	in_child("nobody in a jail", nobody_in_jail);
	in_child("user namespace", user_namespace);
	in_child("pid namespace", pid_namespace);
	in_child("small files", small_files);
	in_child("no descriptors", no_descriptors);
	return guest_end();
}
