/* Threads that share a ring and a map: one waits for records, one makes them, one polls a counter in mapped memory. */
#include <pthread.h>
#include <sys/epoll.h>

#include "bpf.h"

#define PAGE 4096
#define RECORDS 60
#define HOLDS(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)

static int ring, array, prog;
static uint64_t *consumer, *producer, *counter;
static char *data;

static int load(const struct bpf_insn *insns, unsigned n)
{
	union attr a = { .a = { .prog_type = BPF_PROG_TYPE_SYSCALL, .insns = ptr(insns), .insn_cnt = n, .license = ptr("GPL"),
				.prog_flags = BPF_F_SLEEPABLE } };

	return bpf_all(BPF_PROG_LOAD, &a);
}

static void *make(void *arg)
{
	union attr a = { 0 };
	uint64_t ctx;

	(void)arg;
	for (int i = 0; i < RECORDS; i++) {
		ctx = (uint64_t)i;
		memset(&a, 0, sizeof(a));
		a.a.test.prog_fd = (uint32_t)prog;
		a.a.test.ctx_in = ptr(&ctx);
		a.a.test.ctx_size_in = sizeof(ctx);
		CHECK(bpf(BPF_PROG_TEST_RUN, &a, sizeof(a.a.test)) == 0);
		if (i % 8 == 0)
			usleep(2000);
	}
	return NULL;
}

/* No calls until the last record has been counted. */
static void *poll_counter(void *arg)
{
	while (HOLDS(counter) < RECORDS)
		;
	*(uint64_t *)arg = HOLDS(counter);
	return NULL;
}

static unsigned consume(uint64_t *sum)
{
	unsigned n = 0;

	for (uint64_t at = *consumer; at < HOLDS(producer); n++) {
		uint32_t len = HOLDS((uint32_t *)(data + (at & (PAGE - 1))));

		if (len >> 31)
			break;
		*sum += *(uint64_t *)(data + (at & (PAGE - 1)) + 8);
		at += (len + 15) & ~7u;
		__atomic_store_n(consumer, at, __ATOMIC_RELEASE);
	}
	return n;
}

int main(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	uint64_t sum = 0, seen = 0;
	unsigned n = 0;
	pthread_t maker, poller;
	int ep = epoll_create1(0);
	char *p;

	ring = map_create(BPF_MAP_TYPE_RINGBUF, 0, 0, PAGE, 0);
	array = map_create(BPF_MAP_TYPE_ARRAY, 4, 8, 1, 1u << 10);
	consumer = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0);
	p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, ring, PAGE);
	counter = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, array, 0);
	CHECK(consumer != MAP_FAILED && p != MAP_FAILED && counter != MAP_FAILED);
	producer = (uint64_t *)p;
	data = p + PAGE;
	prog = load((struct bpf_insn[]){
		LDX(BPF_DW, 6, 1, 0), LD_MAP(1, ring), MOV_IMM(2, 8), MOV_IMM(3, 0), CALL(BPF_FUNC_ringbuf_reserve),
		JNE_IMM(0, 0, 2), MOV_IMM(0, 1), EXIT, STX(BPF_DW, 0, 6, 0), MOV_REG(1, 0), MOV_IMM(2, 0), CALL(BPF_FUNC_ringbuf_submit),
		ST(BPF_W, 10, -4, 0), MOV_REG(2, 10), ADD_IMM(2, -4), LD_MAP(1, array), CALL(BPF_FUNC_map_lookup_elem),
		JEQ_IMM(0, 0, 3), LDX(BPF_DW, 1, 0, 0), ADD_IMM(1, 1), STX(BPF_DW, 0, 1, 0), MOV_IMM(0, 0), EXIT }, 25);
	CHECK(prog >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, ring, &ev) == 0);
	CHECK(pthread_create(&poller, NULL, poll_counter, &seen) == 0 && pthread_create(&maker, NULL, make, NULL) == 0);
	while (n < RECORDS && epoll_wait(ep, &ev, 1, 30000) == 1)
		n += consume(&sum);
	pthread_join(maker, NULL);
	pthread_join(poller, NULL);
	printf("%u records, sum %lu, counted %lu\n", n, sum, seen);
	return guest_end();
}
