/*
 * What the guest programs share. They print facts that must not differ between runs, and check the rest with CHECK,
 * which reports the line and makes the program end with 1. The native run guards against wrong expectations.
 */
#ifndef TESTS_GUEST_H
#define TESTS_GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int guest_failed;

#define CHECK(cond)                                                                             \
	do {                                                                                    \
		if (!(cond)) {                                                                  \
			printf("line %d: not so: %s (errno %s)\n", __LINE__, #cond, strerrorname_np(errno)); \
			guest_failed = 1;                                                       \
		}                                                                               \
	} while (0)

/* Prints a call's result: the value, or the name of the error. */
#define SHOW(call)                                                                              \
	do {                                                                                    \
		long show_r = (long)(call);                                                     \
		if (show_r == -1)                                                               \
			printf("%s = %s\n", #call, strerrorname_np(errno));                     \
		else                                                                            \
			printf("%s = %ld\n", #call, show_r);                                    \
	} while (0)

/* The same where a good result is a descriptor or an address, which only has to be valid. */
#define SHOW_OK(call)                                                                           \
	printf("%s: %s\n", #call, (long)(call) == -1 ? strerrorname_np(errno) : "ok")

static inline int guest_end(void)
{
	puts(guest_failed ? "FAILED" : "done");
	return guest_failed;
}

/* A cheap sum to print instead of many bytes. */
static inline uint32_t sum_of(const void *p, size_t n)
{
	const unsigned char *b = p;
	uint32_t h = 2166136261u;

	while (n--)
		h = (h ^ *b++) * 16777619u;
	return h;
}

#endif
