/* Can this user use bpf(2) here? Exit status 0, or 1 with the reason. */
#include "bpf.h"

int main(void)
{
	int map = map_create(BPF_MAP_TYPE_HASH, 4, 4, 1, 0);

	if (map < 0) {
		printf("bpf(2): %s\n", strerror(errno));
		return 1;
	}
	if (LOAD(BPF_PROG_TYPE_SOCKET_FILTER, 0, MOV_IMM(0, 0), EXIT) < 0) {
		printf("a program cannot be loaded: %s\n", strerror(errno));
		return 1;
	}
	return 0;
}
