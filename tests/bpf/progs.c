/* Loading programs and types: what the verifier says, byte for byte, with room for it and without; test runs. */
#include "bpf.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct bpf_insn good[] = { MOV_IMM(0, 7), EXIT };
static const struct bpf_insn unset[] = { MOV_REG(0, 3), EXIT }; /* r3 was never set */

static void show_log(const char *what, int r, const char *log, size_t size, const uint32_t *true_size)
{
	size_t used = size;

	while (used && !log[used - 1])
		used--;
	printf("%s: %s, %zu bytes, sum %08x, needs %u\n", what, result(r), used, sum_of(log, size), *true_size);
}

static int load_attr(union attr *a, const struct bpf_insn *insns, unsigned n, char *log, uint32_t size, uint32_t level,
		     unsigned attr_size)
{
	memset(a, 0, sizeof(*a));
	a->a.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	a->a.insns = ptr(insns);
	a->a.insn_cnt = n;
	a->a.license = ptr("GPL");
	a->a.log_buf = ptr(log);
	a->a.log_size = size;
	a->a.log_level = level;
	strcpy(a->a.prog_name, "logs");
	return bpf(BPF_PROG_LOAD, a, attr_size);
}

static void logs(void)
{
	static const uint32_t levels[] = { 0, 1, 2, 4, 7, 8, 9, 64 };
	static const uint32_t sizes[] = { 0, 1, 8, 40, 4096 };
	char log[4096];
	union attr a;

	for (unsigned k = 0; k < 2; k++)
		for (unsigned i = 0; i < COUNT(levels); i++)
			for (unsigned s = 0; s < COUNT(sizes); s++) {
				char name[64];
				int r;

				snprintf(name, sizeof(name), "%s level %u size %u", k ? "unset" : "good", levels[i], sizes[s]);
				memset(log, 0, sizeof(log));
				r = load_attr(&a, k ? unset : good, 2, sizes[s] ? log : NULL, sizes[s], levels[i], 144);
				if (levels[i] & 4) /* how long it took is in it */
					printf("%s: %s\n", name, result(r));
				else
					show_log(name, r, log, sizeof(log), &a.u32[LOG_TRUE_SIZE_AT / 4]);
				if (r >= 0)
					close(r);
			}
	/* Without the field that says how long it is: an older program's attr. */
	memset(log, 0x55, sizeof(log));
	show_log("short attr", load_attr(&a, unset, 2, log, sizeof(log), 2, 72), log, sizeof(log),
		 &a.u32[LOG_TRUE_SIZE_AT / 4]);
	CHECK(strstr(log, "R3 !read_ok"));
	CHECK((unsigned char)log[4095] == 0x55);
	/* The kernel cannot write all of it. */
	show_log("bad buffer", load_attr(&a, unset, 2, (char *)16, 200, 1, 144), log, 0, &a.u32[LOG_TRUE_SIZE_AT / 4]);
}

static void large_log(void)
{
	uint32_t size = 16u << 20;
	char *log = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct bpf_insn *insns = malloc(20002 * sizeof(*insns));
	union attr a;

	show_log("16 MiB", load_attr(&a, unset, 2, log, size, 2, 144), log, size, &a.u32[LOG_TRUE_SIZE_AT / 4]);
	fputs(log, stdout);
	for (int i = 0; i < 20000; i++)
		insns[i] = MOV_IMM(0, i);
	insns[20000] = MOV_REG(0, 3);
	insns[20001] = EXIT;
	show_log("a long one", load_attr(&a, insns, 20002, log, size, 2, 144), log, size, &a.u32[LOG_TRUE_SIZE_AT / 4]);
	show_log("and its end", load_attr(&a, insns, 20002, memset(log, 0, size), 1000, 2, 144), log, 2000,
		 &a.u32[LOG_TRUE_SIZE_AT / 4]);
	munmap(log, size);
	free(insns);
}

/* The attr lies where the kernel may not write, or ends before a page that is not there. */
static void attr_places(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	union attr a;

	munmap(page + 4096, 4096);
	load_attr(&a, good, 2, NULL, 0, 0, 0);
	memcpy(page + 4096 - 72, &a, 72);
	SHOW_OK(bpf(BPF_PROG_LOAD, page + 4096 - 72, 72));
	SHOW_OK(bpf(BPF_PROG_LOAD, page + 4096 - 72, 80));
	memcpy(page, &a, 144);
	mprotect(page, 4096, PROT_READ);
	SHOW_OK(bpf(BPF_PROG_LOAD, page, 72));
	SHOW(bpf(BPF_PROG_LOAD, page, 144)); /* log_true_size is there */
}

static void load_errors(void)
{
	union attr a;

	SHOW(LOAD(9999, 0, MOV_IMM(0, 0), EXIT));
	SHOW(LOAD(BPF_PROG_TYPE_SOCKET_FILTER, 0, EXIT));
	SHOW(load_attr(&a, NULL, 2, NULL, 0, 0, 144));
	SHOW(load_attr(&a, good, 0, NULL, 0, 0, 144));
	SHOW(load_attr(&a, good, 2000000, NULL, 0, 0, 144));
	SHOW(LOAD(BPF_PROG_TYPE_SOCKET_FILTER, 0, LD_MAP(1, 9999), MOV_IMM(0, 0), EXIT));
	load_attr(&a, good, 2, NULL, 0, 0, 0);
	a.a.license = 1;
	SHOW(bpf(BPF_PROG_LOAD, &a, 144));
	a.a.license = ptr("no such licence, and a name much longer than the kernel would ever read of it: it takes "
			  "127 bytes of it and goes on, which is enough to compare it");
	SHOW_OK(bpf(BPF_PROG_LOAD, &a, 144));
	a.a.prog_flags = 0x40000000;
	SHOW(bpf(BPF_PROG_LOAD, &a, 144));
	a.a.prog_flags = 0;
	a.a.func_info_cnt = 1;
	a.a.func_info_rec_size = 8;
	a.a.func_info = 16;
	SHOW(bpf(BPF_PROG_LOAD, &a, 144));
}

static int btf_load(const void *btf, uint32_t size, char *log, uint32_t log_size, uint32_t level, uint32_t *true_size)
{
	union attr a = { 0 };
	int r;

	a.a.btf = ptr(btf);
	a.a.btf_size = size;
	a.a.btf_log_buf = ptr(log);
	a.a.btf_log_size = log_size;
	a.a.btf_log_level = level;
	r = bpf(BPF_BTF_LOAD, &a, 32);
	*true_size = a.u32[BTF_LOG_TRUE_SIZE_AT / 4];
	return r;
}

static void types(void)
{
	struct {
		struct { uint16_t magic; uint8_t version, flags; uint32_t hdr, type_off, type_len, str_off, str_len; } head;
		uint32_t integer[4];
		char strings[5];
	} __attribute__((packed)) btf = {
		{ 0xeb9f, 1, 0, 24, 0, 16, 16, 5 }, { 1, 1 << 24, 4, 1 << 24 | 32 }, "\0int"
	};
	uint32_t n;
	char log[1000] = "";
	int r;

	r = btf_load(&btf, sizeof(btf), log, sizeof(log), 1, &n);
	show_log("types", r, log, sizeof(log), &n);
	fputs(log, stdout);
	close(r);
	r = btf_load(&btf, sizeof(btf), log, 10, 1, &n);
	show_log("types, small log", r, log, sizeof(log), &n);
	btf.head.magic = 1;
	r = btf_load(&btf, sizeof(btf), log, sizeof(log), 1, &n);
	show_log("no types", r, log, sizeof(log), &n);
	r = btf_load((void *)64, sizeof(btf), NULL, 0, 0, &n);
	show_log("types nowhere", r, log, 0, &n);
}

static int test_run(int fd, union attr *a, void *in, uint32_t in_size, void *out, uint32_t out_size)
{
	memset(a, 0, sizeof(*a));
	a->a.test.prog_fd = (uint32_t)fd;
	a->a.test.data_in = ptr(in);
	a->a.test.data_size_in = in_size;
	a->a.test.data_out = ptr(out);
	a->a.test.data_size_out = out_size;
	return bpf(BPF_PROG_TEST_RUN, a, sizeof(a->a.test));
}

static void show_run(const char *what, int r, const union attr *a, const void *out, size_t n)
{
	printf("%s: %s, value %u, %u bytes, sum %08x\n", what, result(r), a->a.test.retval, a->a.test.data_size_out, sum_of(out, n));
}

static void packets(void)
{
	unsigned char packet[100], out[8192];
	union attr a;
	int fd = LOAD(BPF_PROG_TYPE_SCHED_CLS, 0, LDX(BPF_W, 0, 1, 0), EXIT); /* skb->len */
	int xdp = LOAD(BPF_PROG_TYPE_XDP, 0, MOV_IMM(0, 2), EXIT);

	for (unsigned i = 0; i < sizeof(packet); i++)
		packet[i] = (unsigned char)(i * 7);
	memset(out, 0xaa, sizeof(out));
	show_run("packet", test_run(fd, &a, packet, 100, out, 200), &a, out, sizeof(out));
	memset(out, 0xaa, sizeof(out));
	show_run("small out", test_run(fd, &a, packet, 100, out, 30), &a, out, sizeof(out));
	memset(out, 0xaa, sizeof(out));
	show_run("no size", test_run(fd, &a, packet, 100, out, 0), &a, out, sizeof(out));
	show_run("no out", test_run(fd, &a, packet, 100, NULL, 0), &a, out, sizeof(out));
	show_run("too short", test_run(fd, &a, packet, 10, out, 200), &a, out, sizeof(out));
	show_run("no packet", test_run(fd, &a, (void *)32, 100, out, 200), &a, out, sizeof(out));
	show_run("bad out", test_run(fd, &a, packet, 100, (void *)32, 200), &a, out, sizeof(out));
	show_run("no program", test_run(-1, &a, packet, 100, out, 200), &a, out, sizeof(out));
	test_run(fd, &a, packet, 100, out, 200);
	a.a.test.repeat = 1000;
	a.a.test.duration = 0;
	SHOW(bpf(BPF_PROG_TEST_RUN, &a, sizeof(a.a.test)));
	memset(out, 0xaa, sizeof(out));
	show_run("xdp", test_run(xdp, &a, packet, 100, out, sizeof(out)), &a, out, sizeof(out));
	close(fd);
	close(xdp);
}

static void contexts(void)
{
	struct __sk_buff skb = { .mark = 5, .priority = 3 }, back;
	unsigned char packet[64] = { 1 };
	union attr a = { 0 };
	int fd = LOAD(BPF_PROG_TYPE_SCHED_CLS, 0, ST(BPF_W, 1, offsetof(struct __sk_buff, mark), 77),
		      LDX(BPF_W, 0, 1, offsetof(struct __sk_buff, priority)), EXIT);

	memset(&back, 0xaa, sizeof(back));
	a.a.test.prog_fd = (uint32_t)fd;
	a.a.test.data_in = ptr(packet);
	a.a.test.data_size_in = sizeof(packet);
	a.a.test.ctx_in = ptr(&skb);
	a.a.test.ctx_out = ptr(&back);
	a.a.test.ctx_size_in = a.a.test.ctx_size_out = sizeof(skb);
	SHOW(bpf(BPF_PROG_TEST_RUN, &a, sizeof(a.a.test)));
	printf("value %u, mark %u, %u bytes\n", a.a.test.retval, back.mark, a.a.test.ctx_size_out);
	a.a.test.ctx_size_out = 20;
	memset(&back, 0xaa, sizeof(back));
	SHOW(bpf(BPF_PROG_TEST_RUN, &a, sizeof(a.a.test)));
	printf("sum %08x, %u bytes\n", sum_of(&back, sizeof(back)), a.a.test.ctx_size_out);
	close(fd);
}

/* A program of type SYSCALL: its context is the caller's memory. */
static void syscall_program(void)
{
	struct bpf_insn insns[] = { LDX(BPF_DW, 2, 1, 0), ADD_IMM(2, 5), STX(BPF_DW, 1, 2, 8), MOV_IMM(0, 9), EXIT };
	union attr a = { .a = { .prog_type = BPF_PROG_TYPE_SYSCALL, .insns = ptr(insns), .insn_cnt = COUNT(insns),
				.license = ptr("GPL"), .prog_flags = BPF_F_SLEEPABLE } };
	uint64_t ctx[3] = { 100, 0, 55 };
	int fd = bpf_all(BPF_PROG_LOAD, &a);

	CHECK(fd >= 0);
	memset(&a, 0, sizeof(a));
	a.a.test.prog_fd = (uint32_t)fd;
	a.a.test.ctx_in = ptr(ctx);
	a.a.test.ctx_size_in = sizeof(ctx);
	SHOW(bpf(BPF_PROG_TEST_RUN, &a, sizeof(a.a.test)));
	printf("value %u, context %lu %lu %lu\n", a.a.test.retval, ctx[0], ctx[1], ctx[2]);
	memset(&a, 0, sizeof(a));
	a.a.test.prog_fd = (uint32_t)fd;
	a.a.test.ctx_in = ptr(ctx);
	a.a.test.ctx_size_in = 8;
	SHOW(bpf(BPF_PROG_TEST_RUN, &a, sizeof(a.a.test)));
	memset(&a, 0, sizeof(a)); /* what the program printed: nothing */
	a.u64[0] = ptr(ctx);
	a.u32[2] = sizeof(ctx);
	a.u32[3] = 1;
	a.u32[4] = (uint32_t)fd;
	SHOW(bpf(PROG_STREAM_READ_BY_FD, &a, 20));
	a.u32[3] = 99;
	SHOW(bpf(PROG_STREAM_READ_BY_FD, &a, 20));
	a.u32[3] = 1;
	a.u32[4] = 9999;
	SHOW(bpf(PROG_STREAM_READ_BY_FD, &a, 20));
	close(fd);
}

int main(void)
{
	logs();
	large_log();
	attr_places();
	load_errors();
	types();
	packets();
	contexts();
	syscall_program();
	return guest_end();
}
