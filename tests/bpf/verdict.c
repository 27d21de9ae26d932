/*
 * One loader, two answers. `verdict map SIZE PROG...` makes a map with values of SIZE bytes as descriptor 10 and executes PROG;
 * `verdict load`, so executed, loads a program that reads 8 bytes of such a value, which the verifier allows or does not.
 */
#include "bpf.h"

#define MAP_FD 10

static int make_map(uint32_t size)
{
	union attr a;
	int fd;

	memset(&a, 0, sizeof(a));
	a.a.map_type = BPF_MAP_TYPE_ARRAY;
	a.a.key_size = 4;
	a.a.value_size = size;
	a.a.max_entries = 1;
	fd = bpf(BPF_MAP_CREATE, &a, sizeof(a.a));
	return fd < 0 || dup2(fd, MAP_FD) < 0 ? -1 : 0;
}

static int load(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = 10, .off = -4, .imm = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -4 },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = MAP_FD },
		{ 0 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem },
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 0, .off = 1, .imm = 0 },
		{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 0, .src_reg = 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	static char log[8192];
	union attr a;
	int fd;

	memset(&a, 0, sizeof(a));
	a.a.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	a.a.insns = ptr(insns);
	a.a.insn_cnt = sizeof(insns) / sizeof(insns[0]);
	a.a.license = ptr("GPL");
	a.a.log_buf = ptr(log);
	a.a.log_size = sizeof(log);
	a.a.log_level = 1;
	fd = bpf(BPF_PROG_LOAD, &a, sizeof(a.a));
	printf("%s\n", fd < 0 ? "refused" : "loaded");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "load"))
		return load();
	if (argc < 4 || strcmp(argv[1], "map"))
		return puts("nothing to do") < 0;
	if (make_map((uint32_t)atoi(argv[2])) < 0)
		return 2;
	execvp(argv[3], argv + 3);
	return 127;
}
