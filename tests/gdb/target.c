/* What the scripts beside this file debug. They look for lines by the marks in comments. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int global;
struct pair {
	int first, second;
} object;
long *cell;
char buffer[16];
volatile int caught;

int leaf(int x)
{
	global += x; /* leaf */
	return x * 2;
}

int work(int n)
{
	int sum = 0; /* work */

	for (int i = 0; i < n; i++)
		sum += leaf(i); /* loop */
	return sum; /* worked */
}

static void handler(int sig)
{
	caught = sig; /* handler */
}

static void through_pipe(void)
{
	int p[2];

	if (pipe(p) || write(p[1], "hello", 5) != 5 || read(p[0], buffer, 5) != 5) /* pipe */
		abort();
	close(p[0]);
	close(p[1]);
}

int sum_of(int a, int b)
{
	return a + b;
}

char *copy_of(const char *s)
{
	return strdup(s);
}

int main(void)
{
	int r; /* main */

	setvbuf(stdout, NULL, _IONBF, 0);
	printf("begin\n");
	object.first = 1;
	cell = malloc(sizeof(*cell));
	*cell = 5; /* cell */
	r = work(10); /* call */
	object.second = r; /* member */
	signal(SIGUSR1, handler);
	raise(SIGUSR1); /* raise */
	through_pipe();
	*cell = r; /* cell again */
	free(cell);
	r += work(3);
	printf("end %d %d\n", r, sum_of(caught, global)); /* last */
	return 0;
}
