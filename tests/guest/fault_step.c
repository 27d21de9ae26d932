/* A program that single-steps itself: every instruction once, with the trap flag showing and rip behind each. */
#include "sigtest.h"

FAULT_FN(stepped,
	 "pushf; orl $0x100, (%rsp); popf",
	 "nop; inc %eax; mov $3, %ecx; 1: dec %ecx; jnz 1b; push %rax; pop %rdx; lea -8(%rsp), %rdi;"
	 "mov $4, %ecx; cld; rep stosb; cpuid; rdtsc",
	 "pushf; andl $~0x100, (%rsp); popf; nop");

static volatile int steps;

static void on_step(int sig, siginfo_t *si, void *context)
{
	uint64_t rip = reg(context, REG_RIP);

	steps++;
	printf("+%d sig %d code %d addr %s trap %d error %d tf %d\n", (int)(rip - (uint64_t)stepped_at), sig, si->si_code,
	       (uint64_t)si->si_addr == rip ? "right" : "wrong", (int)reg(context, REG_TRAPNO),
	       (int)reg(context, REG_ERR), (int)(reg(context, REG_EFL) >> 8 & 1));
}

int main(void)
{
	on_signal(SIGTRAP, on_step, 0);
	__asm__ volatile("call stepped" : : : "rax", "rbx", "rcx", "rdx", "rdi", "memory", "cc");
	printf("%d steps\n", steps);
	return 0;
}
