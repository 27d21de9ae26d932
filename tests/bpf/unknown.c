/* Commands that no kernel has yet, or this one has not: its answers, whatever they are, and nothing else happens. */
#include "bpf.h"

int main(void)
{
	union attr a = { 0 }, common = { 0 };
	unsigned char before[sizeof(a)];
	char log[64] = "";

	SHOW(bpf(200, &a, 300));
	for (unsigned i = 0; i < sizeof(a); i++)
		a.byte[i] = (unsigned char)(i * 3 + 1);
	memcpy(before, &a, sizeof(a));
	SHOW(bpf(200, &a, 300));
	SHOW(bpf(200, &a, 100));
	SHOW(bpf(200, NULL, 300));
	SHOW(bpf(200, &a, 5000));
	SHOW(bpf(-1, &a, 300));
	SHOW(bpf(0x7fffffff, &a, 300));
	CHECK(!memcmp(before, &a, sizeof(a)));
	memset(&a, 0, sizeof(a));
	SHOW_OK(bpf(PROG_ASSOC_STRUCT_OPS, &a, 12));
	SHOW_OK(bpf(39, &a, 12));
	SHOW_OK(bpf(64, &a, 12));

	/* The five arguments of newer kernels. */
	common.u64[0] = ptr(log);
	common.u32[2] = sizeof(log);
	common.u32[3] = 1;
	a.a.map_type = 9999;
	SHOW_OK(syscall(SYS_bpf, BPF_MAP_CREATE | COMMON_ATTRS, &a, 48, &common, 24));
	a.a.map_type = BPF_MAP_TYPE_ARRAY;
	a.a.key_size = a.a.value_size = 4;
	a.a.max_entries = 1;
	SHOW_OK(syscall(SYS_bpf, BPF_MAP_CREATE | COMMON_ATTRS, &a, 48, &common, 24));
	printf("log: '%s'\n", log);
	return guest_end();
}
