/* What the programs about threads share. Nothing that depends on the order in which threads run may be printed. */
#ifndef TESTS_THREADTEST_H
#define TESTS_THREADTEST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "guest.h"

/* A call of the pthread family: 0, or the error's name. */
#define SHOWP(call)                                                              \
	do {                                                                     \
		int show_p = (call);                                             \
		printf("%s = %s\n", #call, show_p ? strerrorname_np(show_p) : "0"); \
	} while (0)
#define CHECKP(call)                                                                                    \
	do {                                                                                            \
		int check_p = (call);                                                                   \
		if (check_p) {                                                                          \
			printf("line %d: %s: %s\n", __LINE__, #call, strerrorname_np(check_p));         \
			guest_failed = 1;                                                               \
		}                                                                                       \
	} while (0)

static inline pthread_t start(void *(*fn)(void *), void *arg)
{
	pthread_t t = 0;

	CHECKP(pthread_create(&t, NULL, fn, arg));
	return t;
}

static inline void *join(pthread_t t)
{
	void *v = NULL;

	CHECKP(pthread_join(t, &v));
	return v;
}

/* That many threads of fn, which is given its number. */
static inline void together(unsigned n, void *(*fn)(void *))
{
	pthread_t t[n];

	for (unsigned i = 0; i < n; i++)
		t[i] = start(fn, (void *)(uintptr_t)i);
	for (unsigned i = 0; i < n; i++)
		join(t[i]);
}

static inline void nap(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

static inline struct timespec from_now(clockid_t clock, long ms)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_nsec += ms % 1000 * 1000000;
	ts.tv_sec += ms / 1000 + ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

/* Waits for what another thread does, without a lock. */
#define AWAIT(cond)             \
	do {                    \
		while (!(cond)) \
			nap(1); \
	} while (0)

static inline long gettid_raw(void)
{
	return syscall(SYS_gettid);
}

/* The state of a thread as the kernel tells it: 'S' waits in a call. */
static inline char state_of(long tid)
{
	char path[64], text[512], *p;
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/stat", tid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return '-';
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	p = strrchr(text, ')');
	return p ? p[2] : '?';
}

/*
 * Waits until a thread sleeps in a call. One that is about to make it may look the same for a moment, if it was taken off
 * the processor just then.
 */
static inline void await_asleep(long tid)
{
	for (int seen = 0; seen < 4; nap(2))
		seen = state_of(tid) == 'S' ? seen + 1 : 0;
}

#endif
