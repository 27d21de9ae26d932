/* calls N: makes N getppid system calls, by the instruction, and nothing else. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 0;

	while (n-- > 0)
		syscall(SYS_getppid);
	return 0;
}
