/* The main stack grows on demand to its limit, by small steps and by one large one. */
#include "guest.h"
#include <alloca.h>
#include <sys/resource.h>

static unsigned long descend(int depth)
{
	volatile char frame[1000];

	frame[0] = frame[999] = depth;
	return depth ? descend(depth - 1) + (unsigned char)frame[0] + (unsigned char)frame[999] : 0;
}

static void __attribute__((noinline)) jump(size_t size)
{
	volatile char *far = alloca(size);

	far[0] = 1;
	far[size - 1] = 2;
	printf("%zu KiB at once: %d %d\n", size >> 10, far[0], far[size - 1]);
}

/* What a mapping made for growing down does. */
static void growing_mapping(void)
{
	char *area = mmap(NULL, 4UL << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *p;

	CHECK(area != MAP_FAILED && munmap(area, 4UL << 20) == 0);
	p = mmap(area + (3UL << 20), 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	CHECK(p == area + (3UL << 20));
	for (int i = 0; i < 64; i++)
		((volatile char *)p)[-i * 4096] = i;
	printf("grew: %d\n", p[-63 * 4096]);
}

int main(void)
{
	struct rlimit r;

	CHECK(getrlimit(RLIMIT_STACK, &r) == 0);
	printf("limit %lu KiB\n", (unsigned long)r.rlim_cur >> 10);
	if (r.rlim_cur < 8UL << 20)
		return guest_end();
	printf("%lu\n", descend(100));
	printf("%lu\n", descend(6500));
	jump(7UL << 20);
	growing_mapping();
	return guest_end();
}
