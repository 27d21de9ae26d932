/* What the kernel tells about programs, maps, types and links: all the lists that pointers inside the answers lead to. */
#include <linux/perf_event.h>
#include <sys/ioctl.h>

#include "bpf.h"

static int info_of(int fd, void *info, uint32_t *size)
{
	union attr a = { 0 };
	int r;

	a.a.info.bpf_fd = (uint32_t)fd;
	a.a.info.info_len = *size;
	a.a.info.info = ptr(info);
	r = bpf(BPF_OBJ_GET_INFO_BY_FD, &a, sizeof(a.a.info));
	*size = a.a.info.info_len;
	return r;
}

static bool all_zero(const void *p, size_t n)
{
	const unsigned char *b = p;

	while (n--)
		if (*b++)
			return false;
	return true;
}

static void map_info(int map)
{
	struct bpf_map_info info = { 0 };
	unsigned char large[4096] = { 0 };
	uint32_t size = sizeof(info);

	SHOW(info_of(map, &info, &size));
	printf("%u %u %u %u '%s'\n", info.type, info.key_size, info.value_size, info.max_entries, info.name);
	size = 12;
	memset(&info, 0xaa, sizeof(info));
	SHOW(info_of(map, &info, &size));
	printf("%u: %u, then %08x\n", size, info.type, info.value_size);
	memset(large, 0, sizeof(large));
	size = sizeof(large);
	SHOW(info_of(map, large, &size));
	CHECK(size < 400);
	large[4000] = 1;
	size = sizeof(large);
	SHOW(info_of(map, large, &size));
	size = 5000;
	SHOW(info_of(map, large, &size));
	size = 8;
	SHOW(info_of(map, (void *)32, &size));
	size = 8;
	SHOW(info_of(9999, large, &size));
	size = 8;
	SHOW(info_of(1, large, &size));
}

static void prog_info(int prog, int map)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info), ids[4] = { 0 }, id;
	unsigned char xlated[400] = { 0 }, jited[4000] = { 0 }, tags[2][8] = { 0 };
	uint64_t ksyms[2] = { 0 };
	uint32_t lens[2] = { 0 };
	struct bpf_map_info mi = { 0 };

	info.nr_map_ids = 4;
	info.map_ids = ptr(ids);
	info.xlated_prog_len = sizeof(xlated);
	info.xlated_prog_insns = ptr(xlated);
	info.jited_prog_len = sizeof(jited);
	info.jited_prog_insns = ptr(jited);
	info.nr_jited_ksyms = 2;
	info.jited_ksyms = ptr(ksyms);
	info.nr_jited_func_lens = 2;
	info.jited_func_lens = ptr(lens);
	info.nr_prog_tags = 2;
	info.prog_tags = ptr(tags);
	SHOW(info_of(prog, &info, &size));
	printf("type %u '%s', %u maps, %u bytes of instructions, %u tags\n", info.type, info.name, info.nr_map_ids,
	       info.xlated_prog_len, info.nr_prog_tags);
	size = sizeof(mi);
	CHECK(info_of(map, &mi, &size) == 0 && ids[0] == mi.id && ids[1] == 0);
	CHECK(!all_zero(xlated, 16) && all_zero(xlated + info.xlated_prog_len, sizeof(xlated) - info.xlated_prog_len));
	CHECK(!memcmp(tags[0], info.tag, 8));
	CHECK(!info.jited_prog_len || !info.jited_prog_insns || !all_zero(jited, info.jited_prog_len));
	CHECK(!info.nr_jited_ksyms || ksyms[0]);
	printf("code addresses: %s, sizes: %s\n", ksyms[0] ? "shown" : "hidden", lens[0] ? "shown" : "hidden");

	/* With less room than there is. */
	id = info.id;
	memset(&info, 0, sizeof(info));
	memset(xlated, 0, sizeof(xlated));
	info.xlated_prog_len = 8;
	info.xlated_prog_insns = ptr(xlated);
	info.nr_map_ids = 0;
	size = sizeof(info);
	SHOW(info_of(prog, &info, &size));
	CHECK(info.id == id);
	printf("%u bytes, %s\n", info.xlated_prog_len, all_zero(xlated + 8, 100) ? "8 given" : "more given");
	info.func_info_rec_size = 3;
	SHOW(info_of(prog, &info, &size));
	memset(&info, 0, sizeof(info));
	info.nr_map_ids = 1;
	info.map_ids = 40;
	SHOW(info_of(prog, &info, &size));
}

static void btf_info(void)
{
	struct {
		struct { uint16_t magic; uint8_t version, flags; uint32_t hdr, type_off, type_len, str_off, str_len; } head;
		uint32_t integer[4];
		char strings[5];
	} __attribute__((packed)) btf = {
		{ 0xeb9f, 1, 0, 24, 0, 16, 16, 5 }, { 1, 1 << 24, 4, 1 << 24 | 32 }, "\0int"
	};
	union attr a = { 0 };
	struct bpf_btf_info info = { 0 };
	unsigned char back[100] = { 0 };
	char name[16] = "none";
	uint32_t size = sizeof(info);
	int fd;

	a.a.btf = ptr(&btf);
	a.a.btf_size = sizeof(btf);
	fd = bpf(BPF_BTF_LOAD, &a, 28);
	info.btf = ptr(back);
	info.btf_size = sizeof(back);
	info.name = ptr(name);
	info.name_len = sizeof(name);
	SHOW(info_of(fd, &info, &size));
	printf("%u bytes, %s, name '%s' (%u)\n", info.btf_size, memcmp(back, &btf, sizeof(btf)) ? "others" : "the same", name,
	       info.name_len);
	close(fd);
}

/* Types of the kernel itself, which are large: found by going through the ids. */
static void vmlinux(void)
{
	union attr a = { 0 };
	static unsigned char btf[8 << 20];
	char name[64] = "";
	bool found = false;

	while (bpf(BPF_BTF_GET_NEXT_ID, &a, 12) == 0) {
		struct bpf_btf_info info = { .btf = ptr(btf), .btf_size = sizeof(btf), .name = ptr(name), .name_len = sizeof(name) };
		union attr by_id = { .a = { .btf_id = a.a.next_id } };
		uint32_t size = sizeof(info);
		int fd = bpf(BPF_BTF_GET_FD_BY_ID, &by_id, 12);

		a.a.start_id = a.a.next_id;
		if (fd < 0)
			continue; /* another program's, gone since */
		if (info_of(fd, &info, &size) == 0 && !strcmp(name, "vmlinux")) {
			CHECK(info.kernel_btf == 1 && btf[0] == 0x9f && btf[1] == 0xeb);
			printf("vmlinux: %u bytes, sum %08x\n", info.btf_size, sum_of(btf, info.btf_size));
			found = true;
		}
		close(fd);
		if (found)
			return;
	}
	printf("no types of the kernel\n");
}

static void ids(int cmd, int by_id, const char *what)
{
	union attr a = { 0 };
	unsigned n = 0, opened = 0;

	while (bpf(cmd, &a, 12) == 0) {
		union attr b = { .a = { .start_id = a.a.next_id } };
		int fd = bpf(by_id, &b, 12);

		CHECK(a.a.next_id > a.a.start_id);
		a.a.start_id = a.a.next_id;
		n++;
		if (fd >= 0)
			opened++;
		close(fd);
	}
	printf("%s: %s, ends with %s\n", what, n && opened ? "some" : "none", strerrorname_np(errno));
	a.a.start_id = 0xfffffff0;
	SHOW(bpf(by_id, &a, 12));
	a.a.start_id = 0xffffffff;
	SHOW(bpf(cmd, &a, 12));
}

static void task_fd(int prog)
{
	union attr a = { 0 };
	char name[64];
	int fd;

	a.a.raw_tracepoint.name = ptr("sched_switch");
	a.a.raw_tracepoint.prog_fd = (uint32_t)prog;
	fd = bpf(BPF_RAW_TRACEPOINT_OPEN, &a, sizeof(a.a.raw_tracepoint));
	CHECK(fd >= 0);
	for (unsigned size = 0; size < 64; size += 8) {
		memset(&a, 0, sizeof(a));
		memset(name, '#', sizeof(name));
		name[63] = 0;
		a.a.task_fd_query.pid = (uint32_t)getpid();
		a.a.task_fd_query.fd = (uint32_t)fd;
		a.a.task_fd_query.buf = ptr(name);
		a.a.task_fd_query.buf_len = size;
		printf("%u: ", size);
		SHOW(bpf(BPF_TASK_FD_QUERY, &a, sizeof(a.a.task_fd_query)));
		printf("%s %u type %u program %s\n", name, a.a.task_fd_query.buf_len, a.a.task_fd_query.fd_type,
		       a.a.task_fd_query.prog_id ? "known" : "unknown");
	}
	a.a.task_fd_query.fd = 0;
	SHOW(bpf(BPF_TASK_FD_QUERY, &a, sizeof(a.a.task_fd_query)));
	close(fd);
}

static void stats(void)
{
	union attr a = { 0 };
	int fd = bpf(BPF_ENABLE_STATS, &a, 4);

	printf("statistics: %s\n", result(fd));
	close(fd);
	a.a.enable_stats.type = 9;
	SHOW(bpf(BPF_ENABLE_STATS, &a, 4));
}

int main(void)
{
	int map = map_create(BPF_MAP_TYPE_HASH, 4, 4, 5, 0), prog, raw;
	union attr a = { 0 };

	prog = LOAD(BPF_PROG_TYPE_SOCKET_FILTER, 0, LD_MAP(1, map), MOV_IMM(0, 0), EXIT);
	raw = LOAD(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, MOV_IMM(0, 0), EXIT);
	CHECK(map >= 0 && prog >= 0 && raw >= 0);
	map_info(map);
	prog_info(prog, map);
	btf_info();
	vmlinux();
	ids(BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID, "programs");
	ids(BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID, "maps");
	task_fd(raw);
	stats();
	a.a.prog_bind_map.prog_fd = (uint32_t)raw;
	a.a.prog_bind_map.map_fd = (uint32_t)map;
	SHOW(bpf(BPF_PROG_BIND_MAP, &a, 12));
	SHOW(bpf(BPF_PROG_BIND_MAP, &a, 12));
	a.a.prog_bind_map.flags = 1;
	SHOW(bpf(BPF_PROG_BIND_MAP, &a, 12));
	return guest_end();
}
