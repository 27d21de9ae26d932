/* A bit of everything that people ask a debugger about. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct node {
	int id;
	struct node *next;
	char name[16];
};

struct node *head;
int counter;
static pthread_barrier_t named;

static void on_usr1(int sig)
{
	counter += sig;
}

int fact(int n)
{
	if (n <= 1)
		return 1;
	return n * fact(n - 1); /* recursion */
}

static void locals(void)
{
	int loc = 1;

	loc += 2;
	loc *= 3;
	counter += loc;
}

void push(int id)
{
	struct node *n = malloc(sizeof(*n));

	n->id = id;
	n->next = head;
	snprintf(n->name, sizeof(n->name), "node %d", id);
	head = n;
}

static void *worker(void *arg)
{
	if (arg)
		pthread_setname_np(pthread_self(), "named itself");
	pthread_barrier_wait(&named);
	counter++; /* in a thread */
	return arg;
}

static void spawn(void)
{
	pid_t child = vfork();

	if (child == 0) {
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
	pthread_t t[2];
	double (*square_root)(double);

	signal(SIGUSR1, on_usr1);
	for (int i = 0; i < 5; i++)
		push(i);
	locals();
	printf("fact %d\n", fact(5)); /* fact */
	raise(SIGUSR1);
	*(void **)&square_root = dlsym(dlopen("libm.so.6", RTLD_NOW), "sqrt");
	printf("%.0f\n", square_root(counter * counter));
	spawn();
	spawn();
	pthread_barrier_init(&named, NULL, 3);
	for (long i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, worker, (void *)i);
	pthread_setname_np(t[0], "named by main");
	pthread_barrier_wait(&named);
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	fact(3); /* last */
	return argc == 1 && argv[0] ? 4 : 0;
}
