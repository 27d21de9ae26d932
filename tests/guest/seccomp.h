/*
 * What the programs about seccomp share: filters written as lists of instructions. A filter that is not about exit,
 * output or signals must let those pass, or the program cannot tell what it saw.
 */
#ifndef TESTS_GUEST_SECCOMP_H
#define TESTS_GUEST_SECCOMP_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "guest.h"

#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define LOAD_ARG(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (n))
#define LOAD_ARG_HIGH(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 8 * (n) + 4)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
/* The accumulator holds the number: this call gets that answer. */
#define ON(nr, value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), RETURN(value)
#define PROG(insns) ((struct sock_fprog){ sizeof(insns) / sizeof((insns)[0]), (insns) })
#define FAIL_WITH(n) (SECCOMP_RET_ERRNO | (n))

static inline long seccomp(unsigned op, unsigned flags, void *arg)
{
	return syscall(SYS_seccomp, op, flags, arg);
}

/* A filter with one answer for one call. */
static inline long refuse_call(int nr, uint32_t answer, unsigned flags)
{
	struct sock_filter f[] = { LOAD(nr), ON((uint32_t)nr, answer), RETURN(SECCOMP_RET_ALLOW) };
	struct sock_fprog p = PROG(f);

	return seccomp(SECCOMP_SET_MODE_FILTER, flags, &p);
}

#endif
