/*
 * What the kernel says of a descriptor that bpf(2) made: the sizes that a call on it moves are nowhere in its arguments.
 *
 * It is asked at every call. A descriptor comes and goes by too many roads to be remembered (MAP_CREATE, OBJ_GET,
 * GET_FD_BY_ID, SCM_RIGHTS, pidfd_getfd, fork, exec, dup2, close_range), two calls to the kernel cost a microsecond, and
 * the answer decides where the kernel writes: a stale one would let it write beyond what was checked.
 */
#ifndef SANDREC_BPF_OBJECT_H
#define SANDREC_BPF_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

enum bpf_object_kind { BPF_OBJECT_UNKNOWN, BPF_OBJECT_MAP, BPF_OBJECT_PROG, BPF_OBJECT_LINK, BPF_OBJECT_BTF };

struct bpf_object {
	uint8_t kind;
	uint32_t type;                   /* of map or link; 0 for others */
	uint32_t perf_type;              /* of a BPFLINK_PERF_EVENT */
	uint32_t key_size, value_size, max_entries, map_flags;
};

/* The call at hand: one descriptor, asked about once. In struct task. */
struct bpf_call {
	bool asked;
	struct bpf_object object;
};

struct session;
struct task;

/* Live sessions: 0, or a negative errno when fd is none of bpf's or nothing could be learnt. */
int bpf_object_ask(struct session *s, struct task *t, int fd, struct bpf_object *o);

/* Bytes of the value at a MAP_*_ELEM or batch call with these element flags: of all CPUs for per-CPU maps. */
uint64_t bpf_value_size(const struct bpf_object *o, uint64_t elem_flags);
/* Bytes of the position that a batch goes on from. */
uint64_t bpf_batch_size(const struct bpf_object *o);

#endif
