/* calls N [KIND]: makes N system calls of one kind, by the instruction, and nothing else. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static const char *const kinds[] = { "getppid", "read", "write", "clock", "stat" };
	long n = argc > 1 ? atol(argv[1]) : 0;
	const char *kind = argc > 2 ? argv[2] : kinds[0];
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
	struct timespec ts;
	struct stat st;
	char c = 0;
	unsigned k;

	for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]) && strcmp(kind, kinds[k]); k++)
		;
	while (n-- > 0) {
		switch (k) {
		case 0: syscall(SYS_getppid); break;
		case 1: syscall(SYS_read, zero, &c, 1); break;
		case 2: syscall(SYS_write, null, &c, 1); break;
		case 3: syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts); break;
		case 4: syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &st, 0); break;
		default: fprintf(stderr, "calls: no kind %s\n", kind); return 2;
		}
	}
	return 0;
}
