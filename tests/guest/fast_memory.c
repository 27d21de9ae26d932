/*
 * The memory map changes by calls in quick succession, and what was there before is never seen again: pages come, go, lose
 * rights and get them back, under the feet of one thread and of two.
 */
#include "threadtest.h"

#include <setjmp.h>
#include <signal.h>

#define ROUNDS 60
#define PAGE 4096u
#define PAGES 24u
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static __thread sigjmp_buf back;
static __thread volatile sig_atomic_t code;

static void on_fault(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)context;
	code = si->si_code;
	siglongjmp(back, 1);
}

/* Does it fault, and how: 0, SEGV_MAPERR, SEGV_ACCERR. */
static int try_read(const volatile char *p)
{
	code = 0;
	if (!sigsetjmp(back, 1))
		(void)*p;
	return code;
}

static int try_write(volatile char *p)
{
	code = 0;
	if (!sigsetjmp(back, 1))
		*p = 1;
	return code;
}

static bool filled(const char *p, size_t n, char with)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != with)
			return false;
	return true;
}

static void *map(void *at, size_t n, int prot, int flags)
{
	void *p = mmap(at, n, prot, flags, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void come_and_go(unsigned i)
{
	char *p = map(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, ANON), *hole = p + (i % (PAGES - 2) + 1) * PAGE;

	CHECK(filled(p, PAGES * PAGE, 0));
	memset(p, (int)i + 1, PAGES * PAGE);
	CHECK(munmap(hole, PAGE) == 0);
	CHECK(try_read(hole) == SEGV_MAPERR && try_write(hole) == SEGV_MAPERR);
	CHECK(hole[-1] == (char)(i + 1) && hole[PAGE] == (char)(i + 1));
	CHECK(map(hole, PAGE, PROT_READ | PROT_WRITE, ANON | MAP_FIXED) == hole && filled(hole, PAGE, 0));
	CHECK(try_write(hole) == 0 && hole[0] == 1);
	/* Over pages in use. */
	CHECK(map(p + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, ANON | MAP_FIXED) == p + PAGE && filled(p + PAGE, 2 * PAGE, 0));
	CHECK(munmap(p, PAGES * PAGE) == 0 && try_read(p + PAGE) == SEGV_MAPERR);
}

static void rights(unsigned i)
{
	char *p = map(NULL, 4 * PAGE, PROT_NONE, ANON);

	CHECK(try_read(p) == SEGV_ACCERR);
	CHECK(mprotect(p, 3 * PAGE, PROT_READ | PROT_WRITE) == 0);
	memset(p, (int)i, 3 * PAGE);
	CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0);
	CHECK(try_write(p + PAGE) == SEGV_ACCERR && try_write(p) == 0 && try_write(p + 2 * PAGE) == 0);
	CHECK(filled(p + PAGE, PAGE, (char)i));
	CHECK(mprotect(p, 2 * PAGE, PROT_NONE) == 0 && try_read(p) == SEGV_ACCERR && try_read(p + PAGE) == SEGV_ACCERR);
	CHECK(mprotect(p, 4 * PAGE, PROT_READ | PROT_WRITE) == 0 && p[0] == 1 && filled(p + PAGE, PAGE, (char)i));
	CHECK(madvise(p, PAGE, MADV_DONTNEED) == 0 && filled(p, PAGE, 0) && p[PAGE] == (char)i);
	CHECK(munmap(p, 4 * PAGE) == 0);
}

static void heap(unsigned i)
{
	char *old = sbrk(0), *p = sbrk(5 * PAGE + i);

	CHECK(p == old && filled(p, 5 * PAGE, 0));
	memset(p, 0x55, 5 * PAGE + i);
	CHECK(brk(old) == 0 && sbrk(0) == old);
	p = (char *)(((uintptr_t)old + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
	CHECK(try_read(p + PAGE) == SEGV_MAPERR);
}

static void files(unsigned i, int fd)
{
	char *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0), *q;
	char byte = (char)('a' + i % 26);

	CHECK(p != MAP_FAILED && p[0] == 'x' && p[2 * PAGE] == 'z');
	q = mmap(p + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 2 * PAGE);
	CHECK(q == p + PAGE && q[0] == 'z');
	q[1] = byte;
	CHECK(pwrite(fd, &byte, 1, 2 * PAGE + 9) == 1);
	CHECK(p[2 * PAGE + 9] == byte && q[1] == byte && p[2 * PAGE + 1] == 'z');
	CHECK(map(p, PAGE, PROT_READ, ANON | MAP_FIXED) == p && p[0] == 0);
	CHECK(munmap(p, 3 * PAGE) == 0);
}

/* mov $i, %eax; ret */
static void instructions(unsigned i)
{
	unsigned char *p = map(NULL, PAGE, PROT_READ | PROT_WRITE, ANON), text[] = { 0xb8, (unsigned char)i, 0, 0, 0, 0xc3 };
	int (*volatile call)(void);

	memcpy(p, text, sizeof(text));
	memcpy((void *)&call, &p, sizeof(p));
	CHECK(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0 && call() == (int)i);
	CHECK(mprotect(p, PAGE, PROT_READ) == 0);
	code = 0;
	if (!sigsetjmp(back, 1))
		call();
	CHECK(code == SEGV_ACCERR);
	CHECK(munmap(p, PAGE) == 0);
}

/* Two threads, one page, in turn: what one takes away the other has not. */
static char *shared;
static pthread_barrier_t barrier;

static void *looker(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&barrier);
		CHECK(try_read(shared) == 0 && *shared == (char)i && try_write(shared + 1) == 0);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		CHECK(try_write(shared + 1) == SEGV_ACCERR && *shared == (char)i);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		CHECK(try_read(shared) == SEGV_MAPERR);
		pthread_barrier_wait(&barrier);
	}
	return arg;
}

static void two_threads(void)
{
	pthread_t t;

	shared = map(NULL, PAGE, PROT_NONE, ANON);
	CHECKP(pthread_barrier_init(&barrier, NULL, 2));
	t = start(looker, NULL);
	for (unsigned i = 0; i < ROUNDS; i++) {
		CHECK(map(shared, PAGE, PROT_READ | PROT_WRITE, ANON | MAP_FIXED) == shared);
		*shared = (char)i;
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		CHECK(mprotect(shared, PAGE, PROT_READ) == 0);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		CHECK(munmap(shared, PAGE) == 0);
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
	}
	join(t);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	int fd = open("mapped", O_CREAT | O_RDWR | O_TRUNC, 0600);
	static char page[PAGE];

	CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
	for (char c = 'x'; c <= 'z'; c++) {
		memset(page, c, PAGE);
		CHECK(write(fd, page, PAGE) == PAGE);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		come_and_go(i);
		rights(i);
		heap(i);
		files(i, fd);
		instructions(i);
	}
	two_threads();
	return guest_end();
}
