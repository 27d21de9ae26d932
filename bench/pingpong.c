/* pingpong pipe|futex N: N times there and back between two processes by pipes, or between two threads by a futex. */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_int turn;
static long n;

static void play(int mine)
{
	for (long i = 0; i < n; i++) {
		while (atomic_load(&turn) != mine)
			syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, !mine, NULL, NULL, 0);
		atomic_store(&turn, !mine);
		syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
}

static void *other(void *arg)
{
	play(1);
	return arg;
}

static int futexes(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, other, NULL))
		return 1;
	play(0);
	return pthread_join(t, NULL);
}

static int pipes(void)
{
	int there[2], back[2], status = 1;
	char c = 0;
	pid_t pid;

	if (pipe(there) < 0 || pipe(back) < 0)
		return 1;
	pid = fork();
	for (long i = 0; i < n; i++) {
		int *first = pid ? there : back, *second = pid ? back : there;

		if (pid && write(first[1], &c, 1) != 1)
			return 1;
		if (read(second[0], &c, 1) != 1)
			return 1;
		if (!pid && write(first[1], &c, 1) != 1)
			return 1;
	}
	return pid && (waitpid(pid, &status, 0) != pid || status);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	n = atol(argv[2]);
	return strcmp(argv[1], "pipe") ? futexes() : pipes();
}
