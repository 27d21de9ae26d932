/* futex(2) without libc's help: WAKE_OP, REQUEUE, CMP_REQUEUE, bit sets, timeouts of both clocks, waitv, errors. */
#include <linux/futex.h>
#include "threadtest.h"

static uint32_t word, other, third[4];
static atomic_int woken;

static long futex(uint32_t *addr, int op, uint32_t val, uintptr_t timeout, uint32_t *addr2, uint32_t val3)
{
	return syscall(SYS_futex, addr, op, val, timeout, addr2, val3);
}

struct wait_for { uint32_t *addr, bits; };

static void *waiter(void *arg)
{
	struct wait_for *w = arg;
	long r;

	do
		r = futex(w->addr, FUTEX_WAIT_BITSET_PRIVATE, 0, 0, NULL, w->bits);
	while (r < 0 && errno == EINTR);
	CHECK(r == 0);
	woken++;
	return NULL;
}

/* Requeueing to where they are counts them. */
static void all_wait(uint32_t *addr, int n)
{
	AWAIT(futex(addr, FUTEX_REQUEUE_PRIVATE, 0, 1000, addr, 0) == n);
}

static void many(int n, pthread_t *t, struct wait_for *w, uint32_t *addr, uint32_t bits)
{
	woken = 0;
	for (int i = 0; i < n; i++) {
		w[i] = (struct wait_for){ addr, bits ? bits : 1u << i };
		t[i] = start(waiter, &w[i]);
	}
	all_wait(addr, n);
}

static void bits(void)
{
	struct wait_for w[8];
	pthread_t t[8];

	many(8, t, w, &word, 0);
	SHOW(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 100, 0, NULL, 0x300));
	SHOW(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 100, 0, NULL, 0x5));
	join(t[0]);
	join(t[2]);
	SHOW(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, 0, NULL, 0x80));
	join(t[7]);
	SHOW(futex(&word, FUTEX_WAKE_PRIVATE, 100, 0, NULL, 0));
	for (int i = 0; i < 7; i++)
		if (i != 0 && i != 2)
			join(t[i]);
	printf("bits: %d\n", woken);
}

static void requeue(void)
{
	struct wait_for w[6];
	pthread_t t[6];

	many(6, t, w, &word, ~0u);
	SHOW(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, 2, &other, 9));
	SHOW(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, 2, &other, 0));
	AWAIT(woken == 1);
	SHOW(futex(&word, FUTEX_REQUEUE_PRIVATE, 0, 1, &other, 0));
	SHOW(futex(&other, FUTEX_WAKE_PRIVATE, 100, 0, NULL, 0));
	AWAIT(woken == 4);
	SHOW(futex(&other, FUTEX_WAKE_PRIVATE, 100, 0, NULL, 0));
	SHOW(futex(&word, FUTEX_WAKE_PRIVATE, 100, 0, NULL, 0));
	for (int i = 0; i < 6; i++)
		join(t[i]);
	printf("requeued: %d\n", woken);
}

static void wake_op(void)
{
	struct wait_for w[4];
	pthread_t t[4];

	woken = 0;
	for (int i = 0; i < 4; i++) {
		w[i] = (struct wait_for){ i < 2 ? &word : &other, ~0u };
		t[i] = start(waiter, &w[i]);
	}
	all_wait(&word, 2);
	all_wait(&other, 2);
	/* other += 5; those of other are woken when it was greater than 3, which it was not. */
	SHOW(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, 1, &other, (uint32_t)FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_GT, 3)));
	AWAIT(woken == 1);
	printf("other %u\n", other);
	SHOW(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, 5, &other, (uint32_t)FUTEX_OP(FUTEX_OP_SET, 77, FUTEX_OP_CMP_EQ, 5)));
	for (int i = 0; i < 4; i++)
		join(t[i]);
	printf("other %u, woken %d\n", other, woken);
	other = 0;
}

static void timeouts(void)
{
	struct timespec rel = { 0, 3000000 }, mono = from_now(CLOCK_MONOTONIC, 3), real = from_now(CLOCK_REALTIME, 3);
	struct timespec bad = { 0, 1000000000 };

	SHOW(futex(&word, FUTEX_WAIT_PRIVATE, 0, (uintptr_t)&rel, NULL, 0));
	SHOW(futex(&word, FUTEX_WAIT_PRIVATE, 1, (uintptr_t)&rel, NULL, 0));
	SHOW(futex(&word, FUTEX_WAIT_PRIVATE, 0, (uintptr_t)&bad, NULL, 0));
	SHOW(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, (uintptr_t)&mono, NULL, ~0u));
	SHOW(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, (uintptr_t)&real, NULL, ~0u));
	SHOW(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, 0, NULL, 0));
	SHOW(futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT_PRIVATE, 0, 0, NULL, 0));
	SHOW(futex((uint32_t *)16, FUTEX_WAIT_PRIVATE, 0, 0, NULL, 0));
	SHOW(futex(&word, 99, 0, 0, NULL, 0));
	SHOW(futex(&word, FUTEX_FD, 0, 0, NULL, 0));
}

struct waitv { uint64_t val, addr; uint32_t flags, reserved; };

static void *wakes_third(void *arg)
{
	AWAIT(futex(&third[(uintptr_t)arg], FUTEX_WAKE_PRIVATE, 1, 0, NULL, 0) == 1);
	return NULL;
}

static void waitv(void)
{
	struct waitv v[4];
	struct timespec soon = from_now(CLOCK_MONOTONIC, 3);
	pthread_t t;

	for (int i = 0; i < 4; i++)
		v[i] = (struct waitv){ 0, (uint64_t)&third[i], 2 | FUTEX_PRIVATE_FLAG, 0 };
	SHOW(syscall(SYS_futex_waitv, v, 4, 0, &soon, CLOCK_MONOTONIC));
	SHOW(syscall(SYS_futex_waitv, v, 0, 0, NULL, CLOCK_MONOTONIC));
	SHOW(syscall(SYS_futex_waitv, v, 200, 0, NULL, CLOCK_MONOTONIC));
	t = start(wakes_third, (void *)2);
	SHOW(syscall(SYS_futex_waitv, v, 4, 0, NULL, CLOCK_MONOTONIC));
	join(t);
	third[3] = 8;
	SHOW(syscall(SYS_futex_waitv, v, 4, 0, NULL, CLOCK_MONOTONIC));
}

int main(void)
{
	bits();
	requeue();
	wake_op();
	timeouts();
	waitv();
	return guest_end();
}
