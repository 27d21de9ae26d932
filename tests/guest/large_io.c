/* Single calls that move more than any buffer between the program and the recorder holds. */
#include "guest.h"
#include <sys/random.h>
#include <sys/uio.h>

#define SIZE (24UL << 20)

static void fill(unsigned char *p)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < SIZE; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = x >> 24;
	}
}

int main(void)
{
	unsigned char *out = malloc(SIZE), *in = calloc(1, SIZE);
	int fd = open("big", O_RDWR | O_CREAT, 0600);
	struct iovec iov[3] = { { in, 1 << 20 }, { in + (3 << 20), 11 << 20 }, { in + (20 << 20), 4 << 20 } };

	fill(out);
	SHOW(write(fd, out, SIZE));
	SHOW(pread(fd, in, SIZE, 0));
	printf("sum %08x %d\n", sum_of(in, SIZE), memcmp(in, out, SIZE) == 0);
	memset(in, 0, SIZE);
	SHOW(preadv(fd, iov, 3, 1 << 20));
	printf("sum %08x\n", sum_of(in, SIZE));
	/* The middle of one call in a page that may not be written: what fits is read. */
	CHECK(mprotect((void *)(((uintptr_t)in + (8 << 20)) & ~4095UL), 4096, PROT_READ) == 0);
	SHOW(pread(fd, in, SIZE, 0) > 0);
	SHOW(getrandom(in, 1 << 20, 0));
	printf("random %d\n", sum_of(in, 1 << 20) != sum_of(out, 1 << 20));
	close(fd);
	return guest_end();
}
