/* Anonymous and private mappings and the calls that change them. */
#include "guest.h"

#define PAGE 4096UL
#define MB (1UL << 20)

static char *map(size_t len, int prot, int flags)
{
	char *p = mmap(NULL, len, prot, flags | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static int all_zero(const char *p, size_t n)
{
	while (n--)
		if (*p++)
			return 0;
	return 1;
}

/* Whether the kernel can read, or write, one byte there: tells the protection without a fault. */
static const char *access_of(char *p)
{
	static int fds[2];
	int r, w;

	if (!fds[0])
		CHECK(pipe2(fds, O_NONBLOCK) == 0);
	r = write(fds[1], p, 1) == 1;
	if (!r)
		CHECK(write(fds[1], "x", 1) == 1);
	w = read(fds[0], p, 1) == 1;
	if (!w)
		CHECK(read(fds[0], &(char){ 0 }, 1) == 1);
	return r ? (w ? "rw" : "r") : (w ? "w" : "none");
}

static void anonymous(void)
{
	char *p = map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	CHECK(all_zero(p, 16 * PAGE));
	memset(p, 7, 16 * PAGE);
	SHOW(mprotect(p + 4 * PAGE, PAGE, PROT_READ));
	SHOW(mprotect(p + 5 * PAGE, PAGE, PROT_NONE));
	printf("%s %s %s\n", access_of(p + 3 * PAGE), access_of(p + 4 * PAGE), access_of(p + 5 * PAGE));
	SHOW(mprotect(p + 4 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE));
	printf("%s %d\n", access_of(p + 5 * PAGE), p[5 * PAGE + 9]);
	SHOW(munmap(p + 8 * PAGE, 2 * PAGE));
	printf("%s %s %s\n", access_of(p + 7 * PAGE), access_of(p + 8 * PAGE), access_of(p + 10 * PAGE));
	SHOW(mprotect(p + 6 * PAGE, 4 * PAGE, PROT_READ));
	printf("%s\n", access_of(p + 7 * PAGE));
	CHECK(mmap(p + 8 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
	      p + 8 * PAGE);
	CHECK(all_zero(p + 8 * PAGE, PAGE));
	SHOW_OK(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	CHECK(mmap(p, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
	CHECK(all_zero(p, 2 * PAGE) && p[2 * PAGE] == 7);
	SHOW(madvise(p + 2 * PAGE, 2 * PAGE, MADV_DONTNEED));
	CHECK(all_zero(p + 2 * PAGE, 2 * PAGE));
	SHOW(munmap(p, 16 * PAGE));
	SHOW(munmap(p, 16 * PAGE));
	SHOW(madvise(p, PAGE, MADV_DONTNEED));
	SHOW(mprotect(p, PAGE, PROT_READ));
	SHOW(munmap(p + 1, PAGE));
	SHOW_OK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0));
	SHOW_OK(mmap(NULL, 1UL << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	SHOW_OK(mmap((void *)0x800000000000, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
}

static void moving(void)
{
	char *p = map(4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE), *q, *hole;

	memset(p, 3, 4 * PAGE);
	q = mremap(p, 4 * PAGE, 600 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q[4 * PAGE - 1] == 3 && all_zero(q + 4 * PAGE, 596 * PAGE));
	CHECK(mremap(q, 600 * PAGE, 2 * PAGE, 0) == q);
	printf("%s %s\n", access_of(q + PAGE), access_of(q + 2 * PAGE));
	hole = map(8 * PAGE, PROT_NONE, MAP_PRIVATE);
	CHECK(mremap(q, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, hole + PAGE) == hole + PAGE);
	printf("%s %s %s %d\n", access_of(hole), access_of(hole + PAGE), access_of(q), hole[PAGE]);
	SHOW_OK(mremap(hole + PAGE, 2 * PAGE, 4 * PAGE, 0));
	SHOW_OK(mremap(hole + 1, PAGE, PAGE, MREMAP_MAYMOVE));
	SHOW_OK(mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
}

static void heap(void)
{
	char *start = sbrk(0), *old;

	CHECK(brk(start + 3 * MB) == 0);
	CHECK(all_zero(start, 3 * MB));
	memset(start, 1, 3 * MB);
	CHECK(brk(start + PAGE) == 0);
	printf("%s %s\n", access_of(start), access_of((char *)(((uintptr_t)start + 2 * MB) & ~(PAGE - 1))));
	CHECK(brk(start + 2 * MB) == 0);
	CHECK(all_zero(start + 2 * PAGE, MB));
	old = sbrk(0);
	CHECK(syscall(SYS_brk, 0) == (long)old && syscall(SYS_brk, 5) == (long)old);
	for (int i = 0; i < 200; i++) {
		char *m = malloc(1UL << (i % 22));

		CHECK(m);
		*m = i;
		if (i % 3)
			free(m);
	}
}

static void private_file(void)
{
	int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600), ro = open("text", O_RDONLY);
	char b[16] = "", *p;

	CHECK(write(fd, "0123456789", 10) == 10 && ftruncate(fd, 3 * PAGE) == 0);
	p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	memcpy(p + 2, "xx", 2);
	CHECK(pread(fd, b, 10, 0) == 10);
	printf("file %s memory %.10s\n", b, p);
	SHOW(madvise(p, PAGE, MADV_DONTNEED));
	printf("memory %.10s\n", p);
	SHOW(munmap(p, 3 * PAGE));
	SHOW_OK(p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 2 * PAGE));
	CHECK(all_zero(p, PAGE));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 5));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0));
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, ro, 0);
	CHECK(p != MAP_FAILED && memcmp(p, "first", 5) == 0);
	close(ro);
	CHECK(memcmp(p, "first", 5) == 0 && all_zero(p + 100, PAGE - 100));
	memcpy(p, "FIRST", 5);
	printf("%.10s\n", p);
}

static void large(void)
{
	size_t size = 64UL << 30;
	char *p = map(size, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE), *q;

	SHOW(mprotect(p + (40UL << 30), 4 * MB, PROT_READ | PROT_WRITE));
	memset(p + (40UL << 30), 1, 4 * MB);
	printf("%s %s\n", access_of(p + (39UL << 30)), access_of(p + (40UL << 30) + 3 * MB));
	SHOW(munmap(p, size));
	q = map(64 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE);
	for (size_t i = 0; i < 64 * MB; i += PAGE)
		q[i] = i >> 12;
	printf("sum %08x\n", sum_of(q, 8 * MB));
	SHOW(munmap(q + 3 * MB + PAGE, 2 * PAGE));
	printf("%s %s\n", access_of(q + 3 * MB), access_of(q + 3 * MB + PAGE));
	SHOW(mprotect(q + 6 * MB, PAGE, PROT_READ));
	printf("%s %s\n", access_of(q + 6 * MB), access_of(q + 6 * MB + PAGE));
	SHOW(munmap(q, 64 * MB));
}

static void advice(void)
{
	char *p = map(8 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	unsigned char resident[4] = { 0 };

	SHOW(madvise(p, 8 * MB, MADV_HUGEPAGE));
	SHOW(madvise(p, 8 * MB, MADV_NOHUGEPAGE));
	SHOW(madvise(p, PAGE, MADV_SEQUENTIAL));
	SHOW(madvise(p, PAGE, MADV_WILLNEED));
	SHOW(madvise(p, PAGE, MADV_DONTFORK));
	SHOW(madvise(p, PAGE, 12345));
	p[0] = p[PAGE] = 1;
	SHOW(mlock(p, 2 * PAGE));
	SHOW(mincore(p, 2 * PAGE, resident));
	printf("resident %d %d\n", resident[0] & 1, resident[1] & 1);
	SHOW(munlock(p, 2 * PAGE));
	SHOW(mincore(p, PAGE, (void *)8));
	SHOW(msync(p, PAGE, MS_SYNC));
	SHOW(msync(p, PAGE, MS_SYNC | MS_ASYNC));
	SHOW(mlockall(MCL_CURRENT | MCL_FUTURE) == 0 || errno == ENOMEM || errno == EPERM);
	SHOW(munlockall());
}

static void low_addresses(void)
{
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	CHECK(p != MAP_FAILED && (uintptr_t)p < 1UL << 31);
	*p = 1;
	p = mmap((void *)0x200000000, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p == (void *)0x200000000);
}

int main(void)
{
	anonymous();
	moving();
	heap();
	private_file();
	large();
	advice();
	low_addresses();
	return guest_end();
}
