/*
 * Rows over guest memory and arguments made of the input: the plan must stay inside its bounds and never name memory that
 * is not the guest's.
 *
 * Built with -DLIBFUZZER and clang -fsanitize=fuzzer it is a libFuzzer target. Built alone it makes random inputs for
 * SECONDS_TO_FUZZ (default 2) from FUZZ_SEED and reports in TAP; an abort ends it with a non-zero status.
 *
 * Nothing is forwarded: the "kernel" of this test answers with a number of the input and scribbles over the copies.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "syscall-emu/forward.h"
#include "syscall-emu/mm.h"
#include "tests/fuzz/fuzz.h"

#define MEM_BASE 0x200000000000ULL
#define MEM_SIZE 0x8000ULL
#define HOLE_BASE (MEM_BASE + MEM_SIZE)
#define HOLE_SIZE 0x1000ULL
#define TOP 0x7f0000000000ULL

int __wrap_mm_range_ok(const struct mm *mm, uint64_t addr, uint64_t len);
size_t __wrap_copy_checked(void *dst, const void *src, size_t len);
int64_t __wrap_forward_syscall_checked(uint64_t nr, const uint64_t args[6], const volatile int *pending);

struct input { const uint8_t *at; size_t left; };
static struct input in;
static struct process proc = { .mm = (struct mm *)&proc };
static struct task task = { .proc = &proc };

static uint64_t take(size_t n)
{
	uint64_t v = 0;

	n = n < in.left ? n : in.left;
	memcpy(&v, in.at, n);
	in.at += n;
	in.left -= n;
	return v;
}

int __wrap_mm_range_ok(const struct mm *mm, uint64_t addr, uint64_t len)
{
	(void)mm;
	if (addr >= TOP || len > TOP - addr)
		return 0;
	return addr + len <= HOLE_BASE || addr >= HOLE_BASE + HOLE_SIZE;
}

/* Only the guest's few pages are there. */
static int is_mapped(uint64_t a, size_t len)
{
	return a >= TOP || (a >= MEM_BASE && a < HOLE_BASE && len <= HOLE_BASE - a);
}

size_t __wrap_copy_checked(void *dst, const void *src, size_t len)
{
	if (!is_mapped((uintptr_t)dst, len) || !is_mapped((uintptr_t)src, len))
		return len;
	memcpy(dst, src, len);
	return 0;
}

int64_t __wrap_forward_syscall_checked(uint64_t nr, const uint64_t args[6], const volatile int *pending)
{
	struct plan *p = &task.plan;

	(void)nr, (void)args, (void)pending;
	for (uint32_t i = 0; i < p->nregions; i++)
		if (p->region[i].copy && (p->region[i].mem->dir & MEM_OUT))
			for (uint64_t b = 0; b < p->region[i].cap && b < 64; b++)
				((uint8_t *)p->region[i].copy)[b] ^= (uint8_t)take(1);
	return take(1) & 1 ? (int64_t)take(8) : (int64_t)take(2);
}

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", task.plan.desc ? task.plan.desc->name : "?", what);
	abort();
}

static int check_piece(void *arg, uint64_t addr, uint64_t len, uint32_t kind, const void *bytes)
{
	(void)arg, (void)kind, (void)bytes;
	must(len && __wrap_mm_range_ok(NULL, addr, len), "written outside the guest");
	must(is_mapped(addr, len), "written where nothing is");
	return 0;
}

static int check_sent(void *arg, const void *bytes, uint64_t len)
{
	(void)arg;
	must(len && __wrap_mm_range_ok(NULL, (uintptr_t)bytes, len), "sent from outside the guest");
	return 0;
}

static void check_plan(const struct plan *p)
{
	must(p->nregions <= PLAN_REGIONS_MAX, "too many regions");
	for (uint32_t i = 0; i < p->nregions; i++) {
		const struct plan_region *r = &p->region[i];

		must(__wrap_mm_range_ok(NULL, r->addr, r->cap), "region outside the guest");
		must(r->parent == ~0ULL || r->parent < i, "child before its parent");
		must(!r->copy || ((char *)r->copy >= p->arena && (char *)r->copy + r->cap <= p->arena + p->arena_used),
		     "copy outside the arena");
	}
}

/* Mostly addresses of the guest or close to its borders, else anything. */
static uint64_t argument(void)
{
	switch (take(1) % 6) {
	case 0:
		return take(1);
	case 1:
		return MEM_BASE + take(2) % MEM_SIZE;
	case 2:
		return HOLE_BASE - take(1);
	case 3:
		return TOP - take(1);
	case 4:
		return MEM_BASE + (take(1) % 64) * 64;
	default:
		return take(8);
	}
}

static void fill(void)
{
	uint64_t *m = (uint64_t *)(uintptr_t)MEM_BASE;

	for (unsigned i = 0; i < MEM_SIZE / 8; i++)
		m[i] = i % 2 ? 24 + i % 64 : MEM_BASE + (i * 40) % (MEM_SIZE - 64);
	for (unsigned n = take(1); n && in.left; n--)
		m[take(2) % (MEM_SIZE / 8)] = argument();
}

static void setup(void)
{
	void *m = mmap((void *)(uintptr_t)MEM_BASE, MEM_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (m != (void *)(uintptr_t)MEM_BASE || plan_init(&task.plan) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sys_desc *d;
	uint64_t args[6], nr;
	int64_t ret;

	if (!task.plan.arena)
		setup();
	in = (struct input){ data, size };
	nr = take(2) % SYS_TABLE_SIZE;
	d = sys_row((unsigned)nr);
	if (d && d->variants && *d->nvariants)
		d = &d->variants[take(2) % *d->nvariants];
	for (unsigned i = 0; i < 6; i++)
		args[i] = argument();
	fill();
	if (plan_build(&task.plan, &task, d, nr, args) < 0)
		return 0;
	check_plan(&task.plan);
	ret = plan_forward(&task.plan, &task);
	plan_sent(&task.plan, ret, check_sent, NULL);
	plan_finish(&task.plan, &task, ret);
	check_plan(&task.plan);
	plan_written(&task.plan, check_piece, NULL);
	return 0;
}

#ifndef LIBFUZZER
int main(void)
{
	unsigned long runs = 0;
	uint8_t bytes[512];

	for (; fuzz_goes_on(runs, 1); runs++) {
		for (size_t b = 0; b < sizeof(bytes); b++)
			bytes[b] = (uint8_t)(fuzz_next() >> 32);
		LLVMFuzzerTestOneInput(bytes, sizeof(bytes));
	}
	printf("1..1\nok 1 - fuzz_plan # %lu runs from seed %llu\n", runs, (unsigned long long)fuzz_seed());
	return 0;
}
#endif
