/* Signals that arrive while a process is being made, with and without memory that it shares. */
#include <sys/mman.h>

#include "proctest.h"

#define TIMES 12

static volatile int *shared;

static void on_usr1(int sig)
{
	(void)sig;
	if (shared)
		(*shared)++;
	_exit(7);
}

static void send(int sig, const char *what)
{
	pid_t pid[TIMES];
	int as_expected = 0;

	for (int i = 0; i < TIMES; i++) {
		pid[i] = fork();
		if (pid[i] == 0)
			for (;;)
				pause();
		CHECK(kill(pid[i], sig) == 0);
	}
	for (int i = 0; i < TIMES; i++) {
		int status = wait_for(pid[i]);

		as_expected += sig == SIGKILL ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
					      : WIFEXITED(status) && WEXITSTATUS(status) == 7;
	}
	printf("%s: %d ended as they should\n", what, as_expected);
}

int main(void)
{
	struct sigaction act = { .sa_handler = on_usr1 };

	by_line();
	CHECK(sigaction(SIGUSR1, &act, NULL) == 0);
	send(SIGKILL, "killed");
	send(SIGUSR1, "signalled");
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	send(SIGKILL, "killed, with shared memory");
	send(SIGUSR1, "signalled, with shared memory");
	printf("%d\n", *shared);
	return 0;
}
