/*
 * Children with descriptors of their own, of a parent that shares its descriptors with others; and children whose parent
 * waits for them without lending its memory, as those of vfork(2) do, in processes that share some.
 */
#include "proctest.h"

#define CHILDREN 24

static long raw_clone(unsigned long flags)
{
	return syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, 0);
}

/* Every other child shares the descriptors; all are born and end at once. */
static void mixed(void)
{
	int good = 0, status;

	for (int i = 0; i < CHILDREN; i++) {
		pid_t pid = (pid_t)raw_clone(i % 2 ? 0 : CLONE_FILES);

		if (pid == 0) {
			int fd = open("/dev/null", O_RDONLY);

			_exit(getppid() > 0 && fd >= 0 && close(fd) == 0 ? 3 : 4);
		}
		CHECK(pid > 0);
	}
	for (int i = 0; i < CHILDREN; i++)
		good += waitpid(-1, &status, 0) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 3;
	printf("%d of %d children\n", good, CHILDREN);
}

/* The parent sleeps until the child ends, or becomes another program; memory is copied, but for what is shared. */
static void parent_waits(unsigned long more)
{
	volatile int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile int own = 0;

	CHECK(shared != MAP_FAILED);
	for (int i = 0; i < 4; i++) {
		pid_t pid = (pid_t)raw_clone(CLONE_VFORK | more);

		if (pid == 0) {
			own++;
			shared[0]++;
			if (i % 2)
				execl("/bin/sh", "sh", "-c", "exit 5", NULL);
			_exit(6);
		}
		printf("shared %d, own %d\n", shared[0], own);
		show_end("child", pid);
	}
	munmap((void *)shared, 4096);
}

int main(void)
{
	parent_waits(0);
	mixed();
	parent_waits(0);
	parent_waits(CLONE_FILES);
	mixed();
	return guest_end();
}
