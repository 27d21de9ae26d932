/* A user without the right to use bpf(2): refused by the kernel, and the same on replay. */
#include "bpf.h"

int main(void)
{
	union attr a = { 0 };
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0);
	uint32_t key = 0, v = 3;

	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		return 1;
	SHOW_OK(map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0));
	SHOW_OK(map_create(BPF_MAP_TYPE_LPM_TRIE, 8, 4, 1, BPF_F_NO_PREALLOC));
	SHOW_OK(LOAD(BPF_PROG_TYPE_XDP, 0, MOV_IMM(0, 0), EXIT));
	SHOW(bpf(BPF_PROG_GET_NEXT_ID, &a, 12));
	a.a.prog_id = 1;
	SHOW(bpf(BPF_PROG_GET_FD_BY_ID, &a, 12));
	SHOW(bpf(BPF_ENABLE_STATS, &a, 4));
	SHOW(bpf(TOKEN_CREATE, &a, 8));
	SHOW(bpf(200, &a, 300));
	/* What it was given it may use. */
	SHOW(elem(BPF_MAP_UPDATE_ELEM, map, &key, &v, 0));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, map, &key, &v, 0));
	return guest_end();
}
