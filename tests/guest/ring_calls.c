/*
 * Thousands of calls whose results fit in the replay ring, with everything between them that does not: output, large reads,
 * memory that cannot be written, mappings, signals.
 */
#include <signal.h>
#include <time.h>

#include "guest.h"

#define ROUNDS 1200

static volatile sig_atomic_t signals;

static void count(int sig)
{
	signals += sig == SIGUSR1;
}

/* Calls without a library between. */
static long raw(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return ret;
}

static void refused_memory(int zero, char *read_only)
{
	CHECK(raw(SYS_read, zero, (long)read_only, 8) == -EFAULT);
	CHECK(raw(SYS_read, zero, 16, 8) == -EFAULT);
	CHECK(raw(SYS_read, zero, -4096, 8) == -EFAULT);
	/* The page behind has gone: less than was asked for. */
	CHECK(raw(SYS_read, zero, (long)read_only - 8, 16) == 8);
	CHECK(raw(SYS_clock_gettime, CLOCK_MONOTONIC, (long)read_only, 0) == -EFAULT);
	CHECK(raw(SYS_access, (long)"/", F_OK, 0) == 0);
	CHECK(raw(SYS_access, 16, F_OK, 0) == -EFAULT);
}

/* A buffer that lies across pages of several mappings, and has no page of its own yet. */
static unsigned across(int fd)
{
	char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned sum;

	CHECK(p != MAP_FAILED && mprotect(p + 4096, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	CHECK(pread(fd, p + 4096 - 50, 100, 0) == 100);
	CHECK(pread(fd, p + 2 * 4096 - 50, 100, 100) == 100);
	sum = sum_of(p, 3 * 4096);
	CHECK(munmap(p, 3 * 4096) == 0);
	return sum;
}

int main(void)
{
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY), fd = open("ring", O_RDWR | O_CREAT, 0600);
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), buf[5000];
	struct timespec then = { 0 }, now;
	pid_t parent = getppid();
	struct stat st;
	unsigned sum = 0;

	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (char)(i * 7 + i / 256);
	CHECK(write(fd, buf, sizeof(buf)) == sizeof(buf));
	CHECK(mprotect(pages + 4096, 4096, PROT_READ) == 0);
	signal(SIGUSR1, count);
	for (unsigned i = 0; i < ROUNDS; i++) {
		CHECK(getppid() == parent);
		CHECK(raw(SYS_getppid, 0, 0, 0) == parent);
		CHECK(read(zero, buf, i % 40) == (int)(i % 40));
		CHECK(pread(fd, buf + 1, 3 + i % 300, i) == 3 + i % 300);
		sum = sum * 31 + sum_of(buf, 310);
		CHECK(raw(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0) == 0);
		CHECK(now.tv_sec > then.tv_sec || (now.tv_sec == then.tv_sec && now.tv_nsec >= then.tv_nsec));
		then = now;
		CHECK(fstat(fd, &st) == 0 && st.st_size == 5000);
		CHECK(stat("ring", &st) == 0 && st.st_size == 5000);
		CHECK(stat("nothing", &st) == -1 && errno == ENOENT);
		CHECK(write(null, buf, i % 600) == (int)(i % 600));
		CHECK(lseek(fd, i, SEEK_SET) == (off_t)i);
		if (i % 100 == 7)
			sum = sum * 31 + across(fd);
		if (i % 100 == 17)
			refused_memory(zero, pages + 4096);
		if (i % 100 == 27)
			CHECK(pread(fd, buf, 4096, 8) == 4096);
		if (i % 100 == 37)
			CHECK(raise(SIGUSR1) == 0);
		if (i % 200 == 47) {
			printf("round %u: %u, %d signals\n", i, sum, (int)signals);
			fflush(stdout);
		}
	}
	printf("sum %u\n", sum);
	return guest_end();
}
