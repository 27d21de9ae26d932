/* An arena map: its memory is shared with programs, pointers and all. A recording refuses that (doc/bpf.md). */
#include "bpf.h"

#define MAP_TYPE_ARENA 33
#define PAGES 4
#define PLACE 0x100000000000ull

static void map(uint64_t place)
{
	union attr a = { .a = { .map_type = MAP_TYPE_ARENA, .map_flags = BPF_F_MMAPABLE, .max_entries = PAGES, .map_extra = place } };
	int fd = bpf_all(BPF_MAP_CREATE, &a);
	char *m;

	if (fd < 0) {
		printf("no arena maps: %s\n", result(fd));
		return;
	}
	m = mmap((void *)(uintptr_t)place, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | (place ? MAP_FIXED_NOREPLACE : 0),
		 fd, 0);
	printf("mapped: %s\n", m == MAP_FAILED ? strerrorname_np(errno) : "ok");
	if (m != MAP_FAILED) {
		m[0] = 1;
		munmap(m, PAGES * 4096);
	}
	close(fd);
}

int main(void)
{
	map(0);
	map(PLACE);
	return guest_end();
}
