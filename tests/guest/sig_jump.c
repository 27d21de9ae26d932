/* Leaving handlers by siglongjmp, nested handlers of different signals, and faults inside handlers. */
#include "sigtest.h"

static sigjmp_buf inner;
static volatile int level;

static void mask_now(const char *what)
{
	sigset_t now;

	sigprocmask(SIG_BLOCK, NULL, &now);
	printf("%s: usr1 %d usr2 %d segv %d\n", what, sigismember(&now, SIGUSR1), sigismember(&now, SIGUSR2),
	       sigismember(&now, SIGSEGV));
}

static void on_segv(int sig, siginfo_t *si, void *context)
{
	(void)si, (void)context;
	printf("signal %d at level %d\n", sig, level);
	mask_now("in segv");
	siglongjmp(inner, 1);
}

static void on_usr(int sig, siginfo_t *si, void *context)
{
	(void)si, (void)context;
	level++;
	printf("signal %d at level %d\n", sig, level);
	if (sig == SIGUSR1) {
		raise(SIGUSR2);
		mask_now("in usr1");
		level--;
		siglongjmp(resume, 1);
	}
	if (!sigsetjmp(inner, 1))
		*(volatile int *)8 = 1;
	mask_now("in usr2");
	level--;
}

int main(void)
{
	on_signal(SIGSEGV, on_segv, 0);
	on_signal(SIGUSR1, on_usr, 0);
	on_signal(SIGUSR2, on_usr, 0);
	for (int i = 0; i < 3; i++)
		if (!sigsetjmp(resume, 1))
			raise(SIGUSR1);
	mask_now("main");
	/* Without the mask saved, it stays as it was in the handler. */
	if (!sigsetjmp(resume, 0))
		raise(SIGUSR1);
	mask_now("kept");
	return level;
}
