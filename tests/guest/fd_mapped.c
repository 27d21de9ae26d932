/* A mapped file changes by calls on descriptors: the mapping shows it at once. */
#include "guest.h"
#include <linux/falloc.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define PAGE 4096

/* A writable private mapping may or may not show such changes (mmap(2)); read-only ones do on Linux. */
static void show(const char *what, const char *shared, const char *private)
{
	printf("%s: %08x %08x '%.6s' '%.6s'\n", what, sum_of(shared, 2 * PAGE), sum_of(private, 2 * PAGE), shared, private);
}

int main(void)
{
	struct iovec v[2] = { { "vec", 3 }, { "tor", 3 } };
	char page[PAGE];
	int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0600), from = open("from", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int add, tube[2];
	char *s, *p, *r;
	off_t off = 0;

	memset(page, 'a', PAGE);
	CHECK(write(fd, page, PAGE) == PAGE && write(fd, page, PAGE) == PAGE);
	CHECK(write(from, "transferred", 11) == 11 && lseek(from, 0, SEEK_SET) == 0);
	s = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	r = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(s != MAP_FAILED && p != MAP_FAILED && r != MAP_FAILED);
	show("mapped", s, p);
	SHOW(pwrite(fd, "pwrite", 6, 0));
	show("pwrite", s, p);
	SHOW(lseek(fd, 0, SEEK_SET));
	SHOW(write(fd, "written", 7));
	show("write", s, p);
	SHOW(writev(fd, v, 2));
	show("writev", s, p);
	SHOW(pwrite(fd, "across", 6, PAGE - 3));
	show("across", s, p);
	add = open("mapped", O_WRONLY);
	SHOW(pwrite(add, "other", 5, 0));
	show("another descriptor", s, p);
	SHOW(lseek(fd, 100, SEEK_SET));
	SHOW(sendfile(fd, from, &off, 11));
	show("sendfile", s, p);
	CHECK(pipe(tube) == 0 && write(tube[1], "tube", 4) == 4);
	SHOW(splice(tube[0], NULL, fd, NULL, 4, 0));
	show("splice", s, p);
	SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10, 200));
	show("hole", s, p);
	SHOW(ftruncate(fd, 6000));
	show("shorter", s, p);
	SHOW(truncate("mapped", 5000));
	SHOW(ftruncate(fd, 2 * PAGE));
	show("longer", s, p);
	s[1] = 'S';
	CHECK(!memcmp(s, r, 2 * PAGE));
	SHOW(pread(fd, page, 3, 0));
	printf("%.3s\n", page);
	return guest_end();
}
