/* The first thread ends before the others, which go on, start more, fork, take signals, and end the process. */
#include <signal.h>
#include "proctest.h"
#include "threadtest.h"

static pthread_t first;
static volatile sig_atomic_t hits;

static void on_usr1(int sig)
{
	(void)sig;
	hits++;
}

static int child(void)
{
	return 12;
}

static void *more(void *arg)
{
	return arg;
}

static void *go_on(void *arg)
{
	(void)arg;
	CHECKP(pthread_join(first, NULL));
	AWAIT(state_of(getpid()) == 'Z' || state_of(getpid()) == 'S');
	puts("the first thread has ended");
	CHECK(join(start(more, (void *)3)) == (void *)3);
	in_child("a child", child);
	signal(SIGUSR1, on_usr1);
	kill(getpid(), SIGUSR1);
	AWAIT(hits == 1);
	printf("%d signal\n", hits);
	exit(guest_end());
}

int main(void)
{
	by_line();
	first = pthread_self();
	start(go_on, NULL);
	pthread_exit(NULL);
}
