/*
 * Prints what differs from run to run (programs named any_* are compared with their recording only): clocks, random
 * numbers, ids, addresses, the time stamp counter, file times, sizes of the machine.
 */
#include "guest.h"
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <time.h>
#include <x86intrin.h>

static void hex(const char *what, const void *p, size_t n)
{
	printf("%s ", what);
	for (size_t i = 0; i < n; i++)
		printf("%02x", ((const unsigned char *)p)[i]);
	puts("");
}

int main(int argc, char **argv)
{
	struct { struct timespec now; struct timeval tv; struct rusage usage; struct sysinfo info; struct stat st; struct statfs fs; } v;
	unsigned char random[64];
	int fd;

	(void)argc;
	memset(&v, 0, sizeof(v));
	printf("pid %d ppid %d\n", getpid(), getppid());
	printf("addresses %p %p %p %p\n", (void *)&v, (void *)main, malloc(10), (void *)argv);
	hex("AT_RANDOM", (void *)getauxval(AT_RANDOM), 16);
	for (int i = 0; i < 5; i++) {
		clock_gettime(i % 2 ? CLOCK_REALTIME : CLOCK_MONOTONIC, &v.now);
		hex("clock", &v.now, sizeof(v.now));
		printf("tsc %llu\n", __rdtsc());
	}
	gettimeofday(&v.tv, NULL);
	hex("day", &v.tv, sizeof(v.tv));
	getrusage(RUSAGE_SELF, &v.usage);
	hex("usage", &v.usage, sizeof(v.usage));
	sysinfo(&v.info);
	hex("sysinfo", &v.info, sizeof(v.info));
	CHECK(getrandom(random, sizeof(random), 0) == sizeof(random));
	hex("getrandom", random, sizeof(random));
	fd = open("/dev/urandom", O_RDONLY);
	CHECK(read(fd, random, sizeof(random)) == sizeof(random));
	hex("urandom", random, sizeof(random));
	CHECK(fstat(fd, &v.st) == 0 && statfs("/", &v.fs) == 0);
	hex("stat", &v.st, sizeof(v.st));
	hex("statfs", &v.fs, sizeof(v.fs));
	CHECK(stat("text", &v.st) == 0);
	hex("stat", &v.st, sizeof(v.st));
	printf("time %ld clock %ld\n", (long)time(NULL), (long)clock());
	return guest_end();
}
