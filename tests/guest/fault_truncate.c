/* Files that change their size while they are mapped: which pages are there, and what they hold. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include "guest.h"

#define PAGE 4096L

static sigjmp_buf away;

static void on_bus(int sig)
{
	siglongjmp(away, sig);
}

static void look(volatile unsigned char *p, long at)
{
	int sig = sigsetjmp(away, 1);

	if (sig)
		printf("  %ld: signal %d\n", at, sig);
	else
		printf("  %ld: %d\n", at, p[at]);
}

static void look_all(const char *when, volatile unsigned char *p)
{
	static const long at[] = { 0, 1, 99, 101, PAGE, PAGE + 1, PAGE + 100, 2 * PAGE, 2 * PAGE + 808, 3 * PAGE };

	printf(" %s\n", when);
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++)
		look(p, at[i]);
}

static void resize(const char *name, int fd, int flags, int touched)
{
	unsigned char *p;

	printf("%s%s\n", name, touched ? "" : ", not written to");
	CHECK(ftruncate(fd, 2 * PAGE) == 0 && pwrite(fd, "ABCDEF", 6, 0) == 6 && pwrite(fd, "abcdef", 6, PAGE) == 6);
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
	CHECK(p != MAP_FAILED);
	look_all("mapped", p);
	if (touched)
		p[1] = p[PAGE + 1] = 77;
	CHECK(ftruncate(fd, PAGE) == 0);
	look_all("one page", p);
	CHECK(ftruncate(fd, 2 * PAGE) == 0);
	look_all("two pages", p);
	if (touched)
		p[PAGE + 100] = 78;
	CHECK(ftruncate(fd, 3 * PAGE) == 0);
	look_all("three pages", p);
	CHECK(ftruncate(fd, 100) == 0);
	look_all("100 bytes", p);
	CHECK(pwrite(fd, "zz", 2, 2 * PAGE + 808) == 2);
	look_all("written behind the end", p);
	CHECK(munmap(p, 4 * PAGE) == 0);
}

static void emptied(const char *name, int flags)
{
	int fd = open("emptied", O_RDWR | O_CREAT | O_TRUNC, 0600), again;
	unsigned char *p;

	CHECK(fd >= 0 && write(fd, "content", 7) == 7);
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
	CHECK(p != MAP_FAILED);
	p[1] = 'x';
	again = open("emptied", O_WRONLY | O_TRUNC);
	CHECK(again >= 0);
	look_all(name, p);
	CHECK(write(again, "other", 5) == 5);
	look_all("filled again", p);
	munmap(p, 4 * PAGE);
	close(fd);
	close(again);
	unlink("emptied");
}

int main(void)
{
	int file = open("sized", O_RDWR | O_CREAT | O_TRUNC, 0600), memory = memfd_create("sized", 0);

	signal(SIGBUS, on_bus);
	CHECK(file >= 0 && memory >= 0);
	for (int touched = 0; touched < 2; touched++) {
		resize("file, private", file, MAP_PRIVATE, touched);
		resize("file, shared", file, MAP_SHARED, touched);
		resize("memory, private", memory, MAP_PRIVATE, touched);
		resize("memory, shared", memory, MAP_SHARED, touched);
	}
	emptied("private", MAP_PRIVATE);
	emptied("shared", MAP_SHARED);
	unlink("sized");
	return guest_end();
}
