/* sigaction: every flag's effect, what is read back, and what is refused. */
#include <sys/syscall.h>

#include "sigtest.h"

static volatile int depth, count; /* libc says that raise() calls nothing of ours */

static void show_action(const char *what, int sig)
{
	struct sigaction sa;

	sigaction(sig, NULL, &sa);
	printf("%s: %s flags %#x mask usr2 %d kill %d\n", what,
	       sa.sa_handler == SIG_DFL ? "default" : sa.sa_handler == SIG_IGN ? "ignored" : "handler",
	       (unsigned)sa.sa_flags & ~0x04000000u, sigismember(&sa.sa_mask, SIGUSR2), sigismember(&sa.sa_mask, SIGKILL));
}

static void nested(int sig, siginfo_t *si, void *context)
{
	sigset_t now;

	(void)si, (void)context;
	sigprocmask(SIG_BLOCK, NULL, &now);
	printf("in %d depth %d blocked: self %d usr2 %d\n", sig, depth, sigismember(&now, sig), sigismember(&now, SIGUSR2));
	if (++depth < 3)
		raise(sig);
	printf("out %d\n", depth--);
}

static void counted(int sig)
{
	printf("counted %d: %d\n", sig, ++count);
}

static void flags(int f)
{
	struct sigaction sa = { .sa_sigaction = nested, .sa_flags = SA_SIGINFO | f };

	sigfillset(&sa.sa_mask);
	sigdelset(&sa.sa_mask, SIGUSR2);
	if (f & SA_NODEFER)
		sigemptyset(&sa.sa_mask);
	sigaction(SIGUSR1, &sa, NULL);
	show_action("set", SIGUSR1);
	depth = f & SA_NODEFER ? 0 : 2;
	raise(SIGUSR1);
	show_action("after", SIGUSR1);
}

int main(void)
{
	struct { uint64_t handler, flags, restorer, mask; } raw = { 1, ~0ULL, 0, ~0ULL }, old;
	struct sigaction sa = { .sa_handler = counted };

	flags(0);
	flags(SA_NODEFER);
	flags(SA_RESETHAND);
	flags(SA_RESTART | SA_ONSTACK);
	sigaction(SIGUSR1, &sa, NULL);
	for (int i = 0; i < 3; i++)
		raise(SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
	printf("ignored: %d\n", count);
	printf("kill %d", sigaction(SIGKILL, &sa, NULL) < 0 ? errno : 0);
	printf(" stop %d", sigaction(SIGSTOP, &sa, NULL) < 0 ? errno : 0);
	printf(" query %d\n", sigaction(SIGKILL, NULL, &sa) < 0 ? errno : 0);
	printf("size %d", syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4) < 0 ? errno : 0);
	printf(" signal 0 %d", syscall(SYS_rt_sigaction, 0, NULL, &old, 8) < 0 ? errno : 0);
	printf(" 65 %d", syscall(SYS_rt_sigaction, 65, NULL, &old, 8) < 0 ? errno : 0);
	printf(" 64 %d", syscall(SYS_rt_sigaction, 64, NULL, &old, 8) < 0 ? errno : 0);
	printf(" pointer %d", syscall(SYS_rt_sigaction, SIGUSR1, 16, NULL, 8) < 0 ? errno : 0);
	printf(" out %d\n", syscall(SYS_rt_sigaction, SIGUSR1, NULL, 16, 8) < 0 ? errno : 0);
	syscall(SYS_rt_sigaction, SIGUSR2, &raw, NULL, 8);
	syscall(SYS_rt_sigaction, SIGUSR2, NULL, &old, 8);
	printf("unknown flags: %#lx mask %#lx handler %lu\n", old.flags, old.mask, old.handler);
	return 0;
}
