/*
 * A program that reads its own code, and the library's: what is there may differ from the file, but not between a recording and
 * its replays.
 */
#include "sites.h"

SITE(by_number, "mov $110, %eax\nby_number_call: syscall\nret");

static void show(const struct text *t, const char *when)
{
	printf("%s: own text %08x, copy %08x, getppid %08x\n", when, sum_of(t->own, t->len), sum_of(t->copy, t->len),
	       sum_of((const void *)(uintptr_t)getppid, 16));
}

int main(void)
{
	struct text t = text_again();
	char buf[32];
	int mem;

	show(&t, "at first");
	for (unsigned i = 0; i < MANY; i++)
		CHECK(getppid() == call_site(by_number) && getppid() == call_site(in_copy(&t, by_number)));
	show(&t, "busy");
	/* Through the kernel, and written to a file. */
	mem = open("/proc/self/mem", O_RDONLY);
	CHECK(pread(mem, buf, 16, (off_t)(uintptr_t)getppid) == 16);
	CHECK(!memcmp(buf, (const void *)(uintptr_t)getppid, 16));
	close(mem);
	mem = open("code", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(write(mem, (const void *)(uintptr_t)getppid, 16) == 16 && pread(mem, buf + 16, 16, 0) == 16);
	CHECK(!memcmp(buf, buf + 16, 16));
	CHECK(mprotect(t.copy, t.len, PROT_READ | PROT_WRITE) == 0);
	CHECK(!memcmp(in_copy(&t, by_number), "\xb8\x6e\0\0\0\x0f\x05\xc3", 8));
	show(&t, "writable");
	return guest_end();
}
