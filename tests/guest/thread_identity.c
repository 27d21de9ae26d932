/* What belongs to each thread, and what to all: numbers, names, /proc/self/task, usage, clocks, identities, the directory. */
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "threadtest.h"

static pthread_barrier_t barrier;
static atomic_long tids[4];

static unsigned tasks(void)
{
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;
	unsigned n = 0;

	while (d && (e = readdir(d)))
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

static void text_of(const char *path, char *buf, size_t len)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, len - 1);

	buf[n < 0 ? 0 : n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

static void *named(void *arg)
{
	uintptr_t n = (uintptr_t)arg;
	char name[16], path[64], now[64], link[64] = "", want[64];
	struct rusage before, after;
	struct timespec cpu;
	volatile unsigned long spins = 0;

	tids[n] = gettid_raw();
	CHECK(tids[n] != getpid() && getppid() != tids[n]);
	snprintf(name, sizeof(name), "thread %lu", (unsigned long)n);
	CHECK(prctl(PR_SET_NAME, name) == 0);
	pthread_barrier_wait(&barrier);
	CHECK(prctl(PR_GET_NAME, now) == 0 && !strcmp(now, name));
	snprintf(path, sizeof(path), "/proc/self/task/%ld/comm", tids[(n + 1) % 4]);
	text_of(path, now, sizeof(now));
	snprintf(want, sizeof(want), "thread %lu", (unsigned long)(n + 1) % 4);
	if (strcmp(now, want))
		printf("comm: %s, not %s\n", now, want);
	text_of("/proc/thread-self/comm", now, sizeof(now));
	if (strcmp(now, name))
		printf("own comm: %s, not %s\n", now, name);
	CHECK(readlink("/proc/thread-self", link, sizeof(link) - 1) > 0);
	snprintf(want, sizeof(want), "%d/task/%ld", getpid(), tids[n]);
	if (strcmp(link, want))
		printf("thread-self differs\n");
	text_of("/proc/self/comm", now, sizeof(now));
	if (n == 0)
		printf("the process's name: %s\n", now);
	CHECK(getrusage(RUSAGE_THREAD, &before) == 0);
	for (int i = 0; i < 100000; i++)
		spins++;
	CHECK(getrusage(RUSAGE_THREAD, &after) == 0);
	CHECK(after.ru_utime.tv_sec * 1000000 + after.ru_utime.tv_usec >= before.ru_utime.tv_sec * 1000000 + before.ru_utime.tv_usec);
	CHECK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu) == 0 && (cpu.tv_nsec || cpu.tv_sec));
	if (n == 0)
		printf("tasks: %u\n", tasks());
	pthread_barrier_wait(&barrier);
	/* One working directory for all. */
	if (n == 2)
		CHECK(chdir("/") == 0);
	pthread_barrier_wait(&barrier);
	CHECK(getcwd(now, sizeof(now)) && !strcmp(now, "/"));
	pthread_barrier_wait(&barrier);
	return NULL;
}

/* libc changes the identity of each thread by a signal; the calls themselves are a thread's own. */
static atomic_int stage;

static void *user(void *arg)
{
	uid_t r, e, s;

	(void)arg;
	AWAIT(stage == 1);
	CHECK(getresuid(&r, &e, &s) == 0);
	CHECK(e == 1234 || geteuid() != 1234);
	stage = 2;
	AWAIT(stage == 3);
	CHECK(geteuid() != 1234);
	stage = 4;
	return NULL;
}

static void *waits_in_call(void *arg)
{
	char c;
	ssize_t n;

	while ((n = read(((int *)arg)[0], &c, 1)) < 0 && errno == EINTR)
		;
	return (void *)(uintptr_t)geteuid();
}

static void identities(void)
{
	uid_t was = geteuid();
	int fd[2];
	pthread_t t = start(user, NULL), w;

	CHECK(pipe(fd) == 0);
	w = start(waits_in_call, fd);
	if (was == 0)
		CHECK(seteuid(1234) == 0);
	stage = 1;
	AWAIT(stage == 2);
	CHECK(was || geteuid() == 1234);
	if (was == 0)
		CHECK(seteuid(was) == 0);
	stage = 3;
	AWAIT(stage == 4);
	join(t);
	/* Only this one's. */
	if (was == 0) {
		CHECK(syscall(SYS_setresuid, -1, 1234, -1) == 0);
		CHECK(write(fd[1], "x", 1) == 1);
		CHECK(join(w) == (void *)0);
		CHECK(geteuid() == 1234);
		CHECK(syscall(SYS_setresuid, -1, 0, -1) == 0);
	} else {
		CHECK(write(fd[1], "x", 1) == 1);
		join(w);
	}
}

int main(void)
{
	SHOW(gettid_raw() == getpid());
	pthread_barrier_init(&barrier, NULL, 4);
	together(4, named);
	AWAIT(tasks() == 1);
	identities();
	return guest_end();
}
