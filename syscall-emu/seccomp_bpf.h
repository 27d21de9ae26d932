/*
 * Classic BPF as seccomp filters use it: what Linux accepts, what a program says about a call, and how long Linux counts
 * it. Pure functions of their arguments.
 *
 * Source: Linux kernel/seccomp.c (seccomp_check_filter), net/core/filter.c (bpf_check_classic, bpf_convert_filter).
 */
#ifndef SANDREC_SECCOMP_BPF_H
#define SANDREC_SECCOMP_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>

/* 0, or -EINVAL for a program Linux refuses. Any bytes may be given. */
int seccomp_bpf_check(const struct sock_filter *f, unsigned len);

/* The value a checked program returns. */
uint32_t seccomp_bpf_run(const struct sock_filter *f, unsigned len, const struct seccomp_data *d);

/*
 * The length of a checked program after Linux has translated it for its own interpreter. The limit on all filters of a
 * thread counts this, so a program that probes the limit sees it.
 */
unsigned seccomp_bpf_translated(const struct sock_filter *f, unsigned len);

#endif
