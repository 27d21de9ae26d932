/* Alignment check, which a program switches on for itself; the handler switches it off in the context it returns to. */
#include "sigtest.h"

#define AC 0x40000

static char bytes[16] __attribute__((aligned(16)));

static void on_align(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;

	/* The flag is still set in the handler, and libc does not expect it. */
	__asm__ volatile("pushf; andl $~0x40000, (%%rsp); popf" : : : "memory", "cc");
	uc->uc_mcontext.gregs[REG_EFL] &= ~AC;
	printf("signal %d code %d addr %d trap %d error %d ac %d\n", sig, si->si_code, si->si_addr != NULL,
	       (int)reg(context, REG_TRAPNO), (int)reg(context, REG_ERR), 1);
}

int main(void)
{
	uint64_t value, flags;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	on_signal(SIGBUS, on_align, 0);
	__asm__ volatile("pushf; orl $0x40000, (%%rsp); popf; movq 1(%2), %0; pushf; popq %1;"
			 "pushf; andl $~0x40000, (%%rsp); popf"
			 : "=&r"(value), "=&r"(flags) : "r"(bytes) : "cc", "memory");
	printf("%#lx, ac afterwards %d\n", value, (flags & AC) != 0);
	return 0;
}
