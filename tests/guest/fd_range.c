/* Descriptor numbers: limits, ranges and what /proc lists; nothing is there that this program did not open. */
#include "guest.h"
#include <dirent.h>
#include <linux/close_range.h>
#include <sys/resource.h>

/* Every number listed is one of ours: usable, and above 2 only if we opened it. */
static void listed(const char *path, int expected)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	CHECK(d != NULL);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' && atoi(e->d_name) > 2 && atoi(e->d_name) != dirfd(d)) {
			n++;
			CHECK(fcntl(atoi(e->d_name), F_GETFD) >= 0);
		}
	CHECK(n == expected);
	closedir(d);
}

static void listing(void)
{
	struct stat st;
	int a;

	close_range(3, ~0u, 0);
	listed("/proc/self/fd", 0);
	a = open("/dev/null", O_RDONLY);
	SHOW(a);
	listed("/proc/self/fd", 1);
	listed("/proc/self/fdinfo", 1);
	listed("/dev/fd", 1);
	listed("/proc/thread-self/fd", 1);
	SHOW(dup2(a, 40));
	listed("/proc/self/fd", 2);
	SHOW(open("/proc/self/fd/41", O_RDONLY));
	SHOW(stat("/proc/self/fd/40", &st));
	SHOW(close(40));
	SHOW(close(a));
}

static void limits(void)
{
	struct rlimit old, small = { 64, 0 };
	int n = 0;

	CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
	CHECK((rlim_t)sysconf(_SC_OPEN_MAX) == old.rlim_cur);
	SHOW(dup2(1, -1));
	SHOW(fcntl(1, F_DUPFD, -1));
	small.rlim_max = old.rlim_max;
	SHOW(setrlimit(RLIMIT_NOFILE, &small));
	SHOW(dup2(1, 64));
	SHOW(dup3(1, 64, O_CLOEXEC));
	SHOW(fcntl(1, F_DUPFD, 64));
	SHOW(fcntl(1, F_DUPFD, 63));
	SHOW(fcntl(1, F_DUPFD, 63));
	SHOW(close(63));
	while (dup(1) >= 0)
		n++;
	printf("%d until %s\n", n, strerrorname_np(errno));
	SHOW(close_range(10, 20, 0));
	SHOW(fcntl(9, F_GETFD));
	SHOW(fcntl(10, F_GETFD));
	SHOW(fcntl(21, F_GETFD));
	SHOW(close_range(30, 29, 0));
	SHOW(close_range(30, 31, 1 << 20));
	SHOW(close_range(30, 31, CLOSE_RANGE_CLOEXEC));
	SHOW(fcntl(30, F_GETFD));
	SHOW(fcntl(32, F_GETFD));
	SHOW(close_range(3, ~0u, CLOSE_RANGE_UNSHARE));
	SHOW(fcntl(63, F_GETFD));
	SHOW(setrlimit(RLIMIT_NOFILE, &old));
	for (int fd = 3; fd < 70000; fd += fd < 100 ? 1 : 997)
		CHECK(close(fd) == -1 && errno == EBADF);
}

static void show_limit(int resource)
{
	struct rlimit r;

	CHECK(getrlimit(resource, &r) == 0);
	printf("%d: %ld\n", resource, (long)r.rlim_cur);
}

/* The program's limits are its own, however much else shares the process. */
static void memory_limits(void)
{
	struct rlimit r = { 1L << 30, RLIM_INFINITY }, old;
	char line[256];
	FILE *f;

	SHOW(setrlimit(RLIMIT_AS, &r));
	show_limit(RLIMIT_AS);
	CHECK(prlimit(0, RLIMIT_AS, NULL, &old) == 0 && old.rlim_cur == r.rlim_cur && old.rlim_max == r.rlim_max);
	f = fopen("/proc/self/limits", "r");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "address space"))
			fputs(line, stdout);
	fclose(f);
	CHECK(mmap(NULL, 4L << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
	r.rlim_cur = RLIM_INFINITY;
	SHOW(prlimit(getpid(), RLIMIT_AS, &r, NULL));
	show_limit(RLIMIT_AS);
	r.rlim_cur = 10;
	r.rlim_max = 5;
	SHOW(setrlimit(RLIMIT_DATA, &r));
	SHOW(setrlimit(99, &r));
}

int main(void)
{
	listing();
	limits();
	memory_limits();
	return guest_end();
}
