/* execve by a thread that is not the first one, while others compute, wait and sleep. */
#include <sys/prctl.h>
#include "threadtest.h"

static volatile unsigned long spins;
static char **args;

static void *compute(void *arg)
{
	(void)arg;
	for (;;)
		spins++;
	return NULL;
}

static void *wait_for_nothing(void *arg)
{
	char c;
	int *fd = arg;

	if (read(fd[0], &c, 1) != 1)
		_exit(77);
	return NULL;
}

static void *sleeper(void *arg)
{
	(void)arg;
	nap(1000000);
	return NULL;
}

static void *execer(void *arg)
{
	char *argv[] = { args[0], arg, "argument", NULL }, *envp[] = { "A=B", NULL };

	AWAIT(spins > 1000);
	prctl(PR_SET_NAME, "execer");
	execve("/nonexistent", argv, envp);
	CHECK(errno == ENOENT);
	fflush(stdout);
	execve("/proc/self/exe", argv, envp);
	printf("execve: %s\n", strerrorname_np(errno));
	return NULL;
}

int main(int argc, char **argv)
{
	static int fd[2];
	unsigned stage = argc > 1 && !strncmp(argv[1], "stage", 5) ? (unsigned)atoi(argv[1] + 5) : 0;
	static char name[16];
	char pid[32];

	args = argv;
	if (stage) {
		printf("stage %u: %s, %s\n", stage, argv[2], getenv("A") ? getenv("A") : "lost");
		CHECK(gettid_raw() == getpid());
		CHECK(spins == 0);
	} else {
		snprintf(pid, sizeof(pid), "%d", getpid());
		setenv("PID", pid, 1);
	}
	if (stage == 3)
		return guest_end();
	CHECK(pipe2(fd, O_CLOEXEC) == 0);
	start(compute, NULL);
	start(wait_for_nothing, fd);
	start(sleeper, NULL);
	snprintf(name, sizeof(name), "stage%u", stage + 1);
	/* Stage 2 is executed by the first thread. */
	if (stage == 1)
		execer(name);
	start(execer, name);
	/* The first thread computes, or waits. */
	if (stage == 0)
		compute(NULL);
	pause();
	return 1;
}
