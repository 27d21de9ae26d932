/* Contract: processors.h. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "syscall-emu/processors.h"
#include "vmm/cleanup.h"

bool processors_several(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) < 0 || CPU_COUNT(&set) > 1;
}

static long online(void)
{
	static long n;

	if (!n)
		n = sysconf(_SC_NPROCESSORS_ONLN);
	return n;
}

/* The caller's own thread included; 0: not known. */
static long running(int proc)
{
	cleanup_close int fd = proc < 0 ? open("/proc/loadavg", O_RDONLY | O_CLOEXEC) : openat(proc, "loadavg", O_RDONLY | O_CLOEXEC);
	char text[128];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	long now;

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return sscanf(text, "%*s %*s %*s %ld/", &now) == 1 ? now : 0;
}

bool processors_idle(int proc)
{
	long now = running(proc);
	struct sysinfo info;

	if (now > 0)
		return now < online();
	return sysinfo(&info) < 0 || info.loads[0] <= ((unsigned long)online() << SI_LOAD_SHIFT) + (1UL << (SI_LOAD_SHIFT - 1));
}
