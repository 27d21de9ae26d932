/*
 * What the programs about bpf(2) share: raw calls with an attr of any size, and instructions. Written from the kernel's
 * documentation, not from syscall-emu/bpf_abi.h, so that a wrong layout there shows.
 */
#ifndef TESTS_BPF_H
#define TESTS_BPF_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#include "../guest/guest.h"

/* Commands and fields that older headers lack. */
#define TOKEN_CREATE 36
#define PROG_STREAM_READ_BY_FD 37
#define PROG_ASSOC_STRUCT_OPS 38
#define COMMON_ATTRS 0x10000
#define LOG_TRUE_SIZE_AT 140     /* in the attr of PROG_LOAD */
#define BTF_LOG_TRUE_SIZE_AT 28  /* in the attr of BTF_LOAD */
#define PROG_TOKEN_FD_AT 144
#define PROG_F_TOKEN_FD (1u << 16)

union attr {
	union bpf_attr a;
	unsigned char byte[512];
	uint32_t u32[128];
	uint64_t u64[64];
};

static inline int bpf(int cmd, void *attr, unsigned size)
{
	return (int)syscall(SYS_bpf, cmd, attr, size);
}

static inline int bpf_all(int cmd, union attr *attr)
{
	return bpf(cmd, attr, sizeof(attr->a));
}

static inline uint64_t ptr(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static inline int map_create(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags)
{
	union attr a = { .a = { .map_type = type, .key_size = key, .value_size = value, .max_entries = entries, .map_flags = flags } };

	return bpf_all(BPF_MAP_CREATE, &a);
}

static inline int elem(int cmd, int fd, const void *key, const void *value, uint64_t flags)
{
	union attr a = { .a = { .map_fd = (uint32_t)fd, .key = ptr(key), .value = ptr(value), .flags = flags } };

	return bpf_all(cmd, &a);
}

#define INSN(op, d, s, o, i) ((struct bpf_insn){ .code = (op), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (int32_t)(i) })
#define MOV_IMM(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define MOV_REG(d, s) INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define ADD_IMM(d, i) INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define LDX(size, d, s, o) INSN(BPF_LDX | BPF_MEM | (size), d, s, o, 0)
#define STX(size, d, s, o) INSN(BPF_STX | BPF_MEM | (size), d, s, o, 0)
#define ST(size, d, o, i) INSN(BPF_ST | BPF_MEM | (size), d, 0, o, i)
#define JNE_IMM(d, i, o) INSN(BPF_JMP | BPF_JNE | BPF_K, d, 0, o, i)
#define JEQ_IMM(d, i, o) INSN(BPF_JMP | BPF_JEQ | BPF_K, d, 0, o, i)
#define CALL(f) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define LD_MAP(d, fd) INSN(BPF_LD | BPF_DW | BPF_IMM, d, BPF_PSEUDO_MAP_FD, 0, fd), INSN(0, 0, 0, 0, 0)

/* A program of n instructions; log may be NULL. */
static inline int prog_load(uint32_t type, uint32_t attach, const struct bpf_insn *insns, unsigned n, char *log, uint32_t size,
			    uint32_t level)
{
	union attr a = { .a = { .prog_type = type, .expected_attach_type = attach, .insns = ptr(insns), .insn_cnt = n,
				.license = ptr("GPL"), .log_buf = ptr(log), .log_size = size, .log_level = level } };

	strcpy(a.a.prog_name, "sandrec_test");
	return bpf_all(BPF_PROG_LOAD, &a);
}

#define LOAD(type, attach, ...) \
	prog_load(type, attach, (struct bpf_insn[]){ __VA_ARGS__ }, sizeof((struct bpf_insn[]){ __VA_ARGS__ }) / sizeof(struct bpf_insn), \
		  NULL, 0, 0)

/* "ok" instead of a descriptor's number is SHOW_OK's; this is the error's name alone. */
static inline const char *result(int r)
{
	return r < 0 ? strerrorname_np(errno) : "ok";
}

static inline unsigned possible_cpus(void)
{
	unsigned a = 0, b = 0;
	FILE *f = fopen("/sys/devices/system/cpu/possible", "r");
	int n = f ? fscanf(f, "%u-%u", &a, &b) : 0;

	if (f)
		fclose(f);
	return n == 2 ? b + 1 : a + 1;
}

#endif
