/* Thread-local variables, keys and their destructors, errno, stacks, results, attributes. */
#include <dlfcn.h>
#include "threadtest.h"

static __thread unsigned mine = 7;
static __thread char block[3000];
static __thread struct { double d; char text[16]; } filled = { 2.5, "initial" };
static pthread_key_t key[5];
static pthread_barrier_t barrier;
static _Atomic unsigned destroyed[5], rounds;

static void destroy(void *v)
{
	unsigned i = (unsigned)(uintptr_t)v % 5;

	destroyed[i]++;
	/* Set again: Linux' libc goes round up to four times. */
	if (i == 4) {
		rounds++;
		pthread_setspecific(key[4], v);
	}
}

static void *local(void *arg)
{
	uintptr_t n = (uintptr_t)arg;
	volatile char on_stack[1000];

	memset((char *)on_stack, (int)n, sizeof(on_stack));
	CHECK(mine == 7 && filled.d == 2.5 && !strcmp(filled.text, "initial") && block[2999] == 0);
	mine += (unsigned)n;
	memset(block, (int)n, sizeof(block));
	for (unsigned i = 0; i < 5; i++)
		CHECKP(pthread_setspecific(key[i], (void *)(5 * n + 5 + i)));
	close(-1);
	if (n % 2)
		errno = (int)n;
	pthread_barrier_wait(&barrier);
	CHECK(errno == (n % 2 ? (int)n : EBADF));
	CHECK(mine == 7 + n && block[0] == (char)n && block[2999] == (char)n && on_stack[999] == (char)n);
	for (unsigned i = 0; i < 5; i++)
		CHECK(pthread_getspecific(key[i]) == (void *)(5 * n + 5 + i));
	if (n == 3)
		pthread_exit((void *)33);
	return (void *)(n * n);
}

static void *stack_size(void *arg)
{
	pthread_attr_t a;
	void *addr;
	size_t size, guard;

	(void)arg;
	CHECKP(pthread_getattr_np(pthread_self(), &a));
	CHECKP(pthread_attr_getstack(&a, &addr, &size));
	CHECKP(pthread_attr_getguardsize(&a, &guard));
	CHECK((char *)&a > (char *)addr && (char *)&a < (char *)addr + size);
	printf("stack of %zu, guard %zu\n", size, guard);
	pthread_attr_destroy(&a);
	return NULL;
}

static void attributes(void)
{
	static char stack[262144] __attribute__((aligned(4096)));
	pthread_attr_t a;
	pthread_t t;

	pthread_attr_init(&a);
	CHECKP(pthread_attr_setstacksize(&a, 200 << 10));
	CHECKP(pthread_attr_setguardsize(&a, 8192));
	CHECKP(pthread_create(&t, &a, stack_size, NULL));
	join(t);
	CHECKP(pthread_attr_setstack(&a, stack, sizeof(stack)));
	CHECKP(pthread_create(&t, &a, stack_size, NULL));
	join(t);
	SHOWP(pthread_attr_setstacksize(&a, 100));
	pthread_attr_destroy(&a);
}

int main(void)
{
	pthread_t t[8];
	uintptr_t sum = 0;

	for (unsigned i = 0; i < 5; i++)
		CHECKP(pthread_key_create(&key[i], i == 2 ? NULL : destroy));
	pthread_barrier_init(&barrier, NULL, 8);
	mine = 100;
	for (uintptr_t i = 0; i < 8; i++)
		t[i] = start(local, (void *)i);
	for (int i = 0; i < 8; i++)
		sum += (uintptr_t)join(t[i]);
	printf("results %lu, mine %u\n", (unsigned long)sum, mine);
	printf("destroyed %u %u %u %u %u, %u rounds\n", destroyed[0], destroyed[1], destroyed[2], destroyed[3], destroyed[4], rounds);
	CHECKP(pthread_key_delete(key[1]));
	SHOWP(pthread_setspecific(key[1], NULL));
	attributes();
	return guest_end();
}
