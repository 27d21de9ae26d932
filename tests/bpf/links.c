/* Attaching: raw tracepoints, links of several kinds, cgroups, perf events; pins in a bpf file system; iterators. */
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "bpf.h"

static int link_create(int prog, int target, uint32_t type, uint32_t flags)
{
	union attr a = { 0 };

	a.a.link_create.prog_fd = (uint32_t)prog;
	a.a.link_create.target_fd = (uint32_t)target;
	a.a.link_create.attach_type = type;
	a.a.link_create.flags = flags;
	return bpf(BPF_LINK_CREATE, &a, sizeof(a.a.link_create));
}

static int link_info(int link, struct bpf_link_info *info, uint32_t size)
{
	union attr a = { 0 };

	a.a.info.bpf_fd = (uint32_t)link;
	a.a.info.info_len = size;
	a.a.info.info = ptr(info);
	return bpf(BPF_OBJ_GET_INFO_BY_FD, &a, sizeof(a.a.info));
}

static void raw_tracepoint(void)
{
	int prog = LOAD(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, MOV_IMM(0, 0), EXIT), link;
	struct bpf_link_info info = { 0 };
	union attr a = { 0 };
	char name[32] = "";

	a.a.raw_tracepoint.prog_fd = (uint32_t)prog;
	a.a.raw_tracepoint.name = ptr("no_such_tracepoint");
	SHOW(bpf(BPF_RAW_TRACEPOINT_OPEN, &a, 12));
	a.a.raw_tracepoint.name = 16;
	SHOW(bpf(BPF_RAW_TRACEPOINT_OPEN, &a, 12));
	a.a.raw_tracepoint.name = ptr("sys_enter");
	link = bpf(BPF_RAW_TRACEPOINT_OPEN, &a, 12);
	printf("raw tracepoint: %s\n", result(link));
	info.raw_tracepoint.tp_name = ptr(name);
	info.raw_tracepoint.tp_name_len = sizeof(name);
	SHOW(link_info(link, &info, sizeof(info)));
	printf("type %u, '%s' (%u)\n", info.type, name, info.raw_tracepoint.tp_name_len);
	memset(&info, 0, sizeof(info));
	memset(name, '#', sizeof(name));
	info.raw_tracepoint.tp_name = ptr(name);
	info.raw_tracepoint.tp_name_len = 5;
	SHOW(link_info(link, &info, sizeof(info)));
	printf("%.8s (%u)\n", name, info.raw_tracepoint.tp_name_len);
	SHOW(link_create(prog, -1, 9999, 0));
	memset(&a, 0, sizeof(a));
	a.a.link_detach.link_fd = (uint32_t)link;
	printf("detach: %s\n", bpf(BPF_LINK_DETACH, &a, 4) < 0 ? "refused" : "done");
	close(link);
	close(prog);
}

/* A cgroup to attach to: whatever is mounted; the programs let everything pass. */
static int cgroup_open(void)
{
	static const char *const places[] = { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" };

	for (unsigned i = 0; i < 2; i++) {
		char name[128];

		snprintf(name, sizeof(name), "%s/cgroup.procs", places[i]);
		if (access(name, F_OK) == 0 && access(strcat(name, "/../cgroup.controllers"), F_OK) < 0) {
			snprintf(name, sizeof(name), "%s/cgroup.controllers", places[i]);
			if (access(name, F_OK) == 0)
				return open(places[i], O_RDONLY | O_DIRECTORY);
		}
	}
	return -1;
}

static void query(int cgroup)
{
	uint32_t ids[8], flags[8];
	union attr a = { 0 };

	for (uint32_t room = 8; room <= 8; room -= 4) {
		memset(ids, 0xaa, sizeof(ids));
		memset(&a, 0, sizeof(a));
		a.a.query.target_fd = (uint32_t)cgroup;
		a.a.query.attach_type = BPF_CGROUP_DEVICE;
		a.a.query.prog_ids = room ? ptr(ids) : 0;
		a.a.query.prog_attach_flags = room ? ptr(flags) : 0;
		a.a.query.prog_cnt = room;
		SHOW(bpf(BPF_PROG_QUERY, &a, sizeof(a.a.query)));
		CHECK(a.a.query.prog_cnt >= 2 && (!room || (ids[0] != 0xaaaaaaaa && ids[1] != 0xaaaaaaaa)));
		CHECK(ids[room < a.a.query.prog_cnt ? room : a.a.query.prog_cnt] == 0xaaaaaaaa);
	}
	memset(&a, 0, sizeof(a));
	a.a.query.target_fd = 9999;
	a.a.query.attach_type = BPF_CGROUP_DEVICE;
	SHOW(bpf(BPF_PROG_QUERY, &a, sizeof(a.a.query)));
}

static void cgroup(void)
{
	int cg = cgroup_open(), link, prog, other;
	struct bpf_link_info info = { 0 };
	union attr a = { 0 };

	if (cg < 0) {
		printf("no cgroup\n");
		return;
	}
	prog = LOAD(BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, MOV_IMM(0, 1), EXIT);
	other = LOAD(BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE, MOV_IMM(0, 1), MOV_IMM(1, 2), EXIT);
	CHECK(prog >= 0 && other >= 0);
	link = link_create(prog, cg, BPF_CGROUP_DEVICE, 0);
	printf("cgroup link: %s\n", result(link));
	SHOW(link_create(prog, cg, BPF_CGROUP_DEVICE, 0x40000000));
	SHOW(link_create(prog, -1, BPF_CGROUP_DEVICE, 0));
	SHOW(link_info(link, &info, sizeof(info)));
	printf("type %u, attached as %u\n", info.type, info.cgroup.attach_type);
	a.a.target_fd = (uint32_t)cg;
	a.a.attach_bpf_fd = (uint32_t)other;
	a.a.attach_type = BPF_CGROUP_DEVICE;
	a.a.attach_flags = BPF_F_ALLOW_MULTI;
	SHOW(bpf(BPF_PROG_ATTACH, &a, 20));
	SHOW(bpf(BPF_PROG_ATTACH, &a, 20));
	query(cg);
	memset(&a, 0, sizeof(a));
	a.a.link_update.link_fd = (uint32_t)link;
	a.a.link_update.new_prog_fd = (uint32_t)other;
	SHOW(bpf(BPF_LINK_UPDATE, &a, 16));
	a.a.link_update.flags = BPF_F_REPLACE;
	a.a.link_update.old_prog_fd = (uint32_t)prog;
	SHOW(bpf(BPF_LINK_UPDATE, &a, 16));
	memset(&a, 0, sizeof(a));
	a.a.target_fd = (uint32_t)cg;
	a.a.attach_bpf_fd = (uint32_t)other;
	a.a.attach_type = BPF_CGROUP_DEVICE;
	SHOW(bpf(BPF_PROG_DETACH, &a, 12));
	SHOW(bpf(BPF_PROG_DETACH, &a, 12));
	memset(&a, 0, sizeof(a));
	a.a.link_detach.link_fd = (uint32_t)link;
	SHOW(bpf(BPF_LINK_DETACH, &a, 4));
	SHOW(bpf(BPF_LINK_DETACH, &a, 4));
	close(link);
	close(prog);
	close(other);
	close(cg);
}

static void link_ids(void)
{
	int prog = LOAD(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, MOV_IMM(0, 0), EXIT), link;
	union attr a = { 0 };
	bool opened = false;

	a.a.raw_tracepoint.prog_fd = (uint32_t)prog;
	a.a.raw_tracepoint.name = ptr("sys_exit");
	link = bpf(BPF_RAW_TRACEPOINT_OPEN, &a, 12);
	memset(&a, 0, sizeof(a));
	while (bpf(BPF_LINK_GET_NEXT_ID, &a, 12) == 0) {
		union attr b = { .a = { .link_id = a.a.next_id } };
		int fd = bpf(BPF_LINK_GET_FD_BY_ID, &b, 12);

		a.a.start_id = a.a.next_id;
		opened |= fd >= 0;
		close(fd);
	}
	printf("links: %s, ends with %s\n", opened ? "some" : "none", strerrorname_np(errno));
	a.a.link_id = 0x7ffffff0;
	SHOW(bpf(BPF_LINK_GET_FD_BY_ID, &a, 12));
	close(link);
	close(prog);
}

/* A program run by a software event, as a link and by the ioctl. */
static void perf(void)
{
	struct perf_event_attr pe = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(pe), .config = PERF_COUNT_SW_PAGE_FAULTS,
				      .sample_period = 1 };
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0), event, prog, link;
	struct bpf_link_info info = { 0 };
	uint64_t count = 0, value;
	uint32_t key = 0;
	char *page;

	prog = LOAD(BPF_PROG_TYPE_PERF_EVENT, 0, ST(BPF_W, 10, -4, 0), MOV_REG(2, 10), ADD_IMM(2, -4), LD_MAP(1, map),
		    CALL(BPF_FUNC_map_lookup_elem), JEQ_IMM(0, 0, 2), MOV_IMM(1, 1),
		    INSN(BPF_STX | BPF_ATOMIC | BPF_DW, 0, 1, 0, BPF_ADD), MOV_IMM(0, 0), EXIT);
	event = (int)syscall(SYS_perf_event_open, &pe, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	CHECK(prog >= 0 && event >= 0);
	SHOW(ioctl(event, PERF_EVENT_IOC_SET_BPF, 9999));
	link = link_create(prog, event, 41 /* BPF_PERF_EVENT */, 0);
	printf("perf link: %s\n", result(link));
	page = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(page, 1, 65536);
	SHOW(link_info(link, &info, sizeof(info)));
	printf("type %u\n", info.type);
	close(link);
	SHOW(ioctl(event, PERF_EVENT_IOC_SET_BPF, prog));
	SHOW(ioctl(event, PERF_EVENT_IOC_ENABLE, 0));
	CHECK(elem(BPF_MAP_LOOKUP_ELEM, map, &key, &count, 0) == 0);
	SHOW(ioctl(event, PERF_EVENT_IOC_DISABLE, 0));
	SHOW(read(event, &value, sizeof(value)));
	CHECK(ioctl(event, PERF_EVENT_IOC_ID, &value) == 0 && value);
	SHOW(ioctl(event, PERF_EVENT_IOC_RESET, 0));
	pe.size = 7;
	SHOW(syscall(SYS_perf_event_open, &pe, 0, -1, -1, 0));
	printf("size %u\n", pe.size);
	pe.size = sizeof(pe);
	pe.type = 9999;
	SHOW(syscall(SYS_perf_event_open, &pe, 0, -1, -1, 0));
	close(event);
	close(prog);
	close(map);
}

static void pins(void)
{
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0), fd;
	union attr a = { 0 };
	uint32_t key = 0, v = 77;

	a.a.pathname = ptr("not-there/x");
	a.a.bpf_fd = (uint32_t)map;
	SHOW(bpf(BPF_OBJ_PIN, &a, 16));
	a.a.pathname = ptr("/tmp/x");
	SHOW(bpf(BPF_OBJ_PIN, &a, 16));
	CHECK(mkdir("fs", 0700) == 0);
	if (mount("bpf", "fs", "bpf", 0, NULL) < 0) {
		printf("no bpf file system\n");
		return;
	}
	a.a.pathname = ptr("fs/map");
	SHOW(bpf(BPF_OBJ_PIN, &a, 16));
	SHOW(bpf(BPF_OBJ_PIN, &a, 16));
	CHECK(elem(BPF_MAP_UPDATE_ELEM, map, &key, &v, 0) == 0);
	close(map);
	v = 0;
	memset(&a, 0, sizeof(a));
	a.a.pathname = ptr("fs/map");
	fd = bpf(BPF_OBJ_GET, &a, 16);
	printf("get: %s\n", result(fd));
	SHOW(elem(BPF_MAP_LOOKUP_ELEM, fd, &key, &v, 0));
	printf("%u\n", v);
	a.a.file_flags = BPF_F_RDONLY;
	close(fd);
	fd = bpf(BPF_OBJ_GET, &a, 16);
	SHOW(elem(BPF_MAP_UPDATE_ELEM, fd, &key, &v, 0));
	a.a.pathname = 8;
	SHOW(bpf(BPF_OBJ_GET, &a, 16));
	a.a.pathname = ptr("fs/none");
	a.a.file_flags = 0;
	SHOW(bpf(BPF_OBJ_GET, &a, 16));
	a.a.pathname = ptr("/etc/passwd");
	SHOW(bpf(BPF_OBJ_GET, &a, 16));
	close(fd);
	CHECK(unlink("fs/map") == 0);
	CHECK(umount("fs") == 0);
}

/* The types of the kernel: which number has the function that iterators over maps are attached to. */
static uint32_t iterator_type(void)
{
	static unsigned char btf[8 << 20];
	int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY);
	size_t n = 0;
	uint32_t head[6], at, end, id = 1;

	for (ssize_t got = fd < 0 ? 0 : 1; got > 0; n += (size_t)got)
		got = read(fd, btf + n, sizeof(btf) - n);
	close(fd);
	if (n < 24)
		return 0;
	memcpy(head, btf, sizeof(head));
	for (at = head[1] + head[2], end = at + head[3]; at + 12 <= end; id++) {
		uint32_t t[3], kind, vlen, extra;

		memcpy(t, btf + at, sizeof(t));
		kind = t[1] >> 24 & 31;
		vlen = t[1] & 0xffff;
		if (kind == 12 && !strcmp((char *)btf + head[1] + head[4] + t[0], "bpf_iter_bpf_map"))
			return id;
		extra = kind == 1 || kind == 14 || kind == 17 ? 4 : kind == 3 ? 12 : kind == 4 || kind == 5 || kind == 15 ? 12 * vlen :
			kind == 19 ? 12 * vlen : kind == 6 || kind == 13 ? 8 * vlen : 0;
		at += 12 + extra;
	}
	return 0;
}

/* For each map the byte 'm'. */
static void iterator(void)
{
	uint32_t type = iterator_type();
	struct bpf_insn insns[] = {
		LDX(BPF_DW, 6, 1, 0), LDX(BPF_DW, 7, 1, 8), JEQ_IMM(7, 0, 6), LDX(BPF_DW, 1, 6, 0), ST(BPF_B, 10, -1, 'm'),
		MOV_REG(2, 10), ADD_IMM(2, -1), MOV_IMM(3, 1), CALL(BPF_FUNC_seq_write), MOV_IMM(0, 0), EXIT,
	};
	union attr a = { 0 };
	char buf[4096], name[32] = "";
	struct bpf_link_info info = { 0 };
	int prog, link, iter;
	ssize_t n;

	if (!type) {
		printf("no types of the kernel\n");
		return;
	}
	a.a.prog_type = BPF_PROG_TYPE_TRACING;
	a.a.expected_attach_type = BPF_TRACE_ITER;
	a.a.attach_btf_id = type;
	a.a.insns = ptr(insns);
	a.a.insn_cnt = sizeof(insns) / sizeof(insns[0]);
	a.a.license = ptr("GPL");
	prog = bpf_all(BPF_PROG_LOAD, &a);
	CHECK(prog >= 0);
	link = link_create(prog, 0, BPF_TRACE_ITER, 0);
	printf("iterator: %s\n", result(link));
	info.iter.target_name = ptr(name);
	info.iter.target_name_len = sizeof(name);
	SHOW(link_info(link, &info, sizeof(info)));
	printf("type %u '%s'\n", info.type, name);
	memset(&a, 0, sizeof(a));
	a.a.iter_create.link_fd = (uint32_t)link;
	iter = bpf(BPF_ITER_CREATE, &a, 8);
	n = read(iter, buf, sizeof(buf));
	CHECK(n > 0 && buf[0] == 'm' && buf[n - 1] == 'm');
	a.a.iter_create.flags = 1;
	SHOW(bpf(BPF_ITER_CREATE, &a, 8));
	a.a.iter_create.flags = 0;
	a.a.iter_create.link_fd = 9999;
	SHOW(bpf(BPF_ITER_CREATE, &a, 8));
	memset(&a, 0, sizeof(a));
	a.a.link_create.prog_fd = (uint32_t)prog;
	a.a.link_create.attach_type = BPF_TRACE_ITER;
	a.a.link_create.iter_info = 16;
	a.a.link_create.iter_info_len = 8;
	SHOW(bpf(BPF_LINK_CREATE, &a, sizeof(a.a.link_create)));
	close(iter);
	close(link);
	close(prog);
}

int main(void)
{
	int map = map_create(BPF_MAP_TYPE_HASH, 4, 4, 5, 0);

	raw_tracepoint();
	cgroup();
	link_ids();
	perf();
	pins();
	iterator();
	close(map);
	return guest_end();
}
