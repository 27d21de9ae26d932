/* Namespaces of users and of process numbers, in one call or in several, and processes made in them. */
#include "proctest.h"

static int flags[2];

/* In a pid namespace of its own the first process made is number 1. The next ones need not be 2: KVM has threads there. */
static int in_namespace(void)
{
	int numbered = (flags[0] | flags[1]) & CLONE_NEWPID;
	int status;
	pid_t pid;

	for (int i = 0; i < 2 && flags[i]; i++)
		if (unshare(flags[i]) < 0) {
			printf("unshare: %s\n", strerror(errno));
			return 1;
		}
	pid = fork();
	if (pid == 0) {
		if (numbered)
			printf("number %d\n", getpid());
		pid = fork();
		if (pid == 0)
			_exit(numbered && getpid() < 2);
		_exit(WEXITSTATUS(wait_for(pid)));
	}
	status = wait_for(pid);
	show_status("first process", status);
	printf("user %u\n", getuid());
	return 0;
}

static void try(const char *what, int first, int second)
{
	flags[0] = first;
	flags[1] = second;
	in_child(what, in_namespace);
}

int main(void)
{
	by_line();
	try("user", CLONE_NEWUSER, 0);
	try("user and pid", CLONE_NEWUSER | CLONE_NEWPID, 0);
	try("user, then pid", CLONE_NEWUSER, CLONE_NEWPID);
	try("pid", CLONE_NEWPID, 0);
	try("all", CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, 0);
	try("user twice", CLONE_NEWUSER, CLONE_NEWUSER);
	try("nothing new", CLONE_FS | CLONE_FILES | CLONE_SYSVSEM, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD);
	return 0;
}
