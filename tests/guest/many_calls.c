/* Some thousands of small calls of several kinds. */
#include "guest.h"

int main(void)
{
	int p[2], zero = open("/dev/zero", O_RDONLY), fd = open("many", O_RDWR | O_CREAT, 0600);
	unsigned sum = 0, v;
	pid_t parent = getppid();
	char c[40];

	CHECK(pipe(p) == 0 && zero >= 0);
	for (unsigned i = 0; i < 700; i++) {
		CHECK(getppid() == parent);
		CHECK(write(p[1], &i, sizeof(i)) == sizeof(i));
		CHECK(read(p[0], &v, sizeof(v)) == sizeof(v));
		sum = sum * 31 + v;
		CHECK(read(zero, c, i % 40) == (int)(i % 40));
		CHECK(pwrite(fd, &i, 4, i * 4L) == 4);
		CHECK(lseek(fd, i, SEEK_SET) == (off_t)i);
	}
	printf("sum %u\n", sum);
	return guest_end();
}
