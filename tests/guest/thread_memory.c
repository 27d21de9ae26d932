/* Mappings and libraries come and go while other threads compute, allocate and fault. */
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include "threadtest.h"

#define PAGE 4096

static atomic_int stop, faults;
static volatile unsigned long spins;
static __thread sigjmp_buf out;
static char *volatile window; /* comes and goes */

static void on_fault(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)context;
	CHECK((char *)si->si_addr == window || !window);
	faults++;
	siglongjmp(out, 1);
}

static void *compute(void *arg)
{
	(void)arg;
	while (!stop)
		spins++;
	return NULL;
}

static void *allocate(void *arg)
{
	unsigned x = (unsigned)(uintptr_t)arg + 1;

	for (int i = 0; i < 400; i++) {
		size_t n = (x = x * 1664525 + 1013904223) % 300000;
		char *p = malloc(n + 1), *q;

		p[0] = p[n] = (char)i;
		q = realloc(p, 2 * n + 2);
		CHECK(q[0] == (char)i && q[n] == (char)i);
		free(q);
	}
	return NULL;
}

/* The content of a page changes with its protection: what is seen is one or the other. */
static char *page;

static void *reader(void *arg)
{
	unsigned long sum = 0;

	(void)arg;
	while (!stop) {
		char a = ((volatile char *)page)[0];

		CHECK(a == 1 || a == 2);
		sum += (unsigned long)a;
	}
	return NULL;
}

static void *faulting(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++)
		if (!sigsetjmp(out, 1)) {
			*(volatile char *)window;
			puts("no fault");
		}
	return NULL;
}

static void *map_and_unmap(void *arg)
{
	char fill = (char)((uintptr_t)arg + 1);

	for (int i = 0; i < 60; i++) {
		size_t len = (size_t)(1 + i % 7) * PAGE;
		char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memset(p, fill, len);
		CHECK(mprotect(p, len, PROT_READ) == 0);
		CHECK(p[len - 1] == fill);
		p = mremap(p, len, 2 * len, MREMAP_MAYMOVE);
		CHECK(p != MAP_FAILED && p[0] == fill);
		CHECK(munmap(p, 2 * len) == 0);
	}
	return NULL;
}

static void *load(void *arg)
{
	static const char *const libs[] = { "libm.so.6", "libresolv.so.2", "libutil.so.1" };

	for (int i = 0; i < 6; i++) {
		void *h = dlopen(libs[((uintptr_t)arg + (unsigned)i) % 3], RTLD_NOW);

		CHECK(h);
		if (h) {
			double (*fn)(double) = (double (*)(double))dlsym(h, "cbrt");

			CHECK(!fn || (fn(27) > 2.99 && fn(27) < 3.01));
			dlclose(h);
		}
	}
	return NULL;
}

/* Code written by one thread, executed by another. */
static atomic_int version;

static void *execute(void *arg)
{
	unsigned (*fn)(void) = arg;
	unsigned last = 0;

	while (!stop) {
		int now = version;

		if (now)
			last = fn();
		CHECK(!now || (last >= 1 && last <= 20));
	}
	return (void *)(uintptr_t)(fn() == 20);
}

static void code(void)
{
	/* mov $n, %eax; ret */
	unsigned char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t t;

	p[0] = 0xb8;
	p[5] = 0xc3;
	stop = 0;
	t = start(execute, p);
	for (int i = 1; i <= 20; i++) {
		p[1] = (unsigned char)i;
		version = i;
		nap(1);
	}
	stop = 1;
	printf("code: %lu\n", (unsigned long)(uintptr_t)join(t));
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	pthread_t c = start(compute, NULL), r, f, a[3], m[2], l[2];

	CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	page[0] = 1;
	window = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r = start(reader, NULL);
	f = start(faulting, NULL);
	for (uintptr_t i = 0; i < 3; i++)
		a[i] = start(allocate, (void *)i);
	for (uintptr_t i = 0; i < 2; i++) {
		m[i] = start(map_and_unmap, (void *)i);
		l[i] = start(load, (void *)i);
	}
	for (int i = 0; i < 50; i++) {
		CHECK(mprotect(page, PAGE, PROT_READ) == 0);
		sched_yield();
		CHECK(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
		page[0] = (char)(1 + i % 2);
	}
	join(f);
	for (int i = 0; i < 3; i++)
		join(a[i]);
	for (int i = 0; i < 2; i++) {
		join(m[i]);
		join(l[i]);
	}
	stop = 1;
	join(r);
	join(c);
	printf("faults: %d\n", faults);
	code();
	return guest_end();
}
