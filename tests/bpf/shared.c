/* Memory that the kernel writes while we have it mapped: array maps, ring buffers both ways, rings of perf events. */
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "bpf.h"

#define MMAPABLE (1u << 10)
#define PAGE 4096
#define HOLDS(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)

static int run(int prog, void *ctx, uint32_t size)
{
	union attr a = { 0 };

	a.a.test.prog_fd = (uint32_t)prog;
	a.a.test.ctx_in = ptr(ctx);
	a.a.test.ctx_size_in = size;
	return bpf(BPF_PROG_TEST_RUN, &a, sizeof(a.a.test)) < 0 ? -1 : (int)a.a.test.retval;
}

static int syscall_prog(const struct bpf_insn *insns, unsigned n)
{
	union attr a = { .a = { .prog_type = BPF_PROG_TYPE_SYSCALL, .insns = ptr(insns), .insn_cnt = n, .license = ptr("GPL"),
				.prog_flags = BPF_F_SLEEPABLE } };
	int fd = bpf_all(BPF_PROG_LOAD, &a);

	CHECK(fd >= 0);
	return fd;
}
#define PROG(...) syscall_prog((struct bpf_insn[]){ __VA_ARGS__ }, sizeof((struct bpf_insn[]){ __VA_ARGS__ }) / sizeof(struct bpf_insn))

/* A program and this process both count in one value; another word is only the kernel's. */
static void array(void)
{
	int map = map_create(BPF_MAP_TYPE_ARRAY, 4, 3 * PAGE, 1, MMAPABLE), prog;
	uint64_t *m = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0), *again;
	uint32_t key = 0;
	static uint64_t value[3 * PAGE / 8];

	CHECK(m != MAP_FAILED);
	prog = PROG(ST(BPF_W, 10, -4, 0), MOV_REG(2, 10), ADD_IMM(2, -4), LD_MAP(1, map), CALL(BPF_FUNC_map_lookup_elem),
		    JNE_IMM(0, 0, 2), MOV_IMM(0, 1), EXIT, LDX(BPF_DW, 1, 0, 0), ADD_IMM(1, 1), STX(BPF_DW, 0, 1, 0),
		    LDX(BPF_DW, 1, 0, 5000), ADD_IMM(1, 3), STX(BPF_DW, 0, 1, 5000), MOV_IMM(0, 0), EXIT);
	for (int i = 0; i < 5; i++) {
		m[0] += 100;
		m[600]++;
		CHECK(run(prog, NULL, 0) == 0);
		printf("%lu %lu %lu\n", m[0], m[625], m[600]);
	}
	CHECK(elem(BPF_MAP_LOOKUP_ELEM, map, &key, value, 0) == 0);
	CHECK(!memcmp(value, m, sizeof(value)));
	value[700] = 12345;
	CHECK(elem(BPF_MAP_UPDATE_ELEM, map, &key, value, 0) == 0);
	printf("updated: %lu\n", m[700]);
	/* Mapped once more, read-only, from the second page on: what one shows the other does. */
	again = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, map, PAGE);
	CHECK(again != MAP_FAILED && again[600 - 512] == m[600] && again[700 - 512] == 12345);
	m[600] = 77;
	getppid();
	printf("seen in the other mapping: %lu\n", again[600 - 512]);
	SHOW(mprotect(again, PAGE, PROT_READ | PROT_WRITE));
	/* What a call writes there the kernel has. */
	{
		int p[2];

		CHECK(pipe(p) == 0 && write(p[1], "eightch", 8) == 8 && read(p[0], &m[10], 8) == 8);
		CHECK(elem(BPF_MAP_LOOKUP_ELEM, map, &key, value, 0) == 0);
		printf("%s\n", (char *)&value[10]);
	}
	SHOW(munmap(again, PAGE));
	/* Its last page goes elsewhere, and does not grow. */
	{
		char *to = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		uint64_t *moved = mremap((char *)m + 2 * PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);

		CHECK(moved == (uint64_t *)to);
		moved[5] = 4711;
		CHECK(elem(BPF_MAP_LOOKUP_ELEM, map, &key, value, 0) == 0);
		printf("moved: %lu\n", value[1024 + 5]);
		value[1024 + 6] = 99;
		CHECK(elem(BPF_MAP_UPDATE_ELEM, map, &key, value, 0) == 0);
		printf("moved: %lu\n", moved[6]);
		SHOW_OK(mremap(moved, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
		SHOW(munmap(to, 2 * PAGE));
	}
	SHOW(munmap((char *)m + PAGE, PAGE));
	CHECK(run(prog, NULL, 0) == 0);
	printf("after a part is gone: %lu %s\n", m[0], (char *)&m[10]);
	SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, map, 0));
	SHOW_OK(mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, map, 0));
	SHOW_OK(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, map, 0));
	/* The frozen one cannot be mapped for writing. */
	{
		int frozen = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, MMAPABLE);
		union attr a = { .a = { .map_fd = (uint32_t)frozen } };

		CHECK(bpf_all(BPF_MAP_FREEZE, &a) == 0);
		SHOW_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, frozen, 0));
		SHOW_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, frozen, 0));
		close(frozen);
	}
	munmap(m, 3 * PAGE);
	close(prog);
	close(map);
}

struct ring {
	uint64_t *consumer, *producer;
	char *data;
	uint64_t size;
};

static int ring_open(struct ring *r, uint32_t size)
{
	int fd = map_create(BPF_MAP_TYPE_RINGBUF, 0, 0, size, 0);
	char *p;

	CHECK(fd >= 0);
	r->size = size;
	r->consumer = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p = mmap(NULL, PAGE + 2 * size, PROT_READ, MAP_SHARED, fd, PAGE);
	CHECK(r->consumer != MAP_FAILED && p != MAP_FAILED);
	r->producer = (uint64_t *)p;
	r->data = p + PAGE;
	return fd;
}

/* As libbpf does. Returns the number of records; adds their content to *sum. */
static unsigned ring_consume(struct ring *r, uint32_t *sum)
{
	uint64_t at = HOLDS(r->consumer);
	unsigned n = 0;

	while (at < HOLDS(r->producer)) {
		uint32_t len = HOLDS((uint32_t *)(r->data + (at & (r->size - 1)))), bytes = len & 0x3fffffff;

		if (len >> 31)
			break;
		if (!(len >> 30 & 1)) {
			*sum = *sum * 31 + sum_of(r->data + (at & (r->size - 1)) + 8, bytes);
			n++;
		}
		at += (bytes + 8 + 7) & ~7u;
		__atomic_store_n(r->consumer, at, __ATOMIC_RELEASE);
	}
	return n;
}

/* A record of so many bytes, with the first word of the context at both ends and what was there before between; 1: full. */
static int ring_prog(int ring, int bytes)
{
	return PROG(LDX(BPF_DW, 6, 1, 0), LD_MAP(1, ring), MOV_IMM(2, bytes), MOV_IMM(3, 0), CALL(BPF_FUNC_ringbuf_reserve),
		    JNE_IMM(0, 0, 2), MOV_IMM(0, 1), EXIT, STX(BPF_DW, 0, 6, 0), STX(BPF_DW, 0, 6, bytes - 8), MOV_REG(1, 0),
		    MOV_IMM(2, 0), CALL(BPF_FUNC_ringbuf_submit), MOV_IMM(0, 0), EXIT);
}

/* Many times around, so that records lie over the end. */
static void ring(void)
{
	struct ring r;
	int fd = ring_open(&r, PAGE), small = ring_prog(fd, 16), large = ring_prog(fd, 1000);
	uint32_t sum = 0, n = 0;
	unsigned char ctx[1000];

	for (int i = 0; i < 40; i++) {
		memset(ctx, i + 1, sizeof(ctx));
		for (int k = 0; k <= i % 3; k++)
			CHECK(run(k & 1 ? large : small, ctx, sizeof(ctx)) == 0);
		n += ring_consume(&r, &sum);
	}
	printf("%u records, sum %08x, at %lu\n", n, sum, *r.consumer);
	/* Full: nothing more goes in until there is room. */
	for (n = 0; n < 10; n++)
		if (run(large, ctx, sizeof(ctx)) != 0)
			break;
	printf("full: %d\n", run(large, ctx, sizeof(ctx)));
	printf("%u taken\n", ring_consume(&r, &sum));
	printf("again: %d\n", run(large, ctx, sizeof(ctx)));
	printf("%u taken, sum %08x\n", ring_consume(&r, &sum), sum);
	SHOW_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE));
	SHOW(mprotect(r.data, PAGE, PROT_READ | PROT_WRITE));
	close(small);
	close(large);
	close(fd);
}

/* Waiting for one with epoll: a child makes the records. */
static void ring_epoll(void)
{
	struct ring r;
	int fd = ring_open(&r, 4 * PAGE), prog = ring_prog(fd, 104), ep = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = 5 };
	uint32_t sum = 0, n = 0;
	pid_t pid;

	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == 0);
	SHOW(epoll_wait(ep, &ev, 1, 0));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		unsigned char ctx[100];

		for (int i = 0; i < 20; i++) {
			memset(ctx, 'a' + i, sizeof(ctx));
			if (run(prog, ctx, sizeof(ctx)))
				_exit(1);
			usleep(1000);
		}
		_exit(0);
	}
	while (n < 20 && epoll_wait(ep, &ev, 1, 20000) == 1)
		n += ring_consume(&r, &sum);
	printf("epoll: %u records, sum %08x\n", n, sum);
	CHECK(waitpid(pid, NULL, 0) == pid);
	close(ep);
	close(prog);
	close(fd);
}

/* Without any call: only the memory tells. */
static void ring_polled(void)
{
	struct ring r;
	int fd = ring_open(&r, PAGE), prog = ring_prog(fd, 56);
	uint32_t sum = 0, n = 0;
	pid_t pid = fork();

	if (pid == 0) {
		unsigned char ctx[50];

		usleep(10000);
		for (int i = 0; i < 10; i++) {
			memset(ctx, 'A' + i, sizeof(ctx));
			if (run(prog, ctx, sizeof(ctx)))
				_exit(1);
			usleep(i * 1000);
		}
		_exit(0);
	}
	for (uint64_t turns = 0; n < 10 && turns < 40000000000ull; turns++)
		n += ring_consume(&r, &sum);
	printf("polled: %u records, sum %08x\n", n, sum);
	CHECK(waitpid(pid, NULL, 0) == pid);
	close(prog);
	close(fd);
}

/* The other way: records that a program takes out. */
static void user_ring(void)
{
	int fd = map_create(BPF_MAP_TYPE_USER_RINGBUF, 0, 0, PAGE, 0);
	uint64_t *consumer = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
	uint64_t *producer = (uint64_t *)p;

	if (fd < 0 || consumer == MAP_FAILED || p == MAP_FAILED) {
		printf("no user ring\n");
		return;
	}
	for (int i = 0; i < 3; i++) {
		char *rec = p + PAGE + i * 16;

		*(uint32_t *)rec = 8;
		*(uint64_t *)(rec + 8) = (uint64_t)i * 11;
	}
	__atomic_store_n(producer, 48, __ATOMIC_RELEASE);
	getppid();
	printf("user ring: %lu %lu, the other copy %lu\n", *consumer, *producer, *(uint64_t *)(p + 2 * PAGE + 2 * 16 + 8));
	close(fd);
}

/* A ring of samples: which events there were, from a program's output. */
static void perf_ring(void)
{
	struct perf_event_attr pe = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(pe), .config = PERF_COUNT_SW_BPF_OUTPUT,
				      .sample_type = PERF_SAMPLE_RAW, .sample_period = 1, .wakeup_events = 1 };
	int map = map_create(BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 128, 0), prog, n = 0, event[128], cpus = (int)possible_cpus();
	struct perf_event_mmap_page *page[128];
	unsigned char ctx[64];
	uint32_t sum = 0;
	pid_t pid;

	for (int c = 0; c < cpus && c < 128; c++) {
		event[c] = (int)syscall(SYS_perf_event_open, &pe, -1, c, -1, PERF_FLAG_FD_CLOEXEC);
		if (event[c] < 0)
			continue;
		CHECK(elem(BPF_MAP_UPDATE_ELEM, map, &c, &event[c], 0) == 0);
		page[c] = mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, event[c], 0);
		CHECK(page[c] != MAP_FAILED);
		CHECK(ioctl(event[c], PERF_EVENT_IOC_ENABLE, 0) == 0);
	}
	SHOW_OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, event[0], 0));
	/* bpf_perf_event_output(ctx, map, BPF_F_CURRENT_CPU, data on the stack, 16) needs a tracing program */
	prog = LOAD(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, LDX(BPF_DW, 6, 1, 0), STX(BPF_DW, 10, 6, -16), ST(BPF_DW, 10, -8, 7),
		    LD_MAP(2, map), MOV_IMM(3, -1), INSN(BPF_ALU64 | BPF_RSH | BPF_K, 3, 0, 0, 32), MOV_REG(4, 10),
		    ADD_IMM(4, -16), MOV_IMM(5, 16), CALL(BPF_FUNC_perf_event_output), EXIT);
	CHECK(prog >= 0);
	for (int i = 0; i < 500; i++) {
		uint64_t args[12] = { (uint64_t)i };

		memcpy(ctx, args, sizeof(ctx));
		CHECK(run(prog, args, sizeof(args)) == 0);
		for (int c = 0; c < cpus && i % 5 == 4; c++) {
			uint64_t head = event[c] < 0 ? 0 : HOLDS(&page[c]->data_head), tail = event[c] < 0 ? 0 : page[c]->data_tail;

			for (; tail < head; n++) {
				char *base = (char *)page[c] + PAGE, rec[64];
				struct perf_event_header h;

				for (unsigned b = 0; b < sizeof(rec); b++)
					rec[b] = base[(tail + b) % (4 * PAGE)];
				memcpy(&h, rec, sizeof(h));
				sum += sum_of(rec + sizeof(h) + 4, 16);
				tail += h.size;
			}
			if (event[c] >= 0)
				__atomic_store_n(&page[c]->data_tail, tail, __ATOMIC_RELEASE);
		}
	}
	printf("perf: %d samples, sum %08x\n", n, sum);
	CHECK(page[0]->data_size == 4 * PAGE && page[0]->data_offset == PAGE && !page[0]->cap_user_rdpmc);
	/* A child has not inherited the ring. */
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(msync(page[0], PAGE, MS_ASYNC) < 0 && errno == ENOMEM ? 0 : 1);
	CHECK(waitpid(pid, &n, 0) == pid && n == 0);
	SHOW(munmap(page[0], 5 * PAGE));
	for (int c = 0; c < cpus; c++)
		close(event[c]);
	close(prog);
	close(map);
}

int main(void)
{
	array();
	ring();
	ring_epoll();
	user_ring();
	perf_ring();
	ring_polled();
	return guest_end();
}
