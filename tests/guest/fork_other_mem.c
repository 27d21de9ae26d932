/* Writing to a child's memory: process_vm_writev and /proc/PID/mem, while it waits and when it has just been born. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "guest.h"

#define PAGE 4096
#define ROUNDS 20

static char text[64] = "as it was";
static char numbers[ROUNDS][8];
static int to_child[2], to_parent[2];

static void await(int fd)
{
	char c;

	CHECK(read(fd, &c, 1) == 1);
}

static void go(int fd)
{
	CHECK(write(fd, "x", 1) == 1);
}

static void child(const char *page)
{
	printf("born: %s\n", text);
	for (int i = 0; i < ROUNDS; i++) {
		fflush(stdout);
		go(to_parent[1]);
		await(to_child[0]);
		printf("%d: %s %s\n", i, text, numbers[i]);
		text[0] = (char)('A' + i);
	}
	printf("read-only: %s\n", page);
	fflush(stdout);
	go(to_parent[1]);
	await(to_child[0]);
	_exit(7);
}

static ssize_t poke(pid_t pid, const void *from, void *to, size_t len)
{
	struct iovec local = { (void *)(uintptr_t)from, len }, remote = { to, len };

	return process_vm_writev(pid, &local, 1, &remote, 1, 0);
}

int main(void)
{
	char *page = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), name[32], back[8] = "";
	struct iovec local = { back, 5 }, remote = { text, 5 };
	int mem, status;
	pid_t pid;

	CHECK(page != MAP_FAILED && munmap(page + PAGE, PAGE) == 0 && pipe(to_child) == 0 && pipe(to_parent) == 0);
	pid = fork();
	if (pid == 0) {
		await(to_child[0]);
		child(page);
	}
	CHECK(poke(pid, "at birth", text, 9) == 9); /* it may not have run yet */
	go(to_child[1]);
	snprintf(name, sizeof(name), "/proc/%d/mem", pid);
	mem = open(name, O_RDWR);
	CHECK(mem >= 0);
	for (int i = 0; i < ROUNDS; i++) {
		char number[8];

		await(to_parent[0]);
		snprintf(number, sizeof(number), "n%d", i);
		CHECK(poke(pid, number, numbers[i], sizeof(number)) == sizeof(number));
		CHECK(pwrite(mem, "mem", 3, (off_t)(uintptr_t)(text + 3)) == 3);
		if (i == ROUNDS - 1)
			CHECK(pwrite(mem, "written all the same", 21, (off_t)(uintptr_t)page) == 21);
		/* Refused, or only its beginning. */
		if (poke(pid, text, page, 4) != -1)
			printf("wrote to a read-only page\n");
		go(to_child[1]);
	}
	await(to_parent[0]);
	CHECK(process_vm_readv(pid, &local, 1, &remote, 1, 0) == 5);
	printf("back: %s\n", back);
	go(to_child[1]);
	CHECK(waitpid(pid, &status, 0) == pid);
	printf("exit %d\n", WEXITSTATUS(status));
	return guest_end();
}
