/*
 * Signals that arrive while calls are made in quick succession: between them, in them, in handlers that make such calls
 * themselves, in handlers that do not return.
 */
#include "sigtest.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static int failed, file;
static volatile sig_atomic_t ticks, inner;
static sigjmp_buf out;

#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			printf("line %d: not so: %s (errno %d)\n", __LINE__, #cond, errno); \
			failed = 1; \
		} \
	} while (0)

/* A read in the handler, by the same instruction as the program's own. */
static void reading(int sig, siginfo_t *si, void *context)
{
	int saved = errno;
	char c[4];

	(void)sig, (void)si, (void)context;
	ticks++;
	if (pread(file, c, 4, 16) == 4 && !memcmp(c, "qrst", 4))
		inner++;
	errno = saved;
}

static void jumping(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)si, (void)context;
	ticks++;
	siglongjmp(out, 1);
}

static void timer(long us)
{
	const struct itimerval when = { { 0, us }, { 0, us } };

	CHECK(setitimer(ITIMER_REAL, &when, NULL) == 0);
}

/* Between two calls there is code of the program's own, where a signal may come, too. */
static unsigned work(unsigned n)
{
	unsigned sum = n;

	for (unsigned i = 0; i < 20000 * (n % 2); i++)
		__asm__ volatile("imul $31, %0, %0\n\tinc %0" : "+r"(sum));
	return sum;
}

static void until(int count)
{
	unsigned sum[2] = { work(0), work(1) };
	char c[8];

	for (unsigned i = 0; ticks < count; i++) {
		unsigned at = i % 8;

		CHECK(work(i % 2) == sum[i % 2]);

		CHECK(pread(file, c, 8, at) == 8 && c[0] == (char)('a' + at) && c[7] == (char)('h' + at));
		CHECK(lseek(file, at, SEEK_SET) == (off_t)at);
		CHECK(getpid() > 0);
	}
}

static void in_quick_succession(void)
{
	ticks = inner = 0;
	on_signal(SIGALRM, reading, SA_RESTART);
	timer(3000);
	until(40);
	timer(0);
	CHECK(inner == ticks);
}

static void jumped_out_of(void)
{
	on_signal(SIGALRM, jumping, SA_RESTART);
	ticks = 0;
	if (sigsetjmp(out, 1) == 0)
		timer(4000);
	while (ticks < 20) {
		if (sigsetjmp(out, 1) == 0)
			until(1000);
	}
	timer(0);
}

/* A call that waits is interrupted; the handler reads; then the call is made again, or is over. */
static void waiting(int flags, int want)
{
	struct timespec second = { 0, 300000000 };
	int word = 7, rc, err;

	ticks = inner = 0;
	on_signal(SIGALRM, reading, flags);
	for (unsigned i = 0; i < 100; i++)
		CHECK(lseek(file, 3, SEEK_SET) == 3);
	CHECK(setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 0, 50000 } }, NULL) == 0);
	rc = (int)syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 7, &second, NULL, 0);
	err = errno;
	CHECK(rc < 0 && (err == want || err == EINTR));
	CHECK(ticks == 1 && inner == 1);
	for (unsigned i = 0; i < 100; i++)
		CHECK(lseek(file, 3, SEEK_SET) == 3);
}

static void pipe_read(void)
{
	int p[2];
	char c = 0;
	pid_t pid;

	ticks = inner = 0;
	on_signal(SIGUSR1, reading, SA_RESTART);
	CHECK(pipe(p) == 0);
	pid = fork();
	if (pid == 0) {
		const struct timespec pause = { 0, 30000000 };

		for (int i = 0; i < 3; i++) {
			nanosleep(&pause, NULL);
			kill(getppid(), SIGUSR1);
		}
		nanosleep(&pause, NULL);
		_exit(write(p[1], "x", 1) != 1);
	}
	CHECK(read(p[0], &c, 1) == 1 && c == 'x');
	CHECK(waitpid(pid, NULL, 0) == pid);
	CHECK(inner == ticks && ticks > 0);
}

/* Blocked, pending, and let in by a call of its own. */
static void blocked(void)
{
	sigset_t set;

	ticks = inner = 0;
	on_signal(SIGUSR1, reading, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	for (int i = 0; i < 30; i++) {
		CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
		CHECK(kill(getpid(), SIGUSR1) == 0);
		for (int k = 0; k < 10; k++)
			CHECK(lseek(file, k, SEEK_SET) == k);
		CHECK(ticks == i);
		CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
		CHECK(ticks == i + 1);
	}
	CHECK(inner == 30);
}

/* Sent from outside while only quick calls are made; the last one kills. */
static void killed(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			lseek(file, 0, SEEK_SET);
	}
	usleep(100000);
	kill(pid, SIGTERM);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

int main(void)
{
	file = open("letters", O_CREAT | O_RDWR | O_TRUNC, 0600);
	CHECK(write(file, "abcdefghijklmnopqrstuvwxyz", 26) == 26);
	in_quick_succession();
	jumped_out_of();
	waiting(SA_RESTART, ETIMEDOUT);
	waiting(0, EINTR);
	pipe_read();
	blocked();
	killed();
	puts(failed ? "FAILED" : "done");
	return failed;
}
