/* Processes that share their descriptors: clone(CLONE_FILES), with and without shared memory; and kcmp about it. */
#include <linux/kcmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "proctest.h"

#define STACK 65536

static char text[] = "opened by the other";
static int place[2];

static pid_t start(int (*fn)(void *), int flags)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	CHECK(stack != MAP_FAILED);
	return clone(fn, stack + STACK, flags | SIGCHLD, NULL);
}

/* Opens, closes and moves descriptors. */
static int works(void *arg)
{
	(void)arg;
	CHECK(pipe2(place, O_CLOEXEC) == 0);
	CHECK(dup2(place[0], 40) == 40 && dup2(place[1], 41) == 41);
	CHECK(write(41, text, sizeof(text)) == sizeof(text));
	CHECK(close(50) == 0);
	return 4;
}

static void look(const char *what, int fd)
{
	printf("%s: %s\n", what, fcntl(fd, F_GETFD) < 0 ? "closed" : "open");
}

static void share(const char *what, int flags)
{
	char buf[64] = "";
	pid_t pid;

	CHECK(dup2(0, 50) == 50);
	pid = start(works, flags);
	CHECK(pid > 0);
	show_end(what, pid);
	look("40", 40);
	look("50", 50);
	if (flags & CLONE_FILES)
		printf("%zd %s\n", read(40, buf, sizeof(buf)), buf);
	close(40);
	close(41);
	close(50);
}

static int same(int what)
{
	return syscall(SYS_kcmp, getpid(), getppid(), what, 0, 0) == 0;
}

static int compares(void *arg)
{
	(void)arg;
	printf("files %d, directory %d, semaphores %d, stdout %d\n", same(KCMP_FILES), same(KCMP_FS), same(KCMP_SYSVSEM),
	       syscall(SYS_kcmp, getpid(), getppid(), KCMP_FILE, 1, 1) == 0);
	return 0;
}

static int sleeps(void *arg)
{
	(void)arg;
	usleep(20000);
	return 0;
}

static void many(void)
{
	pid_t pid[20];
	int n = 0;

	for (int i = 0; i < 20; i++)
		pid[i] = start(sleeps, CLONE_FILES);
	for (int i = 0; i < 20; i++)
		n += pid[i] > 0 && wait_for(pid[i]) == 0;
	printf("%d ended\n", n);
}

static int executes(void *arg)
{
	execl("/bin/echo", "echo", "executed", (char *)NULL);
	return 1;
	(void)arg;
}

int main(void)
{
	by_line();
	share("copied", 0);
	share("shared", CLONE_FILES);
	share("shared, with memory", CLONE_FILES | CLONE_VM);
	share("everything", CLONE_FILES | CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_SYSVSEM);
	show_end("nothing", start(compares, 0));
	show_end("files", start(compares, CLONE_FILES));
	show_end("directory", start(compares, CLONE_FS | CLONE_SYSVSEM));
	many();
	show_end("program", start(executes, CLONE_FILES));
	show_end("program", start(executes, CLONE_FILES | CLONE_VM | CLONE_VFORK));
	return 0;
}
