/*
 * bpf(2): what its rows (variants_bpf.c) cannot say.
 *
 * The kernel works on our copy of the attr, which the row's regions were found in. Afterwards exactly the fields that it
 * changed go back to the guest and into the log: whether a command writes log_true_size, count or revision depends on how
 * far it came, and on the kernel.
 *
 * Maps, attach types and links newer than bpf_abi.h take the generic path: what they write is found by fingerprint.
 */
#ifndef SANDREC_BPF_H
#define SANDREC_BPF_H

#include "syscall-emu/session.h"

sys_handler do_bpf;

/* The object the call at hand is about, asked from the kernel once for each call; on replay of no known kind. */
const struct bpf_object *bpf_call_object(struct task *t, int fd);
void bpf_call_begin(struct task *t);

#endif
