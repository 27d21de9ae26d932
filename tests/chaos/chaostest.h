/*
 * For programs with a bug that shows only when threads meet in one particular way. Each ends with status 0, and nearly
 * always does; when the bug shows, assert() ends it, or it never ends, as the comment at its top says.
 */
#ifndef CHAOSTEST_H
#define CHAOSTEST_H

#undef NDEBUG
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

typedef void *thread_main(void *arg);

static inline pthread_t start(thread_main *f, void *arg)
{
	pthread_t t;

	if (pthread_create(&t, NULL, f, arg))
		abort();
	return t;
}

static inline void join(pthread_t t)
{
	if (pthread_join(t, NULL))
		abort();
}

#endif
