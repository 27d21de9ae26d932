/* What a process has written to shared memory when SIGKILL ends it in the middle of a computation: the others see it. */
#include <stdbool.h>

#include "proctest.h"

#define PAGES 8
#define PAGE 4096UL

static volatile uint64_t *word(volatile char *area, unsigned page)
{
	return (volatile uint64_t *)(area + page * PAGE);
}

/* Counts without a system call until it is killed. The last page is never touched. */
static void compute(volatile char *area)
{
	for (uint64_t n = 1;; n++)
		for (unsigned i = 0; i < PAGES - 1; i++)
			*word(area, i) += n * (i + 1);
}

static void one(const char *name, volatile char *area, bool by_another)
{
	pid_t pid = fork(), killer;
	char command[32];
	uint64_t sum = 0;
	int st;

	if (pid == 0)
		compute(area);
	while (!*word(area, 0)) /* it has the processor when nobody else wants it */
		usleep(1000);
	if (by_another) {
		/* One that shares nothing with it and waits for nobody: it is killed while it computes. */
		snprintf(command, sizeof(command), "kill -9 %d", pid);
		killer = fork();
		if (killer == 0)
			execl("/bin/sh", "sh", "-c", command, NULL);
		CHECK(waitpid(killer, &st, 0) == killer && st == 0);
	} else {
		CHECK(kill(pid, SIGKILL) == 0);
	}
	CHECK(waitpid(pid, &st, 0) == pid);
	for (unsigned i = 0; i < PAGES; i++)
		sum += *word(area, i);
	/* In the recording and its replays it is the same. */
	printf("%s: %s, sum is %s\n", name, WIFSIGNALED(st) ? "killed" : "ended", sum ? "there" : "missing");
	if (getenv("SHARE_KILLED_SUM"))
		printf("%#lx\n", sum);
	for (unsigned i = 0; i < PAGES; i++)
		*word(area, i) = 0;
	/* What is done next depends on every bit. */
	for (; sum; sum &= sum - 1)
		getppid();
}

int main(void)
{
	volatile char *area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("shared", 0);

	by_line();
	for (int i = 0; i < 4; i++)
		one("anonymous", area, i & 1);
	CHECK(fd >= 0 && ftruncate(fd, (off_t)(PAGES * PAGE)) == 0);
	area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (int i = 0; i < 4; i++)
		one("memfd", area, i & 1);
	return guest_end();
}
