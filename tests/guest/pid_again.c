/* A pid that two processes have, one after the other. Without the privilege to make it happen, two processes with two. */

#include <stdbool.h>

#include "proctest.h"

/* The next process of this pid namespace gets pid, if that is free. */
static void next_is(pid_t pid)
{
	char text[20];
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY);

	snprintf(text, sizeof(text), "%d", pid - 1);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) > 0);
	close(fd);
}

static int child(int n, bool execute, char **argv)
{
	char text[20];

	printf("child %d has pid %d\n", n, (int)getpid());
	if (!execute)
		return 40 + n;
	snprintf(text, sizeof(text), "%d", n);
	execl(argv[0], argv[0], "executed", text, NULL);
	return 1;
}

static __attribute__((noinline)) pid_t start(int n, char **argv)
{
	pid_t pid = n % 3 == 2 ? vfork() : fork();

	if (pid == 0)
		_exit(child(n, n % 3 != 0, argv));
	return pid;
}

static int with_pid_10(char **argv)
{
	for (int n = 0; n < 6; n++) {
		pid_t pid;

		next_is(10);
		pid = start(n, argv);
		CHECK(pid == 10);
		show_end("child", pid);
	}
	return 0;
}

int main(int argc, char **argv)
{
	pid_t pid;

	by_line();
	if (argc > 2 && !strcmp(argv[1], "executed")) {
		printf("program %s has pid %d\n", argv[2], (int)getpid());
		return 50 + atoi(argv[2]);
	}
	if (unshare(CLONE_NEWPID) < 0) {
		printf("no pid namespace\n");
		return 0;
	}
	pid = fork();
	if (pid == 0)
		_exit(with_pid_10(argv));
	show_end("first process", pid);
	return guest_end();
}
