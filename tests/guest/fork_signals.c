/* Signals between processes, and SIGCHLD. */
#include "proctest.h"

static volatile int chld, last_code, last_status, got, sum;

static void on_chld(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)context;
	chld++;
	last_code = si->si_code;
	last_status = si->si_status;
}

static void on_value(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)context;
	got++;
	sum += si->si_value.sival_int;
}

static void catch(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction act = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	CHECK(sigaction(sig, &act, NULL) == 0);
}

static void block(int sig, sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	CHECK(sigprocmask(SIG_BLOCK, &set, old) == 0);
}

static void sigchld(void)
{
	sigset_t old;
	pid_t pid;

	block(SIGCHLD, &old);
	catch(SIGCHLD, on_chld, SA_RESTART);
	for (int i = 0; i < 5; i++) {
		pid = fork();
		if (pid == 0) {
			if (i == 3)
				raise(SIGKILL);
			_exit(i);
		}
		while (chld == i)
			sigsuspend(&old);
		printf("SIGCHLD %d: code %d status %d\n", chld, last_code, last_status);
		show_end("child", pid);
	}
	signal(SIGCHLD, SIG_IGN); /* no zombies */
	pid = fork();
	if (pid == 0)
		_exit(1);
	SHOW(waitpid(pid, NULL, 0));
	signal(SIGCHLD, SIG_DFL);
	catch(SIGCHLD, on_chld, SA_NOCLDWAIT);
	pid = fork();
	if (pid == 0)
		_exit(1);
	SHOW(waitpid(pid, NULL, 0));
	signal(SIGCHLD, SIG_DFL);
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
}

static void values(void)
{
	sigset_t old;
	pid_t parent = getpid(), pid;

	block(SIGRTMIN, &old);
	catch(SIGRTMIN, on_value, 0);
	pid = fork();
	if (pid == 0) {
		for (int i = 1; i <= 50; i++)
			CHECK(sigqueue(parent, SIGRTMIN, (union sigval){ .sival_int = i }) == 0);
		_exit(0);
	}
	while (got < 50)
		sigsuspend(&old);
	printf("%d signals, sum %d\n", got, sum);
	show_end("sender", pid);
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
}

/* Pending signals are not inherited, masks and handlers are. */
static int pending_child(void)
{
	sigset_t set;
	struct sigaction act;

	sigpending(&set);
	if (sigismember(&set, SIGUSR1))
		return 1;
	sigprocmask(SIG_SETMASK, NULL, &set);
	sigaction(SIGRTMIN, NULL, &act);
	return sigismember(&set, SIGUSR1) && act.sa_sigaction == on_value ? 0 : 2;
}

static void inheritance(void)
{
	sigset_t old, set;

	block(SIGUSR1, &old);
	raise(SIGUSR1);
	in_child("pending", pending_child);
	sigpending(&set);
	printf("still pending here: %d\n", sigismember(&set, SIGUSR1));
	signal(SIGUSR1, SIG_IGN);
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	signal(SIGUSR1, SIG_DFL);
}

static void on_turn(int sig)
{
	(void)sig;
	got++;
}

/* Two processes wake each other in turns. */
static void turns(void)
{
	sigset_t old, wait;
	pid_t parent = getpid(), pid;
	struct sigaction act = { .sa_handler = on_turn };

	block(SIGUSR2, &old);
	sigaction(SIGUSR2, &act, NULL);
	wait = old;
	sigdelset(&wait, SIGUSR2);
	got = 0;
	pid = fork();
	for (int i = 0; i < 50; i++) {
		if (pid == 0) {
			while (got == i)
				sigsuspend(&wait);
			kill(parent, SIGUSR2);
		} else {
			kill(pid, SIGUSR2);
			while (got == i)
				sigsuspend(&wait);
		}
	}
	if (pid == 0)
		_exit(got);
	show_end("turns", pid);
	CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
}

static void interrupted(void)
{
	pid_t pid, killer, parent = getpid();
	struct sigaction act = { .sa_handler = on_turn };
	int status;

	sigaction(SIGUSR2, &act, NULL);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(1);
	}
	killer = fork();
	if (killer == 0) {
		usleep(50000);
		kill(parent, SIGUSR2);
		_exit(0);
	}
	SHOW(waitpid(pid, &status, 0)); /* EINTR */
	kill(pid, SIGKILL);
	show_end("paused", pid);
	show_end("killer", killer);
}

int main(void)
{
	by_line();
	sigchld();
	values();
	inheritance();
	turns();
	interrupted();
	return guest_end();
}
