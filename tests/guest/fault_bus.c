/* SIGBUS: pages of a mapped file behind its end, by every kind of access, and what system calls say of them. */
#include <fcntl.h>
#include <sys/mman.h>

#include "sigtest.h"

static volatile char sink;
static char altstack[65536];

static void show(int sig, siginfo_t *si, void *context)
{
	printf("cr2 %s, ", rightness(reg(context, REG_CR2)));
	show_fault(sig, si, context);
}

static void result(const char *what, long n)
{
	printf("%s: %s\n", what, n < 0 ? strerror(errno) : "worked");
}

static void accesses(volatile char *p)
{
	volatile char *hole = p + 4096;
	char local[64] = { 0 };

	TRY("read in the last page", 0, sink = p[4095]);
	TRY("read", hole + 7, sink = hole[7]);
	TRY("write", hole + 8, hole[8] = 1);
	TRY("read across", hole, __asm__ volatile("movq (%0), %%rax" : : "r"(p + 4090) : "rax", "memory"));
	TRY("with index", hole + 80, __asm__ volatile("movl 16(%0,%1,8), %%eax" : : "r"(hole), "r"(8L) : "rax", "memory"));
	TRY("vector", hole + 64, __asm__ volatile("movups 64(%0), %%xmm0" : : "r"(hole) : "xmm0", "memory"));
	TRY("add", hole + 3, __asm__ volatile("addb $1, 3(%0)" : : "r"(hole) : "memory", "cc"));
	TRY("movs from", hole + 16, {
		const volatile void *from = hole + 16;
		void *to = local;
		long n = 8;

		__asm__ volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(n) : : "memory");
	});
	TRY("stos into", hole, {
		volatile void *to = p + 4000;
		long n = 200;

		__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0) : "memory");
	});
	TRY("push", hole + 0xff8, __asm__ volatile("mov %%rsp, %%rcx; mov %0, %%rsp; push %%rax; mov %%rcx, %%rsp"
						    : : "r"(hole + 0x1000) : "rcx", "memory"));
	TRY("pop", hole + 0x10, __asm__ volatile("mov %%rsp, %%rcx; mov %0, %%rsp; pop %%rax; mov %%rcx, %%rsp"
						  : : "r"(hole + 0x10) : "rax", "rcx", "memory"));
	TRY("call through memory", hole + 0x20, __asm__ volatile("call *0x20(%0)" : : "r"(hole) : "rax", "memory"));
	TRY("execute", hole, __asm__ volatile("call *%0" : : "r"(hole) : "rax", "memory"));
}

int main(void)
{
	stack_t ss = { .ss_sp = altstack, .ss_size = sizeof(altstack) };
	int fd = open("bus.tmp", O_RDWR | O_CREAT | O_TRUNC, 0600), pipes[2];
	volatile char *shared, *private;

	if (fd < 0 || write(fd, "some bytes", 10) != 10 || pipe(pipes) < 0)
		return 1;
	unlink("bus.tmp");
	shared = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, 0);
	private = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (shared == MAP_FAILED || private == MAP_FAILED)
		return 2;
	sigaltstack(&ss, NULL);
	catch_faults(show, SA_ONSTACK);
	printf("shared\n");
	accesses(shared);
	printf("private\n");
	accesses(private);
	result("write from behind the end", write(pipes[1], (void *)(private + 4096), 8));
	result("read into behind the end", pread(fd, (void *)(private + 4096), 8, 0));
	return 0;
}
