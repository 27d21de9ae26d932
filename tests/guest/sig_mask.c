/* Masks: blocking, pending, the order in which several are delivered, and the mask inside a handler. */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

#include "sigtest.h"

static void mask_now(const char *what)
{
	sigset_t now;

	sigprocmask(SIG_BLOCK, NULL, &now);
	printf("%s:", what);
	for (int sig = 1; sig < 65; sig++)
		if (sigismember(&now, sig) == 1)
			printf(" %d", sig);
	printf("\n");
}

static void handler(int sig, siginfo_t *si, void *context)
{
	const ucontext_t *uc = context;

	printf("signal %d code %d, frame mask %#lx\n", sig, si->si_code, *(const unsigned long *)&uc->uc_sigmask);
	mask_now("inside");
}

static void pending(void)
{
	sigset_t set;

	sigpending(&set);
	printf("pending:");
	for (int sig = 1; sig < 65; sig++)
		if (sigismember(&set, sig) == 1)
			printf(" %d", sig);
	printf("\n");
}

static void both(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGUSR1);
	sigaddset(set, SIGUSR2);
}

static int err(long rc)
{
	return rc < 0 ? errno : 0;
}

/* Each of these waits with a mask that lets SIGUSR1 through while it is blocked and pending. */
static void waits(void)
{
	struct timespec second = { .tv_sec = 5 };
	struct epoll_event ev;
	sigset_t open;
	int ep = epoll_create1(0);

	sigemptyset(&open);
	sigaddset(&open, SIGUSR2);
	sigaddset(&open, SIGHUP);
	raise(SIGUSR1);
	printf("sigsuspend %d\n", err(sigsuspend(&open)));
	mask_now("after");
	raise(SIGUSR1);
	printf("ppoll %d\n", err(ppoll(NULL, 0, &second, &open)));
	mask_now("after");
	raise(SIGUSR1);
	printf("pselect %d\n", err(pselect(0, NULL, NULL, NULL, &second, &open)));
	mask_now("after");
	raise(SIGUSR1);
	printf("epoll_pwait %d\n", err(epoll_pwait(ep, &ev, 1, 5000, &open)));
	mask_now("after");
	raise(SIGUSR1);
	second.tv_sec = 0;
	printf("ppoll without waiting %d\n", err(ppoll(NULL, 0, &second, &open)));
	pending();
}

int main(void)
{
	sigset_t set, old, empty;
	unsigned long raw = ~0UL;

	on_signal(SIGUSR1, handler, 0);
	on_signal(SIGUSR2, handler, 0);
	on_signal(SIGTERM, handler, 0);
	mask_now("fresh");
	both(&set);
	printf("block %d\n", sigprocmask(SIG_BLOCK, &set, &old));
	raise(SIGUSR2);
	raise(SIGUSR1);
	raise(SIGUSR1);
	pending();
	printf("unblock\n");
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	pending();
	sigprocmask(SIG_BLOCK, &set, NULL);
	waits();
	raise(SIGUSR2);
	raise(SIGUSR1);
	sigemptyset(&empty);
	/* Both at once: the second handler runs on top of the first one's frame. */
	printf("suspend with two\n");
	printf("%d\n", err(sigsuspend(&empty)));
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	pending();
	signal(SIGUSR1, SIG_DFL);
	raise(SIGUSR1);
	pending();
	signal(SIGUSR1, SIG_IGN);
	pending();
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &raw, NULL, 8);
	mask_now("all");
	printf("how %d", err(syscall(SYS_rt_sigprocmask, 7, &raw, NULL, 8)));
	printf(" how without set %d", err(syscall(SYS_rt_sigprocmask, 7, NULL, &raw, 8)));
	printf(" size %d", err(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &raw, NULL, 16)));
	printf(" pointer %d", err(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 16, NULL, 8)));
	printf(" out %d\n", err(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, 16, 8)));
	return 0;
}
