/* Another process lowers the limit on file sizes while this one writes: the signal comes right behind the write that fails. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "guest.h"

static volatile sig_atomic_t got;

static void on_limit(int sig)
{
	got = sig;
}

static int writes(int told)
{
	int fd = open("grows", O_RDWR | O_CREAT, 0600);
	char byte = 'x';

	signal(SIGXFSZ, on_limit);
	for (long i = 0;; i++) {
		ssize_t n = pwrite(fd, &byte, 1, 4096 + i % 16);

		if (i == 200)
			CHECK(write(told, &byte, 1) == 1);
		if (n == 1 && !got)
			continue;
		CHECK(n == -1 && errno == EFBIG);
		CHECK(got == SIGXFSZ);
		break;
	}
	got = 0;
	CHECK(pwrite(fd, &byte, 1, 9999) == -1 && errno == EFBIG && got == SIGXFSZ);
	CHECK(pwrite(fd, &byte, 1, 1) == 1);
	fflush(stdout);
	return guest_failed;
}

int main(void)
{
	const struct rlimit low = { 1000, 1000 };
	int p[2], status;
	pid_t child;
	char byte;

	CHECK(pipe(p) == 0);
	child = fork();
	if (child == 0)
		_exit(writes(p[1]));
	CHECK(read(p[0], &byte, 1) == 1);
	CHECK(prlimit(child, RLIMIT_FSIZE, &low, NULL) == 0);
	CHECK(waitpid(child, &status, 0) == child);
	SHOW(WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return guest_end();
}
