/* Many children at once, and one that is killed while its parent waits. */
#include "proctest.h"

#define CHILDREN 200

static void bomb(void)
{
	struct gate g;
	pid_t pid[CHILDREN];
	long sum = 0, byte_sum = 0;
	unsigned char b;

	gate_make(&g);
	for (int i = 0; i < CHILDREN; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			b = (unsigned char)i;
			_exit(write(g.fd[1], &b, 1) == 1 ? i & 0x7f : 0x80);
		}
		CHECK(pid[i] > 0);
	}
	for (int i = 0; i < CHILDREN; i++) {
		CHECK(read(g.fd[0], &b, 1) == 1);
		byte_sum += b;
	}
	for (int i = 0; i < CHILDREN; i++)
		sum += wait_for(pid[i]) >> 8;
	printf("statuses %ld, bytes %ld\n", sum, byte_sum);
	SHOW(wait(NULL));
}

/* A chain: each process makes the next. */
static void chain(int depth)
{
	pid_t pid = 0;

	while (depth-- && (pid = fork()) == 0)
		;
	_exit(pid ? (wait_for(pid) >> 8) + 1 : 1);
}

static void killed(void)
{
	pid_t pid = fork(), killer;

	if (pid == 0) {
		volatile unsigned long n = 0;

		for (;;)
			n++;
	}
	killer = fork();
	if (killer == 0) {
		usleep(20000);
		_exit(kill(pid, SIGKILL) == 0 ? 0 : 1);
	}
	show_end("in a computation", pid);
	show_end("killer", killer);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(1);
	}
	killer = fork();
	if (killer == 0) {
		usleep(20000);
		_exit(kill(pid, SIGKILL) == 0 ? 0 : 1);
	}
	show_end("in a system call", pid);
	show_end("killer", killer);
}

int main(void)
{
	pid_t pid;

	by_line();
	bomb();
	pid = fork();
	if (pid == 0)
		chain(30);
	show_end("chain", pid);
	for (int i = 0; i < 3; i++)
		killed();
	return guest_end();
}
