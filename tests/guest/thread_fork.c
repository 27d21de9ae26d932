/* Processes made by a thread while others run: fork with handlers, threads in the child, vfork, posix_spawn, system. */
#include <spawn.h>
#include "proctest.h"
#include "threadtest.h"

static atomic_int stop;
static volatile unsigned long spins;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static __thread int mine;

static void *compute(void *arg)
{
	(void)arg;
	while (!stop)
		spins++;
	return NULL;
}

static void *allocate(void *arg)
{
	(void)arg;
	while (!stop) {
		void *p = malloc(5000);

		memset(p, 1, 5000);
		free(p);
	}
	return NULL;
}

static void prepare(void) { puts("prepare"); pthread_mutex_lock(&lock); }
/* What it printed could come before or after what the child prints. */
static int parents;
static void parent(void) { pthread_mutex_unlock(&lock); parents++; }
static void child(void) { pthread_mutex_unlock(&lock); puts("child"); }

static void *one(void *arg)
{
	mine = 5;
	return arg;
}

static int in_the_child(void)
{
	pthread_t t[4];
	uintptr_t sum = 0;
	void *p = malloc(100000);

	CHECK(p && mine == 3 && gettid_raw() == getpid());
	free(p);
	for (uintptr_t i = 0; i < 4; i++)
		t[i] = start(one, (void *)i);
	for (int i = 0; i < 4; i++)
		sum += (uintptr_t)join(t[i]);
	CHECKP(pthread_mutex_trylock(&lock));
	CHECKP(pthread_mutex_unlock(&lock));
	printf("threads of the child: %lu\n", (unsigned long)sum);
	in_child("its child", guest_end);
	return guest_end();
}

static void *forker(void *arg)
{
	char *argv[] = { "true", NULL };
	extern char **environ;
	pid_t pid;

	(void)arg;
	mine = 3;
	fflush(stdout);
	in_child("forked by a thread", in_the_child);
	for (int i = 0; i < 5; i++) {
		pid = vfork();
		if (pid == 0)
			_exit(20 + i);
		show_end("vfork", pid);
	}
	CHECKP(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ));
	show_end("posix_spawn", pid);
	show_status("system", system("exit 9"));
	return NULL;
}


int main(void)
{
	pthread_t c, a;

	by_line();
	c = start(compute, NULL);
	a = start(allocate, NULL);
	pthread_atfork(prepare, parent, child);
	join(start(forker, NULL));
	stop = 1;
	join(c);
	join(a);
	setvbuf(stdout, NULL, _IOFBF, BUFSIZ);
	printf("handlers of the parent: %d\n", parents);
	return guest_end();
}
