/*
 * Code with cpuid in it that is made, moved, changed and protected: it must always do what its bytes say, and its bytes
 * must be the program's own wherever the program may write them. And ud2 is an undefined instruction.
 */
#include "guest.h"
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>

static sigjmp_buf back;
static volatile uint64_t ill_at;

static void on_ill(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)context;
	ill_at = (uint64_t)si->si_addr;
	siglongjmp(back, 1);
}

/* Is an undefined instruction met when f runs? */
static int illegal(void (*f)(void))
{
	ill_at = 0;
	if (sigsetjmp(back, 1))
		return 1;
	f();
	return 0;
}

/*
 * void query(unsigned out[4], unsigned leaf): a function as a compiler writes it, with enough before the cpuid to be
 * understood without knowing where it starts, and at +cpuid_offset the instruction.
 */
__asm__(".pushsection .rodata\n"
	"query_code: push %rbx; mov %rdi, %r8; mov %esi, %r9d; mov %esi, %r10d; add $1, %r10d; and $15, %r10d\n"
	"mov %r10d, %r11d; imul $3, %r11d, %r11d; lea 1(%r11), %r10; mov %r10, %rdx; shl $2, %rdx; sub %r10, %rdx\n"
	"xor %r10d, %r10d; test %rdi, %rdi; je 1f; mov %rdx, %r11; add $8, %r11; mov %r11, %rdx; xor %ecx, %ecx\n"
	"mov %r9d, %eax\n"
	"query_cpuid: cpuid\n"
	"mov %eax, (%r8); mov %ebx, 4(%r8); mov %ecx, 8(%r8); mov %edx, 12(%r8)\n"
	"1: pop %rbx; ret\n"
	"query_end: .popsection");
extern const unsigned char query_code[], query_cpuid[], query_end[];
#define QUERY_SIZE ((size_t)(query_end - query_code))
#define CPUID_AT ((size_t)(query_cpuid - query_code))
#define PLACE 0xf80 /* on the first of two pages, ending on the second */

typedef void (*query_fn)(unsigned out[4], unsigned leaf);

static int answers(unsigned char *at)
{
	unsigned made[4] = { 0 }, own[4];

	((query_fn)at)(made, 0);
	__cpuid(0, own[0], own[1], own[2], own[3]);
	if (memcmp(made, own, sizeof(own)))
		return 0;
	((query_fn)at)(made, 7);
	__cpuid_count(7, 0, own[0], own[1], own[2], own[3]);
	return memcmp(made, own, sizeof(own)) == 0;
}

static int own_bytes(const unsigned char *at)
{
	return memcmp(at, query_code, QUERY_SIZE) == 0;
}

static unsigned char *make(void)
{
	unsigned char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	memcpy(p + PLACE, query_code, QUERY_SIZE);
	return p;
}

static void protect(unsigned char *p, int prot)
{
	CHECK(mprotect(p, 8192, prot) == 0);
}

static void made_and_changed(void)
{
	unsigned char *p = make(), *q = p + PLACE;

	for (int i = 0; i < 3; i++) {
		protect(p, PROT_READ | PROT_EXEC);
		CHECK(answers(q));
		protect(p, PROT_READ | PROT_WRITE);
		CHECK(own_bytes(q));
	}
	protect(p, PROT_READ | PROT_EXEC);
	protect(p, PROT_NONE);
	protect(p, PROT_READ | PROT_WRITE);
	CHECK(own_bytes(q));
	protect(p, PROT_READ | PROT_EXEC);
	protect(p, PROT_READ);
	protect(p, PROT_READ | PROT_EXEC);
	CHECK(answers(q));
	/* An undefined instruction of the program's own, exactly there. */
	protect(p, PROT_READ | PROT_WRITE);
	memcpy(q + CPUID_AT, "\x0f\x0b", 2);
	protect(p, PROT_READ | PROT_EXEC);
	CHECK(illegal((void (*)(void))(q + CPUID_AT)) && ill_at == (uint64_t)q + CPUID_AT);
	protect(p, PROT_READ | PROT_WRITE);
	CHECK(memcmp(q + CPUID_AT, "\x0f\x0b", 2) == 0);
	CHECK(munmap(p, 8192) == 0);
	puts("made and changed");
}

static void moved(void)
{
	unsigned char *p = make(), *to = make(), *q;

	protect(p, PROT_READ | PROT_EXEC);
	CHECK(answers(p + PLACE));
	q = mremap(p, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	CHECK(q == to && answers(q + PLACE));
	/* At the old place something else. */
	CHECK(mmap(p, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
	memcpy(p + PLACE + CPUID_AT, "\x0f\x0b", 2);
	protect(p, PROT_READ | PROT_EXEC);
	CHECK(illegal((void (*)(void))(p + PLACE + CPUID_AT)));
	protect(q, PROT_READ | PROT_WRITE);
	CHECK(own_bytes(q + PLACE));
	CHECK(munmap(p, 8192) == 0 && munmap(q, 8192) == 0);
	puts("moved");
}

static void from_a_file(void)
{
	int fd = open("code", O_RDWR | O_CREAT | O_TRUNC, 0600);
	unsigned char *p;

	CHECK(fd >= 0 && ftruncate(fd, 8192) == 0 && pwrite(fd, query_code, QUERY_SIZE, PLACE) == (ssize_t)QUERY_SIZE);
	p = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED && answers(p + PLACE));
	CHECK(madvise(p, 8192, MADV_DONTNEED) == 0 && answers(p + PLACE));
	protect(p, PROT_READ | PROT_WRITE);
	CHECK(own_bytes(p + PLACE));
	protect(p, PROT_READ | PROT_EXEC);
	CHECK(answers(p + PLACE));
	CHECK(munmap(p, 8192) == 0 && unlink("code") == 0);
	puts("from a file");
}

static void undefined(void) { __asm__ volatile("ud2"); }
static void random_number(void) { __asm__ volatile("rdrand %%rax" : : : "rax", "cc"); }
static void random_seed(void) { __asm__ volatile("rdseed %%ecx" : : : "rcx", "cc"); }

static void as_cpuid_says(void)
{
	unsigned a, b, c, d;

	CHECK(illegal(undefined));
	__cpuid(1, a, b, c, d);
	CHECK(illegal(random_number) == !(c >> 30 & 1));
	__cpuid_count(7, 0, a, b, c, d);
	CHECK(illegal(random_seed) == !(b >> 18 & 1));
	puts("as cpuid says");
}

/* A constant that holds the same bytes is none of it. */
static void constants(void)
{
	volatile uint32_t x;
	uint32_t v;

	__asm__ volatile("mov $0x0ba20fa2, %0" : "=r"(v));
	x = v;
	__asm__ volatile("xor $0xa20fa20f, %0" : "+r"(v) : : "cc");
	printf("constants %#x %#x\n", x, v);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_ill, .sa_flags = SA_SIGINFO };
	unsigned a = 0, b, c, d;

	CHECK(sigaction(SIGILL, &sa, NULL) == 0);
	made_and_changed();
	moved();
	from_a_file();
	as_cpuid_says();
	constants();
	/* The upper halves go. */
	{
		register uint64_t rax __asm__("rax") = 0xdead00000000ULL, rbx __asm__("rbx") = ~0ULL;
		register uint64_t rcx __asm__("rcx") = 0, rdx __asm__("rdx") = ~0ULL;

		__asm__ volatile("cpuid" : "+r"(rax), "+r"(rbx), "+r"(rcx), "+r"(rdx));
		b = rbx >> 32, c = rcx >> 32, d = rdx >> 32;
		CHECK(!(rax >> 32) && !b && !c && !d && rax > a);
	}
	return guest_end();
}
