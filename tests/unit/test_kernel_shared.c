/* Shadows of kernel memory, with a kernel that is this test: who changed what, rings around their end, busy records. */
#include <check.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "syscall-emu/kernel_window.h"
#include "syscall-emu/mm_int.h"
#include "tests/unit/unit.h"

#define PAGE 4096u
#define RING 8192u

int __wrap_mm_poke(struct mm *mm, uint64_t addr, const void *bytes, size_t len);

static struct kernel_shared shared;
static struct vma vma = { .prot = PROT_READ | PROT_WRITE, .kernel = 1 }, *vmas[1] = { &vma };
static struct mm mm = { .v = vmas, .n = 1 };
static struct process proc = { .mm = &mm, .shared = &shared };
static struct task task = { .proc = &proc };
static struct kernel_window w;
static char *shadow;
static uint64_t moved;

int __wrap_mm_poke(struct mm *m, uint64_t addr, const void *bytes, size_t len)
{
	(void)m;
	ck_assert(addr >= vma.start && addr + len <= vma.end);
	memcpy(host_ptr(addr), bytes, len);
	return 0;
}

static void note(void *arg, uint64_t addr, uint64_t len)
{
	(void)arg, (void)addr;
	moved += len;
}

static uint64_t refresh(void)
{
	moved = 0;
	kernel_shared_refresh(&task, note, NULL);
	return moved;
}

static void *fresh(size_t len)
{
	void *m = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(m, MAP_FAILED);
	return m;
}

/* A window of memory that looks like the kernel's. */
static void begin(const struct window_kind *kind, char *real, uint64_t len, bool writable)
{
	w = (struct kernel_window){ .id = 1, .kind = kind, .real = real, .base = fresh(len), .len = len, .writable = writable, .used = true };
	shadow = fresh(len);
	vma.start = (uint64_t)(uintptr_t)shadow;
	vma.end = vma.start + len;
	shared = (struct kernel_shared){ .first = &w };
}

/* Each byte belongs to one side, which changes it now and then: both see all of it. */
START_TEST(test_neighbours)
{
	char *real = fresh(2 * PAGE);

	begin(&window_plain, real, 2 * PAGE, true);
	srandom(7);
	for (int round = 0; round < 2000; round++) {
		for (int i = 0; i < 20; i++) {
			unsigned at = (unsigned)random() % (2 * PAGE), owner = at * 2654435761u >> 20 & 1;

			(owner ? real : shadow)[at] = (char)random();
		}
		if (round % 3 == 0) { /* a call during which both go on */
			kernel_shared_push(&task);
			for (unsigned at = (unsigned)random() % PAGE, n = 0; n < 64; n++, at++)
				((at * 2654435761u >> 20 & 1) ? real : shadow)[at]++;
		}
		refresh();
		kernel_shared_push(&task);
		ck_assert_int_eq(memcmp(real, shadow, 2 * PAGE), 0);
		ck_assert(!kernel_shared_news(&proc));
	}
	ck_assert_uint_eq(refresh(), 0);
	real[100]++;
	ck_assert(kernel_shared_news(&proc));
}
END_TEST

/* What the guest may not write is never pushed. */
START_TEST(test_read_only)
{
	char *real = fresh(PAGE);

	begin(&window_plain, real, PAGE, false);
	shadow[5] = 1;
	real[8] = 3;
	ck_assert_uint_eq(refresh(), 8);
	ck_assert_int_eq(real[5], 0);
	ck_assert_int_eq(shadow[8], 3);
}
END_TEST

/* The object of a ring buffer: the data is there twice. */
static char *ring_object(void)
{
	int fd = memfd_create("ring", 0);
	char *m = fresh(2 * PAGE + 2 * RING);

	ck_assert_int_eq(ftruncate(fd, 2 * PAGE + RING), 0);
	ck_assert_ptr_eq(mmap(m, 2 * PAGE + RING, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0), m);
	ck_assert_ptr_eq(mmap(m + 2 * PAGE + RING, RING, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 2 * PAGE),
			 m + 2 * PAGE + RING);
	close(fd);
	return m;
}

static uint32_t *record_head(char *object, uint64_t pos)
{
	return (uint32_t *)(object + 2 * PAGE + (pos & (RING - 1)));
}

/* The consumer's side, in the shadow: takes records in order until a busy one, checks what they hold. */
static uint32_t consume(uint32_t expected)
{
	uint64_t *consumer = (uint64_t *)shadow, *producer = (uint64_t *)(shadow + PAGE);

	while (*consumer < *producer) {
		uint32_t *head = record_head(shadow, *consumer), len = *head & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		const unsigned char *body = (unsigned char *)head + BPF_RINGBUF_HDR_SZ;

		if (*head & BPF_RINGBUF_BUSY_BIT)
			return expected;
		for (uint32_t i = 0; i < len; i++)
			ck_assert_msg(body[i] == (unsigned char)(expected + i), "record %u, byte %u", expected, i);
		*consumer += (len + BPF_RINGBUF_HDR_SZ + 7) & ~7ull;
		expected++;
	}
	return expected;
}

START_TEST(test_bpf_ring)
{
	char *object = ring_object();
	uint64_t *consumer = (uint64_t *)object, *producer = (uint64_t *)(object + PAGE), busy_at[3];
	uint32_t made = 0, taken = 0, busy_len[3], busy = 0, first_busy = 0;

	begin(&window_bpf_ring, object, 2 * PAGE + 2 * RING, true);
	w.head = object;
	w.size = RING;
	srandom(3);
	for (int round = 0; round < 20000; round++) {
		uint32_t len = 1 + (uint32_t)random() % 600;
		uint64_t need = (len + BPF_RINGBUF_HDR_SZ + 7) & ~7ull;

		if (busy < 3 && *producer + need - *consumer <= RING) { /* reserve */
			if (!busy)
				first_busy = made;
			busy_at[busy] = *producer;
			busy_len[busy++] = len;
			*record_head(object, *producer) = len | BPF_RINGBUF_BUSY_BIT;
			*producer += need;
			made++;
		}
		if (random() % 3 == 0) /* what is seen before the commit is not taken */
			refresh();
		while (busy && random() % 2) { /* commit the oldest */
			unsigned char *body = (unsigned char *)record_head(object, busy_at[0]) + BPF_RINGBUF_HDR_SZ;

			for (uint32_t i = 0; i < busy_len[0]; i++)
				body[i] = (unsigned char)(first_busy + i);
			__atomic_store_n(record_head(object, busy_at[0]), busy_len[0], __ATOMIC_RELEASE);
			first_busy++;
			busy--;
			memmove(busy_at, busy_at + 1, sizeof(busy_at) - sizeof(busy_at[0]));
			memmove(busy_len, busy_len + 1, sizeof(busy_len) - sizeof(busy_len[0]));
		}
		if (random() % 2) {
			refresh();
			ck_assert(!kernel_shared_news(&proc));
		}
		taken = consume(taken);
		kernel_shared_push(&task);
		ck_assert_uint_eq(*consumer, *(uint64_t *)shadow);
	}
	ck_assert_uint_gt(taken, 1000);
	ck_assert_uint_ge(made, taken);
}
END_TEST

START_TEST(test_perf_ring)
{
	char *real = fresh(PAGE + RING);
	struct perf_event_mmap_page *page = (void *)real, *seen;
	uint64_t number = 0, expected = 0;

	page->data_size = RING;
	page->capabilities = 0xf;
	page->index = 3;
	begin(&window_perf_ring, real, PAGE + RING, true);
	ck_assert_int_eq(window_perf_ring_open(&w), 0);
	ck_assert_ptr_eq(w.kind, &window_perf_ring);
	seen = (void *)shadow;
	for (int round = 0; round < 20000; round++) {
		while (random() % 4 && page->data_head + 8 - page->data_tail <= RING) {
			*(uint64_t *)(real + PAGE + page->data_head % RING) = number++;
			__atomic_store_n(&page->data_head, page->data_head + 8, __ATOMIC_RELEASE);
		}
		refresh();
		for (; seen->data_tail < seen->data_head; seen->data_tail += 8)
			ck_assert_uint_eq(*(uint64_t *)(shadow + PAGE + seen->data_tail % RING), expected++);
		kernel_shared_push(&task);
		ck_assert_uint_eq(page->data_tail, seen->data_tail);
	}
	ck_assert_uint_eq(expected, number);
	ck_assert(!seen->cap_user_rdpmc && seen->cap_user_time && seen->index == 0);
	ck_assert(page->cap_user_rdpmc && page->index == 3);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kernel_shared");
	TCase *c = tcase_create("kernel_shared");

	tcase_add_test(c, test_neighbours);
	tcase_add_test(c, test_read_only);
	tcase_add_test(c, test_bpf_ring);
	tcase_add_test(c, test_perf_ring);
	tcase_set_timeout(c, 60);
	suite_add_tcase(s, c);
	return unit_run(s);
}
