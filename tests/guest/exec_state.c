/* What a new program keeps of the old one, and what it does not. */
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/personality.h>

#include "proctest.h"

static void *old_map(void)
{
	return (void *)0x700000000000;
}

static void list_descriptors(void)
{
	for (int fd = 0; fd < 20000; fd++)
		if (fcntl(fd, F_GETFD) >= 0 && fd > 2)
			printf("descriptor %d, position %ld\n", fd, (long)lseek(fd, 0, SEEK_CUR));
}

static int after(char **argv)
{
	sigset_t mask, pending;
	struct sigaction usr1, usr2, old;
	struct rlimit lim;
	struct itimerval timer;
	char cwd[4096];
	pid_t child = atoi(argv[2]);
	stack_t alt;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	sigpending(&pending);
	sigaction(SIGUSR1, NULL, &usr1);
	sigaction(SIGUSR2, NULL, &usr2);
	sigaction(SIGPIPE, NULL, &old);
	printf("HUP blocked %d pending %d, INT blocked %d, RTMIN pending %d\n", sigismember(&mask, SIGHUP),
	       sigismember(&pending, SIGHUP), sigismember(&mask, SIGINT), sigismember(&pending, SIGRTMIN));
	printf("a handler is default %d, ignored is ignored %d, default is default %d\n", usr1.sa_handler == SIG_DFL,
	       usr2.sa_handler == SIG_IGN, old.sa_handler == SIG_DFL);
	printf("alternate stack off %d, umask %03o\n", sigaltstack(NULL, &alt) == 0 && alt.ss_flags == SS_DISABLE, umask(0));
	CHECK(getrlimit(RLIMIT_NOFILE, &lim) == 0 && getcwd(cwd, sizeof(cwd)));
	printf("cwd %s, files %lu/%lu, VAR=%s, GONE=%s\n", cwd, (long)lim.rlim_cur, (long)lim.rlim_max, getenv("VAR"),
	       getenv("GONE") ? "there" : "gone");
	CHECK(getitimer(ITIMER_REAL, &timer) == 0 && timer.it_value.tv_sec > 50);
	printf("timer still runs %d, same pid %d, dumpable %d, no new privileges %d, personality %#x\n",
	       timer.it_value.tv_sec > 50, getppid() == atoi(argv[3]), prctl(PR_GET_DUMPABLE), prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
	       personality(0xffffffff));
	printf("old mapping: %s\n", msync(old_map(), 4096, MS_ASYNC) < 0 ? strerrorname_np(errno) : "there");
	list_descriptors();
	show_end("the child of the old program", child);
	return 55;
}

static void handler(int sig)
{
	(void)sig;
}

static void prepare(void)
{
	const struct rlimit lim = { 500, 600 };
	const struct itimerval timer = { .it_value.tv_sec = 100 };
	static char stack[65536];
	const stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	sigset_t set;

	signal(SIGUSR1, handler);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGHUP);
	raise(SIGRTMIN);
	CHECK(sigaltstack(&alt, NULL) == 0 && setrlimit(RLIMIT_NOFILE, &lim) == 0 && chdir("/usr") == 0);
	CHECK(setenv("VAR", "kept", 1) == 0 && setenv("GONE", "x", 1) == 0 && unsetenv("GONE") == 0);
	umask(027);
	CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(personality(ADDR_NO_RANDOMIZE) >= 0);
	CHECK(mmap(old_map(), 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == old_map());
}

static int before(char **argv)
{
	char child[20], parent[20];
	int kept = open("/etc/passwd", O_RDONLY), gone = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
	pid_t pid;

	prepare();
	pid = fork();
	if (pid == 0)
		_exit(66);
	CHECK(lseek(kept, 5, SEEK_SET) == 5 && dup2(gone, 300) == 300 && fcntl(300, F_SETFD, FD_CLOEXEC) == 0);
	CHECK(dup2(kept, 499) == 499);
	snprintf(child, sizeof(child), "%d", pid);
	snprintf(parent, sizeof(parent), "%d", getppid());
	execl(argv[0], argv[0], "after", child, parent, NULL);
	return 1;
}

/* The alarm of the old program ends the new one. */
static int alarmed(char **argv)
{
	alarm(1);
	execl(argv[0], argv[0], "sleep", NULL);
	return 1;
}

static int again(char **argv)
{
	char n[20];
	int left = atoi(argv[2]);

	if (left == 0)
		return 77;
	snprintf(n, sizeof(n), "%d", left - 1);
	execl("/proc/self/exe", argv[0], "again", n, NULL);
	return 1;
}

static int start(const char *what, char **argv, int (*fn)(char **))
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn(argv));
	show_end(what, pid);
	return 0;
}

static int hundred(char **argv)
{
	execl(argv[0], argv[0], "again", "100", NULL);
	return 1;
}

int main(int argc, char **argv)
{
	by_line();
	if (argc > 2 && !strcmp(argv[1], "after"))
		return after(argv);
	if (argc > 2 && !strcmp(argv[1], "again"))
		return again(argv);
	if (argc > 1 && !strcmp(argv[1], "sleep")) {
		pause();
		return 1;
	}
	start("state", argv, before);
	start("alarm", argv, alarmed);
	start("a hundred programs", argv, hundred);
	list_descriptors();
	return guest_end();
}
