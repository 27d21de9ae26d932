/* /proc/self/mem: this program's own memory through a descriptor, and nothing else. */
#include "guest.h"
#include <sys/uio.h>

static const volatile char constant[4096] __attribute__((aligned(4096))) = "constant";
static char variable[64] = "variable";

static void reading(int fd)
{
	char a[16] = "", b[4] = "";
	struct iovec v[2] = { { b, 3 }, { a, 5 } };

	SHOW(pread(fd, a, 9, (off_t)(uintptr_t)variable));
	puts(a);
	CHECK(lseek(fd, (off_t)(uintptr_t)constant, SEEK_SET) == (off_t)(uintptr_t)constant);
	SHOW(read(fd, a, 4));
	SHOW(read(fd, a + 4, 5));
	puts(a);
	CHECK(lseek(fd, 0, SEEK_CUR) == (off_t)(uintptr_t)constant + 9);
	SHOW(preadv(fd, v, 2, (off_t)(uintptr_t)variable));
	printf("%s %.5s\n", b, a);
}

static void writing(int fd)
{
	SHOW(pwrite(fd, "changed!", 8, (off_t)(uintptr_t)variable));
	puts(variable);
	/* The access goes past the page's protection, as a debugger's does. */
	SHOW(pwrite(fd, "CONST", 5, (off_t)(uintptr_t)constant));
	printf("%s\n", (const char *)(uintptr_t)constant);
}

static void refused(int fd)
{
	char a[16];
	char *gap = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int only = open("/proc/self/mem", O_RDONLY);

	CHECK(munmap(gap + 4096, 8192) == 0);
	memset(gap, 'g', 4096);
	SHOW(pread(fd, a, 16, (off_t)(uintptr_t)gap + 4090));
	SHOW(pread(fd, a, 16, (off_t)(uintptr_t)gap + 4096));
	SHOW(pwrite(fd, a, 16, (off_t)(uintptr_t)gap + 4096));
	SHOW(pread(fd, a, 16, 0));
	SHOW(pread(fd, a, 16, 0x7ffffffff000));
	SHOW(pread(fd, a, 0, (off_t)(uintptr_t)gap));
	SHOW(write(only, a, 1));
	SHOW(close(only));
}

/* Through a duplicate, and a descriptor reached by another road. */
static void roads(int fd)
{
	char path[64], a[8] = "";
	int copy = dup(fd), again;

	SHOW(pread(copy, a, 7, (off_t)(uintptr_t)variable));
	puts(a);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/mem", (int)getpid(), (int)getpid());
	again = open(path, O_RDONLY);
	SHOW(pread(again, a, 3, (off_t)(uintptr_t)variable));
	puts(a);
	SHOW(close(copy));
	SHOW(close(again));
}

int main(void)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0);
	reading(fd);
	writing(fd);
	refused(fd);
	roads(fd);
	return guest_end();
}
