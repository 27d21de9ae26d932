/*
 * A timer's signal ends computations of many kinds that make no system call. Where it lands is nobody's business, unless
 * the first argument is "values": then registers and memory at that place are printed, which differ from run to run and
 * agree between a recording and its replays.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

static sigjmp_buf out;
static uint64_t regs_sum, lands_in;
static volatile uint64_t counter, outer, broken;
static volatile uint32_t halves[4];
static volatile double floats[4] = { 1, 1, 1, 1 };
static char *big;
#define BIG (8u << 20)

static void on_alarm(int sig, siginfo_t *si, void *context)
{
	const greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig, (void)si;
	for (int i = REG_R8; i <= REG_EFL; i++)
		regs_sum = regs_sum * 31 + (uint64_t)g[i];
	lands_in = (uint64_t)g[REG_RIP];
	siglongjmp(out, 1);
}

static void in_register(void)
{
	__asm__ volatile("xor %%eax, %%eax\n1: inc %%rax\n jmp 1b" ::: "rax");
}

static void in_two_registers(void)
{
	__asm__ volatile("xor %%eax, %%eax\n1: mov $1000, %%ecx\n2: dec %%ecx\n jnz 2b\n inc %%rax\n jmp 1b" ::: "rax", "rcx");
}

static void in_nothing(void)
{
	__asm__ volatile("1: jmp 1b");
}

static void in_memory(void)
{
	for (;;)
		counter++;
}

static void in_nested_memory(void)
{
	for (;;outer++)
		for (counter = 0; counter < 1000; counter++)
			halves[counter % 3]++;
}

static void in_callers_frame(void)
{
	volatile uint32_t count = 0;
	char text[64];

	for (;; count++) {
		memset(text, (int)(count & 1), sizeof(text));
		for (unsigned i = 0; i < 200; i++)
			text[i % 64] ^= (char)i;
		broken += count == UINT32_MAX;
	}
}

__attribute__((noinline)) static unsigned fibonacci(unsigned n)
{
	__asm__ volatile("" ::: "memory");
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static void in_recursion(void)
{
	for (;; outer++)
		broken += fibonacci(16) != 987;
}

static void in_rep_stos(void)
{
	for (;; outer++) {
		void *to = big;
		uint64_t n = BIG;

		__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(outer) : "memory");
		broken += n != 0 || (char *)to != big + BIG || big[0] != (char)outer || big[BIG - 1] != (char)outer;
	}
}

static void in_string_functions(void)
{
	memset(big, 'x', BIG);
	big[100000] = '\0';
	for (;; outer++)
		broken += strlen(big) != 100000 || memchr(big, '\0', BIG) != big + 100000;
}

static void in_vectors(void)
{
	for (;;) {
		for (int i = 0; i < 4; i++)
			floats[i] = floats[i] * 1.0000001 + (double)i;
		outer++;
	}
}

static void in_vector_registers(void)
{
	__asm__ volatile("pxor %%xmm0, %%xmm0\n pcmpeqd %%xmm1, %%xmm1\n1: psubq %%xmm1, %%xmm0\n jmp 1b" ::: "xmm0", "xmm1");
}

static void in_x87(void)
{
	__asm__ volatile("fld1\n1: fld1\n faddp\n inc %%rax\n jmp 1b" ::: "rax");
}

static void in_red_zone(void)
{
	__asm__ volatile("mov $0, %%eax\n"
			 "1: mov %%rax, -8(%%rsp)\n mov %%rax, -128(%%rsp)\n add $1, %%rax\n"
			 "mov -8(%%rsp), %%rcx\n sub -128(%%rsp), %%rcx\n add %%rcx, %0\n jmp 1b"
			 : "+m"(broken) :: "rax", "rcx", "memory", "cc");
}

/* The carry goes from pass to pass. */
static void in_flags(void)
{
	__asm__ volatile("mov $3, %%eax\n clc\n1: rcr %%rax\n jmp 1b" ::: "rax", "cc");
}

/* Two ways into the middle of the loop, and calls. */
static void in_crossing_jumps(void)
{
	__asm__ volatile("xor %%eax, %%eax\n xor %%ecx, %%ecx\n sub $128, %%rsp\n jmp 3f\n"
			 "9: inc %%rdx\n ret\n"
			 "1: inc %%rax\n2: inc %%rcx\n3: inc %%rsi\n test $3, %%al\n jz 1b\n call 9b\n test $1, %%cl\n jz 2b\n jmp 1b"
			 ::: "rax", "rcx", "rdx", "rsi", "memory", "cc");
}

static void in_loop_instruction(void)
{
	__asm__ volatile("1: mov $77, %%ecx\n2: loop 2b\n inc %%rax\n jrcxz 1b\n ud2" ::: "rax", "rcx");
}

/* inc %rax; mov %rax, near(%rip); jmp: in a page that the program may write, and does. */
static void jit(unsigned data_at)
{
	static const unsigned char code[] = { 0x48, 0xff, 0xc0, 0x48, 0x89, 0x05, 0, 0, 0, 0, 0xeb, 0xf4 };
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int32_t disp = (int32_t)data_at - 10;

	if (p == MAP_FAILED)
		exit(1);
	memcpy(p, code, sizeof(code));
	memcpy(p + 6, &disp, 4);
	__asm__ volatile("" ::: "memory");
	((void (*)(void))p)();
}

static void in_jit_code(void) { jit(4096); }
static void in_jit_page(void) { jit(256); }

static const struct { const char *name; void (*run)(void); } kinds[] = {
	{ "register", in_register }, { "two registers", in_two_registers }, { "nothing", in_nothing }, { "memory", in_memory },
	{ "nested memory", in_nested_memory }, { "callers frame", in_callers_frame }, { "recursion", in_recursion },
	{ "rep stos", in_rep_stos }, { "string functions", in_string_functions }, { "vectors", in_vectors },
	{ "vector registers", in_vector_registers }, { "x87", in_x87 }, { "red zone", in_red_zone }, { "flags", in_flags },
	{ "crossing jumps", in_crossing_jumps }, { "loop instruction", in_loop_instruction }, { "jit code", in_jit_code },
	{ "jit page", in_jit_page },
};

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_sigaction = on_alarm, .sa_flags = SA_SIGINFO };
	const char *only = argc > 2 ? argv[2] : NULL;
	int values = argc > 1 && !strcmp(argv[1], "values");

	sigaction(SIGALRM, &sa, NULL);
	big = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct itimerval it = { .it_value.tv_usec = 15000 };

		if (values && only && strcmp(only, kinds[i].name))
			continue;
		regs_sum = counter = outer = broken = 0;
		if (!sigsetjmp(out, 1)) {
			setitimer(ITIMER_REAL, &it, NULL);
			kinds[i].run();
		}
		printf("%s: %s\n", kinds[i].name, broken ? "broken" : "ok");
		if (values)
			printf("  %016llx at %llx, %llu %llu\n", (unsigned long long)regs_sum, (unsigned long long)lands_in,
			       (unsigned long long)counter, (unsigned long long)outer);
	}
	return 0;
}
