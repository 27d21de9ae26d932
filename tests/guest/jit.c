/* Code that is made and changed while the program runs. */
#include "guest.h"

typedef int (*function)(void);

/* mov $value, %eax; ret */
static void emit(unsigned char *at, int value)
{
	at[0] = 0xb8;
	memcpy(at + 1, &value, 4);
	at[5] = 0xc3;
}

static unsigned char *area(int prot)
{
	unsigned char *p = mmap(NULL, 8192, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void write_then_execute(void)
{
	unsigned char *p = area(PROT_READ | PROT_WRITE);
	int sum = 0;

	for (int i = 0; i < 50; i++) {
		CHECK(mprotect(p, 8192, PROT_READ | PROT_WRITE) == 0);
		emit(p + i * 8, i);
		emit(p + 4096, i * 2);
		CHECK(mprotect(p, 8192, PROT_READ | PROT_EXEC) == 0);
		sum += ((function)(p + i * 8))() + ((function)(p + 4096))();
	}
	printf("W then X: %d\n", sum);
}

static void write_and_execute(void)
{
	unsigned char *p = area(PROT_READ | PROT_WRITE | PROT_EXEC);
	int sum = 0;

	for (int i = 0; i < 1000; i++) {
		emit(p, i);
		sum += ((function)p)();
	}
	printf("W and X: %d\n", sum);
}

/* The immediate of an instruction is changed by the one before it, in the same cache line. */
static void modify_itself(void)
{
	/* movl $7, 1+at(%rip); at: mov $0, %eax; ret */
	static const unsigned char code[] = { 0xc7, 0x05, 1, 0, 0, 0, 7, 0, 0, 0, 0xb8, 0, 0, 0, 0, 0xc3 };
	unsigned char *p = area(PROT_READ | PROT_WRITE | PROT_EXEC);

	memcpy(p, code, sizeof(code));
	printf("itself: %d\n", ((function)p)());
}

static void two_views(void)
{
	int fd = memfd_create("code", MFD_CLOEXEC), sum = 0;
	unsigned char *w, *x;

	CHECK(ftruncate(fd, 4096) == 0);
	w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	x = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	CHECK(w != MAP_FAILED && x != MAP_FAILED);
	for (int i = 0; i < 100; i++) {
		emit(w, i * 3);
		sum += ((function)x)();
	}
	printf("two views: %d\n", sum);
}

static void read_into_code(void)
{
	unsigned char *p = area(PROT_READ | PROT_WRITE | PROT_EXEC), b[6];
	int fds[2], sum = 0;

	CHECK(pipe(fds) == 0);
	for (int i = 0; i < 20; i++) {
		emit(b, i * 5);
		CHECK(write(fds[1], b, 6) == 6 && read(fds[0], p, 6) == 6);
		sum += ((function)p)();
	}
	printf("by a call: %d\n", sum);
}

static void code_file(void)
{
	unsigned char b[6], *p;
	int fd = open("code", O_RDWR | O_CREAT, 0600);

	emit(b, 42);
	CHECK(write(fd, b, 6) == 6);
	p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED) {
		printf("file: %s\n", strerrorname_np(errno));
		return;
	}
	printf("file: %d\n", ((function)p)());
	CHECK(mprotect(p, 4096, PROT_READ | PROT_WRITE) == 0);
	emit(p, 43);
	CHECK(mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0);
	printf("changed: %d\n", ((function)p)());
}

int main(void)
{
	write_then_execute();
	write_and_execute();
	modify_itself();
	two_views();
	read_into_code();
	code_file();
	return guest_end();
}
