/* Shared mappings: two views of one memory, and a file seen through memory and through calls at the same time. */
#include "guest.h"

#define PAGE 4096UL

static void file(void)
{
	int fd = open("shared", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char b[16] = "", *p, *q;

	CHECK(ftruncate(fd, 4 * PAGE) == 0);
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 3 * PAGE);
	CHECK(p != MAP_FAILED && q != MAP_FAILED);
	memcpy(p + 3 * PAGE, "through memory", 14);
	printf("other view: %.14s\n", q);
	SHOW(pread(fd, b, 14, 3 * PAGE));
	printf("read: %s\n", b);
	SHOW(pwrite(fd, "THROUGH A CALL", 14, 3 * PAGE));
	printf("views: %.14s, %.14s\n", p + 3 * PAGE, q);
	SHOW(msync(p, 4 * PAGE, MS_SYNC));
	SHOW(munmap(p, 4 * PAGE));
	printf("left: %.14s\n", q);
	SHOW(ftruncate(fd, 8 * PAGE));
	p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p[7 * PAGE] = 'z';
	SHOW(pread(fd, b, 1, 7 * PAGE));
	printf("%c\n", b[0]);
	close(fd);
	p[0] = 'y';
	fd = open("shared", O_RDONLY);
	SHOW(read(fd, b, 1));
	printf("%c\n", b[0]);
	close(fd);
}

static void memory_file(void)
{
	int fd = memfd_create("views", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char *p, *q;

	CHECK(fd >= 0 && ftruncate(fd, 2 * PAGE) == 0);
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	q = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	strcpy(p + PAGE - 4, "across a page");
	puts(q + PAGE - 4);
	SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	SHOW(fcntl(fd, F_GET_SEALS));
	SHOW(ftruncate(fd, PAGE));
}

static void anonymous(void)
{
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), *q;

	strcpy(p, "shared, anonymous");
	q = mremap(p, 0, 2 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q != p);
	strcpy(p + PAGE, "second view");
	puts(q);
	puts(q + PAGE);
	SHOW(munmap(p, 2 * PAGE));
	puts(q);
}

int main(void)
{
	file();
	memory_file();
	anonymous();
	return guest_end();
}
