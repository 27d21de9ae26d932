/*
 * limit SECONDS STATUS-FILE PROG [ARG...]
 *
 * Runs PROG in a session of its own and writes how it ended to STATUS-FILE: "exit N", "signal N" or "timeout". A shell
 * cannot tell the exit status 139 from death by SIGSEGV, and timeout(1) leaves what has moved to another process group.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* As a subreaper we inherit every descendant whose parent has died, so killing children in rounds gets them all. */
static int kill_children(void)
{
	char path[64];
	int pid, n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fscanf(f, "%d", &pid) == 1) {
		kill(pid, SIGKILL);
		n++;
	}
	fclose(f);
	return n;
}

static void reap_descendants(void)
{
	double end = now() + 10;

	while (kill_children() > 0 && now() < end) {
		struct timespec ts = { .tv_nsec = 2000000 };

		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		nanosleep(&ts, NULL);
	}
}

static void run(char **argv, const sigset_t *mask)
{
	setsid();
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	fprintf(stderr, "limit: %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Sets *status and returns 0, or returns -1 when the time is over. */
static int wait_for(pid_t pid, double end, const sigset_t *mask, int *status)
{
	for (;;) {
		double left = end - now();
		struct timespec ts = { .tv_sec = (time_t)left, .tv_nsec = (long)((left - (time_t)left) * 1e9) };
		pid_t got;

		while ((got = waitpid(-1, status, WNOHANG)) > 0)
			if (got == pid)
				return 0;
		if (left <= 0)
			return -1;
		sigtimedwait(mask, NULL, &ts);
	}
}

int main(int argc, char **argv)
{
	sigset_t chld, old;
	pid_t pid;
	int status;
	FILE *out;

	if (argc < 4) {
		fprintf(stderr, "usage: limit SECONDS STATUS-FILE PROG [ARG...]\n");
		return 2;
	}
	out = fopen(argv[2], "we");
	if (!out) {
		perror(argv[2]);
		return 2;
	}
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &old);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid == 0)
		run(argv + 3, &old);
	if (pid < 0) {
		perror("fork");
		return 2;
	}
	if (wait_for(pid, now() + atof(argv[1]), &chld, &status))
		fprintf(out, "timeout\n");
	else if (WIFSIGNALED(status))
		fprintf(out, "signal %d\n", WTERMSIG(status));
	else
		fprintf(out, "exit %d\n", WEXITSTATUS(status));
	fclose(out);
	reap_descendants();
	return 0;
}
