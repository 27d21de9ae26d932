/*
 * Threads that race, each kind in its own way; what is printed depends on every switch between them. The argument names
 * one kind; without, or with "one" (as tests/guest.sh calls programs), all are run.
 */
#include <signal.h>
#include <sys/time.h>
#include "threadtest.h"

static volatile unsigned long counter, outer, trail[4];
static atomic_ulong turn;
static volatile int flag;

/* Updates are lost wherever a switch falls between load and store. */
static void *add(void *arg)
{
	for (unsigned i = 0; i < 30000000; i++)
		counter = counter + 1;
	trail[(uintptr_t)arg] = counter;
	return NULL;
}

static void plain(void)
{
	together(2, add);
	printf("%lu, %lu %lu", counter, trail[0], trail[1]);
}

static void *add_yielding(void *arg)
{
	for (unsigned i = 0; i < 300; i++) {
		unsigned long now = counter;

		if (i % 3 == (uintptr_t)arg)
			sched_yield();
		for (volatile int k = 0; k < 20000; k++)
			;
		counter = now + 1;
	}
	trail[(uintptr_t)arg] = counter;
	return NULL;
}

static void yielding(void)
{
	together(3, add_yielding);
	printf("%lu, %lu %lu %lu", counter, trail[0], trail[1], trail[2]);
}

/* Each waits for its turn without a system call, so a turn ends with a time slice. */
static void *take_turns(void *arg)
{
	uintptr_t me = (uintptr_t)arg;
	unsigned long spins = 0;

	for (unsigned i = 0; i < 4; i++) {
		while (atomic_load_explicit(&turn, memory_order_acquire) % 2 != me)
			spins++;
		atomic_fetch_add(&turn, 1);
	}
	trail[me] = spins;
	return NULL;
}

static void spinning(void)
{
	together(2, take_turns);
	printf("%lu turns, %lu %lu spins", turn, trail[0], trail[1]);
}

static void *compare_and_swap(void *arg)
{
	unsigned long lost = 0;

	for (unsigned i = 0; i < 2000000; i++) {
		unsigned long now = turn;

		lost += !atomic_compare_exchange_strong(&turn, &now, now * 2862933555777941757UL + 3037000493UL + (uintptr_t)arg);
	}
	trail[(uintptr_t)arg] = lost;
	return NULL;
}

static void atomics(void)
{
	together(4, compare_and_swap);
	printf("%016lx, lost %lu %lu %lu %lu", turn, trail[0], trail[1], trail[2], trail[3]);
}

static void on_alarm(int sig)
{
	(void)sig;
	flag = 1;
}

static void *until_flag(void *arg)
{
	unsigned long n = 0;

	while (!flag)
		n++;
	trail[(uintptr_t)arg] = n;
	return NULL;
}

static void alarmed(void)
{
	struct itimerval it = { .it_value.tv_usec = 60000 };

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &it, NULL);
	together(2, until_flag);
	printf("%lu %lu", trail[0], trail[1]);
}

/* The registers are the same in each round of the outer loop, whose counter is in memory. */
static void *nest(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < 60; i++, outer++)
		__asm__ volatile("mov $700000, %%ecx\n1: dec %%ecx\n jnz 1b" ::: "rcx", "cc");
	trail[(uintptr_t)arg] = outer;
	return NULL;
}

static void nested(void)
{
	together(2, nest);
	printf("%lu, %lu %lu", outer, trail[0], trail[1]);
}

__attribute__((optimize("O0"))) static void *unoptimised(void *arg)
{
	volatile unsigned long i, j, mine = 0;

	for (i = 0; i < 3000; i++)
		for (j = 0; j < 2000; j++) {
			mine = mine + 1;
			counter = counter + mine % 3;
		}
	trail[(uintptr_t)arg] = counter;
	return NULL;
}

static void at_o0(void)
{
	together(2, unoptimised);
	printf("%lu, %lu %lu", counter, trail[0], trail[1]);
}

/* Loops of one instruction. */
static void *one_instruction(void *arg)
{
	for (unsigned i = 0; i < 4; i++) {
		__asm__ volatile("mov $8000000, %%ecx\n1: loop 1b" ::: "rcx");
		counter = counter * 3 + (uintptr_t)arg + 1;
		trail[(uintptr_t)arg] = counter;
	}
	return NULL;
}

static void *for_ever(void *arg)
{
	(void)arg;
	__asm__ volatile("1: jmp 1b");
	return NULL;
}

static void one_insn(void)
{
	start(for_ever, NULL);
	together(2, one_instruction);
	printf("%lu, %lu %lu", counter, trail[0], trail[1]);
}

#define BIG (100u << 20)
static unsigned char *big;

/* Two fills and a search of the same 100 MB: where they were when they were stopped is in the bytes. */
static void *string_work(void *arg)
{
	void *p = big;
	uint64_t n = BIG;

	switch ((uintptr_t)arg) {
	case 0:
	case 1:
		__asm__ volatile("rep stosb" : "+D"(p), "+c"(n) : "a"((uint64_t)(uintptr_t)arg + 1) : "memory");
		__asm__ volatile("rep stosq" : "+D"(p), "+c"(n) : "a"(0) : "memory");
		break;
	case 2:
		for (int i = 0; i < 2; i++) {
			p = big;
			n = BIG;
			__asm__ volatile("repne scasb" : "+D"(p), "+c"(n) : "a"(2) : "memory", "cc");
			trail[i] = n;
		}
		break;
	}
	return NULL;
}

static void strings(void)
{
	unsigned long changes = 0;

	big = mmap(NULL, BIG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	together(3, string_work);
	for (uint64_t i = 1; i < BIG; i++)
		if (big[i] != big[i - 1])
			changes = changes * 31 + i;
	printf("%lu, %lu %lu", changes, trail[0], trail[1]);
	munmap(big, BIG);
}

/* mov $n, %eax; inc of the very operand; dec %ecx; jnz: and all threads run, and change, the same copy. */
static unsigned char *code;

static void *run_changing(void *arg)
{
	for (unsigned i = 0; i < 3; i++)
		trail[(uintptr_t)arg] = ((unsigned (*)(void))code)();
	return NULL;
}

static void self_modifying(void)
{
	static const unsigned char text[] = {
		0xb9, 0x40, 0x9c, 0, 0,           /* mov $40000, %ecx */
		0xb8, 0, 0, 0, 0,                 /* mov $n, %eax */
		0xff, 0x05, 0xf6, 0xff, 0xff, 0xff, /* incl n(%rip) */
		0xff, 0xc9,                       /* dec %ecx */
		0x75, 0xf1,                       /* jnz to the mov */
		0xc3,
	};

	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(code, text, sizeof(text));
	together(2, run_changing);
	printf("%lu %lu, %u", trail[0], trail[1], *(uint32_t *)(code + 6));
}

/* A compiler of its own: loops of random operations on three registers and a word that all share. */
static void *compile_and_run(void *arg)
{
	uint32_t x = (uint32_t)(uintptr_t)arg * 77 + 5;

	for (unsigned round = 0; round < 60; round++) {
		unsigned char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *c = p;
		volatile unsigned long *word = &counter;
		int32_t back;

		*c++ = 0xb9; /* mov $, %ecx */
		memcpy(c, &(uint32_t){ 200000 }, 4);
		c += 4;
		for (unsigned i = 0; i < 8; i++) {
			static const unsigned char op[6][4] = {
				{ 3, 0x48, 0x01, 0xc2 }, { 3, 0x48, 0x31, 0xd0 }, { 3, 0x48, 0xff, 0xc0 },  /* add xor inc */
				{ 3, 0x48, 0x03, 0x07 }, { 3, 0x48, 0x89, 0x07 }, { 2, 0xd1, 0xc8 },        /* load store ror */
			};
			const unsigned char *o = op[(x = x * 1664525 + 1013904223) >> 16 & 0xffff ? (x >> 20) % 6 : 0];

			memcpy(c, o + 1, o[0]);
			c += o[0];
		}
		*c++ = 0xff, *c++ = 0xc9;    /* dec %ecx */
		*c++ = 0x0f, *c++ = 0x85;    /* jnz */
		back = (int32_t)(p + 5 - (c + 4));
		memcpy(c, &back, 4);
		c[4] = 0xc3;
		CHECK(mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0);
		trail[(uintptr_t)arg] += ((unsigned long (*)(volatile unsigned long *))p)(word);
		munmap(p, 4096);
	}
	return NULL;
}

static void jit(void)
{
	together(2, compile_and_run);
	printf("%lx, %lx %lx", counter, trail[0], trail[1]);
}

static volatile double sums[4];

static void *same_code(void *arg)
{
	volatile double *mine = &sums[(uintptr_t)arg], *next = &sums[((uintptr_t)arg + 1) % 4];

	for (unsigned i = 0; i < 6000000; i++)
		*mine = *mine * 0.999 + *next * 0.0005 + (double)(uintptr_t)arg;
	return NULL;
}

static void four(void)
{
	together(4, same_code);
	printf("%.17g %.17g %.17g %.17g", sums[0], sums[1], sums[2], sums[3]);
}

static const struct { const char *name; void (*run)(void); } kinds[] = {
	{ "plain", plain }, { "yielding", yielding }, { "spinning", spinning }, { "atomics", atomics }, { "alarmed", alarmed },
	{ "nested", nested }, { "unoptimised", at_o0 }, { "strings", strings },
	{ "self-modifying", self_modifying }, { "jit", jit }, { "four", four }, { "one-instruction", one_insn },
};

int main(int argc, char **argv)
{
	const char *only = argc > 1 && strcmp(argv[1], "one") ? argv[1] : NULL;

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (only && !strcmp(only, "names"))
			puts(kinds[i].name);
		else if (!only || !strcmp(only, kinds[i].name)) {
			counter = outer = turn = 0;
			flag = 0;
			for (int k = 0; k < 4; k++)
				trail[k] = 0;
			printf("%s: ", kinds[i].name);
			kinds[i].run();
			puts("");
			fflush(stdout);
		}
	}
	return guest_failed;
}
