/*
 * What bpf(2) takes and gives, as of the newest kernel known here, whatever the headers of the building machine have:
 * numbers of commands, and for each command the part of `union bpf_attr` it uses.
 *
 * Source: Linux include/uapi/linux/bpf.h.
 */
#ifndef SANDREC_BPF_ABI_H
#define SANDREC_BPF_ABI_H

#include <stdint.h>

enum bpf_command {
	CMD_MAP_CREATE, CMD_MAP_LOOKUP_ELEM, CMD_MAP_UPDATE_ELEM, CMD_MAP_DELETE_ELEM, CMD_MAP_GET_NEXT_KEY, CMD_PROG_LOAD,
	CMD_OBJ_PIN, CMD_OBJ_GET, CMD_PROG_ATTACH, CMD_PROG_DETACH, CMD_PROG_TEST_RUN, CMD_PROG_GET_NEXT_ID,
	CMD_MAP_GET_NEXT_ID, CMD_PROG_GET_FD_BY_ID, CMD_MAP_GET_FD_BY_ID, CMD_OBJ_GET_INFO_BY_FD, CMD_PROG_QUERY,
	CMD_RAW_TRACEPOINT_OPEN, CMD_BTF_LOAD, CMD_BTF_GET_FD_BY_ID, CMD_TASK_FD_QUERY, CMD_MAP_LOOKUP_AND_DELETE_ELEM,
	CMD_MAP_FREEZE, CMD_BTF_GET_NEXT_ID, CMD_MAP_LOOKUP_BATCH, CMD_MAP_LOOKUP_AND_DELETE_BATCH, CMD_MAP_UPDATE_BATCH,
	CMD_MAP_DELETE_BATCH, CMD_LINK_CREATE, CMD_LINK_UPDATE, CMD_LINK_GET_FD_BY_ID, CMD_LINK_GET_NEXT_ID,
	CMD_ENABLE_STATS, CMD_ITER_CREATE, CMD_LINK_DETACH, CMD_PROG_BIND_MAP, CMD_TOKEN_CREATE,
	CMD_PROG_STREAM_READ_BY_FD, CMD_PROG_ASSOC_STRUCT_OPS,
	CMD_COUNT
};

/* In the command: two more arguments, a struct bpf_common_attr and its size. */
#define CMD_COMMON_ATTRS 0x10000u

#define ATTR_SIZE_MAX 4096u /* a larger attr is E2BIG, whatever is in it */

enum bpf_map_type_known {
	BPFMAP_HASH = 1, BPFMAP_ARRAY = 2, BPFMAP_PERCPU_HASH = 5, BPFMAP_PERCPU_ARRAY = 6, BPFMAP_LRU_HASH = 9, BPFMAP_LRU_PERCPU_HASH = 10,
	BPFMAP_HASH_OF_MAPS = 13, BPFMAP_PERCPU_CGROUP_STORAGE = 21, BPFMAP_RINGBUF = 27, BPFMAP_USER_RINGBUF = 31, BPFMAP_ARENA = 33,
	BPFMAP_NEWEST = BPFMAP_ARENA
};

enum bpf_link_type_known {
	BPFLINK_RAW_TRACEPOINT = 1, BPFLINK_ITER = 4, BPFLINK_PERF_EVENT = 7, BPFLINK_KPROBE_MULTI = 8, BPFLINK_UPROBE_MULTI = 12,
	BPFLINK_NEWEST = 14
};

enum { BPFLINK_PERF_UPROBE = 1, BPFLINK_PERF_TRACEPOINT = 5 }; /* the probes between them are described alike */

enum bpf_attach_known {
	ATTACH_ITER = 28, ATTACH_KPROBE_MULTI = 42, ATTACH_UPROBE_MULTI = 48, ATTACH_KPROBE_SESSION = 56,
	ATTACH_UPROBE_SESSION = 57, ATTACH_NEWEST = 58
};

/* For one CPU's value of a per-CPU map, or one value for all: then it has the size of one. */
#define ELEM_F_CPU 8u
#define ELEM_F_ALL_CPUS 16u

struct attr_map_create {
	uint32_t map_type, key_size, value_size, max_entries, map_flags, inner_map_fd, numa_node;
	char map_name[16];
	uint32_t map_ifindex, btf_fd, btf_key_type_id, btf_value_type_id, btf_vmlinux_value_type_id;
	uint64_t map_extra;
	int32_t value_type_btf_obj_fd, map_token_fd;
	uint64_t excl_prog_hash;
	uint32_t excl_prog_hash_size;
};

struct attr_elem {
	uint32_t map_fd;
	uint64_t key, value, flags; /* value is next_key for GET_NEXT_KEY */
};

struct attr_batch {
	uint64_t in_batch, out_batch, keys, values;
	uint32_t count, map_fd;
	uint64_t elem_flags, flags;
};

struct attr_prog_load {
	uint32_t prog_type, insn_cnt;
	uint64_t insns, license;
	uint32_t log_level, log_size;
	uint64_t log_buf;
	uint32_t kern_version, prog_flags;
	char prog_name[16];
	uint32_t prog_ifindex, expected_attach_type, prog_btf_fd, func_info_rec_size;
	uint64_t func_info;
	uint32_t func_info_cnt, line_info_rec_size;
	uint64_t line_info;
	uint32_t line_info_cnt, attach_btf_id, attach_prog_fd, core_relo_cnt;
	uint64_t fd_array, core_relos;
	uint32_t core_relo_rec_size, log_true_size;
	int32_t prog_token_fd;
	uint32_t fd_array_cnt;
	uint64_t signature;
	uint32_t signature_size;
	int32_t keyring_id;
};

struct attr_obj {
	uint64_t pathname;
	uint32_t bpf_fd, file_flags;
	int32_t path_fd;
};

struct attr_attach {
	uint32_t target_fd, attach_bpf_fd, attach_type, attach_flags, replace_bpf_fd, relative_fd;
	uint64_t expected_revision;
};

struct attr_test_run {
	uint32_t prog_fd, retval, data_size_in, data_size_out;
	uint64_t data_in, data_out;
	uint32_t repeat, duration, ctx_size_in, ctx_size_out;
	uint64_t ctx_in, ctx_out;
	uint32_t flags, cpu, batch_size;
};

struct attr_by_id {
	uint32_t id, next_id, open_flags;
	int32_t token_fd;
};

struct attr_info {
	uint32_t bpf_fd, info_len;
	uint64_t info;
};

struct attr_query {
	uint32_t target_fd, attach_type, query_flags, attach_flags;
	uint64_t prog_ids;
	uint32_t count;
	uint64_t prog_attach_flags, link_ids, link_attach_flags, revision;
};

struct attr_raw_tracepoint {
	uint64_t name;
	uint32_t prog_fd;
	uint64_t cookie;
};

struct attr_btf_load {
	uint64_t btf, log_buf;
	uint32_t btf_size, log_size, log_level, log_true_size, flags;
	int32_t token_fd;
};

struct attr_task_fd_query {
	uint32_t pid, fd, flags, buf_len;
	uint64_t buf;
	uint32_t prog_id, fd_type;
	uint64_t probe_offset, probe_addr;
};

struct attr_link_create {
	uint32_t prog_fd, target_fd, attach_type, flags;
	union {
		struct { uint64_t info; uint32_t info_len; } iter;
		struct { uint32_t flags, cnt; uint64_t syms, addrs, cookies; } kprobe_multi;
		struct {
			uint64_t path, offsets, ref_ctr_offsets, cookies;
			uint32_t cnt, flags, pid;
		} uprobe_multi;
	};
};

struct attr_link_update {
	uint32_t link_fd, new_fd, flags, old_fd;
};

struct attr_bind_map {
	uint32_t prog_fd, map_fd, flags;
};

struct attr_token_create {
	uint32_t flags, bpffs_fd;
};

struct attr_stream_read {
	uint64_t buf;
	uint32_t buf_len, stream_id, prog_fd;
};

struct attr_common {
	uint64_t log_buf;
	uint32_t log_size, log_level, log_true_size;
};

/* struct bpf_map_info, as far as it is asked for here. */
struct info_map {
	uint32_t type, id, key_size, value_size, max_entries, map_flags;
	char name[16];
	uint32_t ifindex, btf_vmlinux_value_type_id;
	uint64_t netns_dev, netns_ino;
	uint32_t btf_id, btf_key_type_id, btf_value_type_id, btf_vmlinux_id;
	uint64_t map_extra;
};

#endif
