/* A process that forks and then becomes another program image. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int plus_one(int x)
{
	return x + 1; /* plus */
}

int main(int argc, char **argv)
{
	int status;
	pid_t child;

	setvbuf(stdout, NULL, _IONBF, 0);
	if (argc > 1)
		return plus_one(40);
	child = fork();
	if (child == 0) {
		status = plus_one(1);
		printf("child %d\n", status);
		_exit(plus_one(status));
	}
	waitpid(child, &status, 0); /* wait */
	printf("status %d\n", WEXITSTATUS(status));
	execl(argv[0], argv[0], "again", NULL);
	return 1;
}
