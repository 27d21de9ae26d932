/*
 * Restartable sequences by hand: a counter for each processor, added to without a lock or an atomic instruction by four
 * threads and a handler, is exact. libc's own registration is given up first.
 */
#include <linux/rseq.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/rseq.h>
#include <sys/time.h>
#include "threadtest.h"

#define SIG 0x53053053u /* libc's */
#define CPUS 1024
#define TURNS 300000

static struct { uint64_t n, pad[7]; } counter[CPUS];
static volatile sig_atomic_t handled;
static _Atomic uint64_t aborted;

static __thread struct { struct rseq r; char room[64]; } own __attribute__((aligned(64)));

static struct rseq *area(void)
{
	return &own.r;
}

static void give_up_libcs(void)
{
	struct rseq *r = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);

	if (__rseq_size && (int)r->cpu_id >= 0) /* a thread whose creator has none has none */
		CHECK(syscall(SYS_rseq, r, 32, RSEQ_FLAG_UNREGISTER, SIG) == 0);
}

/* 1: counter[cpu]++ was committed; 0: interrupted, nothing happened. */
__attribute__((noinline)) static int add_one(uint32_t cpu)
{
	struct rseq *r = area();
	uint64_t *p = &counter[cpu].n;

	__asm__ goto(".pushsection .data.rel.ro, \"aw\"\n .balign 32\n"
		     "3: .long 0, 0\n .quad 1f, 2f - 1f, 4f\n .popsection\n"
		     "lea 3b(%%rip), %%rax\n mov %%rax, 8(%0)\n"
		     "1: cmp %2, 4(%0)\n jne 4f\n"
		     "mov (%1), %%rax\n"
		     "mov $20, %%ecx\n 5: dec %%ecx\n jnz 5b\n" /* time for others */
		     "add $1, %%rax\n"
		     "mov %%rax, (%1)\n"
		     "2: jmp 6f\n"
		     ".byte 0x0f, 0xb9, 0x3d\n .long 0x53053053\n"
		     "4: jmp %l[abort]\n"
		     "6:"
		     :: "r"(r), "r"(p), "r"(cpu) : "rax", "rcx", "memory", "cc" : abort);
	return 1;
abort:
	return 0;
}

static void add(void)
{
	while (!add_one(*(volatile uint32_t *)&area()->cpu_id_start))
		aborted++;
}

static void on_alarm(int sig)
{
	(void)sig;
	if (area()->cpu_id == (uint32_t)-1 || !own.room[0])
		return;
	add();
	handled++;
}

static void *count(void *arg)
{
	(void)arg;
	give_up_libcs();
	CHECK(syscall(SYS_rseq, area(), 32, 0, SIG) == 0);
	own.room[0] = 1;
	for (int i = 0; i < TURNS; i++)
		add();
	own.room[0] = 0;
	CHECK(syscall(SYS_rseq, area(), 32, RSEQ_FLAG_UNREGISTER, SIG) == 0);
	CHECK(area()->cpu_id == (uint32_t)-1 && area()->cpu_id_start == 0);
	return NULL;
}

static void errors(void)
{
	cpu_set_t set;

	give_up_libcs();
	SHOW(syscall(SYS_rseq, area(), 32, RSEQ_FLAG_UNREGISTER, SIG));
	SHOW(syscall(SYS_rseq, area(), 16, 0, SIG));
	SHOW(syscall(SYS_rseq, (char *)area() + 8, 32, 0, SIG));
	SHOW(syscall(SYS_rseq, area(), 32, 2, SIG));
	SHOW(syscall(SYS_rseq, 0xffffffffffff0000, 32, 0, SIG));
	SHOW(syscall(SYS_rseq, area(), 32, 0, SIG));
	SHOW(syscall(SYS_rseq, area(), 32, 0, SIG));
	SHOW(syscall(SYS_rseq, area(), 32, 0, SIG + 1));
	SHOW(syscall(SYS_rseq, (char *)area() + 32, 32, 0, SIG));
	SHOW(syscall(SYS_rseq, area(), 32, RSEQ_FLAG_UNREGISTER, SIG + 1));
	sched_getaffinity(0, sizeof(set), &set);
	CHECK(area()->cpu_id == area()->cpu_id_start && CPU_ISSET(area()->cpu_id, &set));
	SHOW(syscall(SYS_rseq, area(), 32, RSEQ_FLAG_UNREGISTER, SIG));
}

int main(void)
{
	struct itimerval every = { { 0, 500 }, { 0, 500 } }, never = { 0 };
	uint64_t sum = 0;

	CHECK(__rseq_size > 0);
	CHECK(sched_getcpu() >= 0);
	errors();
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &every, NULL);
	together(4, count);
	setitimer(ITIMER_REAL, &never, NULL);
	for (int i = 0; i < CPUS; i++)
		sum += counter[i].n;
	printf("%ld too many\n", (long)sum - 4L * TURNS - handled);
	return guest_end();
}
