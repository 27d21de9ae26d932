/* Deadlocks, seen from outside. Contract: stuck.h. Sources: proc_pid_syscall(5), proc_pid_status(5), futex(2). */
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/stuck.h"
#include "vmm/cleanup.h"

#define TIMES 3

/* A small file of /proc, as a string; false: it is gone or may not be read. */
static bool slurp(char *buf, size_t len, const char *format, int pid, int tid)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), format, pid, tid);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, buf, len - 1);
	if (n < 0)
		return false;
	buf[n] = '\0';
	return true;
}

/* ---- which processes ---- */

static void add_children(pid_t pid, int tid, pid_t *out, size_t max, size_t *n)
{
	char text[4096], *p = text, *end;

	if (!slurp(text, sizeof(text), "/proc/%d/task/%d/children", pid, tid))
		return;
	for (;; p = end) {
		pid_t child = (pid_t)strtol(p, &end, 10);

		if (end == p)
			return;
		if (*n < max)
			out[*n] = child;
		++*n;
	}
}

typedef bool thread_fn(void *arg, pid_t pid, int tid);

/* False as soon as fn says so. */
static bool each_thread(pid_t pid, thread_fn *fn, void *arg)
{
	char path[32];
	bool good = true;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	cleanup_closedir DIR *d = opendir(path);

	for (struct dirent *e; good && d && (e = readdir(d));)
		if (e->d_name[0] != '.')
			good = fn(arg, pid, atoi(e->d_name));
	return good;
}

struct family {
	pid_t *out;
	size_t max, n;
};

static bool add_thread_children(void *arg, pid_t pid, int tid)
{
	struct family *f = arg;

	add_children(pid, tid, f->out, f->max, &f->n);
	return true;
}

size_t stuck_descendants(pid_t pid, pid_t *out, size_t max)
{
	struct family f = { out, max, 0 };

	each_thread(pid, add_thread_children, &f);
	for (size_t i = 0; i < f.n && i < max; i++)
		each_thread(out[i], add_thread_children, &f);
	return f.n;
}

/* ---- what they wait for ---- */

static bool futex_without_end(const unsigned long long arg[6])
{
	switch (arg[1] & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
	case FUTEX_WAIT_REQUEUE_PI:
		return arg[3] == 0;
	}
	return false;
}

static bool blocks_all_signals(pid_t pid, int tid)
{
	unsigned long long mask;
	char text[4096], *line;

	if (!slurp(text, sizeof(text), "/proc/%d/task/%d/status", pid, tid))
		return false;
	line = strstr(text, "\nSigBlk:");
	/* But those that cannot be blocked. */
	return line && sscanf(line, "\nSigBlk: %llx", &mask) == 1 && (~mask & ~(1ULL << 8 | 1ULL << 18)) == 0;
}

static bool waits_for_ever(pid_t pid, int tid)
{
	unsigned long long arg[6] = { 0 }, sp, pc;
	char text[256];
	long number;

	if (!slurp(text, sizeof(text), "/proc/%d/task/%d/syscall", pid, tid) ||
	    sscanf(text, "%ld %llx %llx %llx %llx %llx %llx %llx %llx", &number, &arg[0], &arg[1], &arg[2], &arg[3], &arg[4],
		   &arg[5], &sp, &pc) != 9)
		return false; /* "running", too */
	if (!pc)
		return true; /* a thread of the kernel's: KVM has one in each process that uses it */
	switch (number) {
	case SYS_futex:
		return futex_without_end(arg);
	case SYS_wait4:
	case SYS_waitid:
		return true;
	case SYS_pause: /* what is left of a first thread that has ended before the others */
		return blocks_all_signals(pid, tid);
	}
	return false;
}

static uint64_t count_switches(pid_t pid, int tid)
{
	unsigned long long n = 0;
	char text[4096], *line;

	if (slurp(text, sizeof(text), "/proc/%d/task/%d/status", pid, tid) && (line = strstr(text, "\nvoluntary_ctxt_switches:")))
		sscanf(line, "\nvoluntary_ctxt_switches: %llu", &n);
	return n;
}

struct look {
	uint64_t switches;
};

static bool look_at_thread(void *arg, pid_t pid, int tid)
{
	struct look *l = arg;

	l->switches += count_switches(pid, tid);
	return waits_for_ever(pid, tid);
}

bool stuck_look(struct stuck *s, pid_t supervisor)
{
	pid_t pid[STUCK_PROCESSES];
	size_t n = stuck_descendants(supervisor, pid, STUCK_PROCESSES);
	struct look l = { 0 };
	bool all = n > 0 && n <= STUCK_PROCESSES;

	for (size_t i = 0; all && i < n; i++)
		all = each_thread(pid[i], look_at_thread, &l);
	s->times = !all ? 0 : l.switches == s->switches ? s->times + 1 : 1;
	s->switches = l.switches;
	return s->times >= TIMES;
}
