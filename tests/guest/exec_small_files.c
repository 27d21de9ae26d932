/* Programs execute others although they may not write files of any size to speak of, and may not raise that limit. */
#include <linux/capability.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "proctest.h"

#define LONG 100000

static char text[LONG + 1];

static void give_up_raising(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	CHECK(syscall(SYS_capget, &head, data) == 0);
	data[0].effective &= ~(1u << CAP_SYS_RESOURCE);
	data[0].permitted &= ~(1u << CAP_SYS_RESOURCE);
	CHECK(syscall(SYS_capset, &head, data) == 0);
}

static void execute(const char *what, bool lend)
{
	char *argv[] = { (char *)"sh", (char *)"-c", (char *)"test ${#0} = ${#1} && exit ${#2}", text, text, (char *)"12345", NULL };
	char *envp[] = { NULL };
	pid_t pid = lend ? vfork() : fork();

	if (pid == 0) {
		execve("/bin/bash", argv, envp);
		_exit(99);
	}
	show_end(what, pid);
}

int main(void)
{
	const struct rlimit small = { 512, 512 };

	memset(text, 'x', LONG);
	give_up_raising();
	SHOW(setrlimit(RLIMIT_FSIZE, &small));
	execute("long arguments", false);
	execute("long arguments, vfork", true);
	text[10] = '\0';
	execute("short arguments", false);
	execute("short arguments, vfork", true);
	return 0;
}
