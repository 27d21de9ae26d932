/*
 * Signals and threads around busy system call sites: a call that waits is interrupted, its handler makes calls from other sites
 * and from the same one, then it is restarted, fails, or is left for good; threads stand in a site while it becomes busy.
 */
#include "guest.h"

#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

#define MANY 400
#define PERIOD_US 4000

static volatile sig_atomic_t alarms, wanted;
static volatile int word;
static int ends[2], zero, text;
static sigjmp_buf out;
static pid_t parent;

static void busy(void)
{
	char c = 1;

	for (unsigned i = 0; i < MANY; i++) {
		CHECK(syscall(SYS_getppid) == parent && getppid() == parent);
		CHECK(read(zero, &c, 1) == 1 && c == 0);
		CHECK(pread(text, &c, 1, 6) == 1 && c == 'l');
	}
}

/* Buffered and plain reads, and syscall() itself, which is where the futex waits. */
static void work(void)
{
	int saved = errno;
	char line[32], c;
	FILE *f = fopen("text", "r");

	CHECK(f && fgets(line, sizeof(line), f) && !strcmp(line, "first line\n"));
	if (f)
		fclose(f);
	CHECK(read(zero, &c, 1) == 1 && c == 0);
	CHECK(syscall(SYS_getppid) == parent && syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 0, NULL, NULL, 0) == 0);
	errno = saved;
}

static void on_alarm(int sig)
{
	(void)sig;
	work();
	if (++alarms != wanted)
		return;
	word = 1;
	if (write(ends[1], "x", 1) != 1)
		guest_failed = 1;
}

static void leaving(int sig)
{
	(void)sig;
	work();
	siglongjmp(out, 1);
}

static void begin(void (*handler)(int), int flags, int count)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };
	const struct itimerval every = { { 0, PERIOD_US }, { 0, PERIOD_US } };

	alarms = 0;
	wanted = count;
	word = 0;
	CHECK(sigaction(SIGALRM, &sa, NULL) == 0 && setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static void end(void)
{
	const struct itimerval none = { 0 };
	char c;

	CHECK(setitimer(ITIMER_REAL, &none, NULL) == 0);
	signal(SIGALRM, SIG_IGN);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	while (read(ends[0], &c, 1) == 1)
		;
	fcntl(ends[0], F_SETFL, 0);
}

static long futex_wait(void)
{
	return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void interrupted(void)
{
	char c = 0;

	begin(on_alarm, 0, 1000000);
	for (unsigned i = 0; i < 5; i++)
		CHECK(futex_wait() == -1 && errno == EINTR);
	for (unsigned i = 0; i < 5; i++)
		CHECK(read(ends[0], &c, 1) == -1 && errno == EINTR);
	CHECK(alarms >= 10);
	end();
	for (unsigned i = 0; i < 5; i++) {
		begin(on_alarm, SA_RESTART, 3);
		CHECK(futex_wait() == -1 && errno == EAGAIN && alarms >= 3);
		end();
		begin(on_alarm, SA_RESTART, 3);
		CHECK(read(ends[0], &c, 1) == 1 && c == 'x' && alarms >= 3);
		end();
	}
}

static void left(void)
{
	volatile unsigned times = 0;
	char c;

	begin(leaving, 0, 0);
	while (times < 6) {
		times++;
		if (sigsetjmp(out, 1))
			continue;
		if (times & 1)
			futex_wait();
		else if (read(ends[0], &c, 1) == 1)
			CHECK(!"nothing to read");
	}
	end();
	busy();
}

/* They come anywhere in the calls. */
static void storm(void)
{
	begin(on_alarm, SA_RESTART, 1000000);
	while (alarms < 40)
		busy();
	end();
}

static void *waits(void *arg)
{
	char c = 0;

	if (arg) {
		while (!word)
			syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	} else {
		CHECK(read(ends[0], &c, 1) == 1 && c == 't');
	}
	busy();
	return NULL;
}

static void threads(void)
{
	pthread_t a, b;
	int status;
	pid_t child;

	word = 0;
	CHECK(pthread_create(&a, NULL, waits, NULL) == 0 && pthread_create(&b, NULL, waits, (void *)1) == 0);
	usleep(20000);
	busy();
	fflush(stdout);
	child = fork();
	if (child == 0) {
		parent = getppid();
		busy();
		_exit(guest_failed);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	busy();
	word = 1;
	CHECK(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) >= 0);
	CHECK(write(ends[1], "t", 1) == 1);
	CHECK(pthread_join(a, NULL) == 0 && pthread_join(b, NULL) == 0);
	busy();
}

int main(void)
{
	parent = getppid();
	zero = open("/dev/zero", O_RDONLY);
	text = open("text", O_RDONLY);
	CHECK(zero >= 0 && text >= 0 && pipe(ends) == 0);
	/* In the middle of it the sites become busy, and before it. */
	interrupted();
	busy();
	interrupted();
	left();
	storm();
	threads();
	storm();
	return guest_end();
}
