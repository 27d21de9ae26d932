/* Resource limits, and what happens at them. */
#include "guest.h"
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/resource.h>

static void descriptors(void)
{
	struct rlimit r = { 40, 40 }, old;
	int n = 0, last = -1, fd;

	SHOW(prlimit(0, RLIMIT_NOFILE, NULL, &old));
	r.rlim_max = old.rlim_max;
	SHOW(setrlimit(RLIMIT_NOFILE, &r));
	SHOW(sysconf(_SC_OPEN_MAX));
	while ((fd = open("text", O_RDONLY)) >= 0) {
		last = fd;
		n++;
	}
	printf("%d opened, the last is %d, then %s\n", n, last, strerrorname_np(errno));
	SHOW(dup(0));
	SHOW(dup2(0, 40));
	SHOW(fcntl(0, F_DUPFD, 50));
	SHOW(fcntl(0, F_DUPFD, 20));
	SHOW(socket(1, 1, 0));
	for (fd = 3; fd <= last; fd++)
		close(fd);
	SHOW(setrlimit(RLIMIT_NOFILE, &old));
}

static void file_size(void)
{
	struct rlimit r = { 1000, RLIM_INFINITY }, old;
	int fd = open("limited", O_WRONLY | O_CREAT, 0600);
	char b[800] = "";

	signal(SIGXFSZ, SIG_IGN);
	SHOW(getrlimit(RLIMIT_FSIZE, &old));
	r.rlim_max = old.rlim_max;
	SHOW(setrlimit(RLIMIT_FSIZE, &r));
	SHOW(write(fd, b, 800));
	SHOW(write(fd, b, 800));
	SHOW(write(fd, b, 800));
	/* Standard output may be a file as well. */
	SHOW(setrlimit(RLIMIT_FSIZE, &old));
	close(fd);
}

static void others(void)
{
	struct rlimit r = { 5, 4 };
	cpu_set_t set;

	SHOW(setrlimit(RLIMIT_CORE, &r));
	SHOW(getrlimit(99, &r));
	SHOW(syscall(SYS_getrlimit, RLIMIT_NOFILE, 8));
	SHOW(prlimit(getpid(), RLIMIT_CPU, NULL, &r));
	SHOW(getpriority(PRIO_PROCESS, 0));
	SHOW(setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 3));
	SHOW(getpriority(PRIO_PROCESS, 0));
	SHOW(sched_getscheduler(0));
	SHOW(sched_get_priority_max(SCHED_FIFO));
	SHOW(sched_getaffinity(0, sizeof(set), &set));
	printf("%d processors\n", CPU_COUNT(&set));
	SHOW(sched_setaffinity(0, sizeof(set), &set));
	SHOW(syscall(SYS_sched_getaffinity, 0, 3, &set));
	SHOW(sysconf(_SC_NPROCESSORS_ONLN));
}

int main(void)
{
	/* First of all, so that nothing is lost at a limit. */
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	descriptors();
	file_size();
	others();
	return guest_end();
}
