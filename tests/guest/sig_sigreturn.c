/* Frames that a handler spoiled: a floating-point state that cannot be, a rip that is none. */
#include "sigtest.h"

static volatile int spoil;

static void handler(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	unsigned char *fp = (unsigned char *)uc->uc_mcontext.fpregs;
	uint32_t value;

	(void)sig, (void)si;
	switch (spoil) {
	case 0: /* no state at all: that of a fresh process */
		uc->uc_mcontext.fpregs = NULL;
		break;
	case 1: /* only the legacy part */
		memset(fp + 464, 0, 48);
		break;
	case 2: /* misplaced */
		uc->uc_mcontext.fpregs = (void *)(fp + 8);
		break;
	case 3: /* reserved bits of MXCSR */
		value = 0xffff0000;
		memcpy(fp + 24, &value, 4);
		break;
	case 4: /* reserved part of the XSAVE header */
		memset(fp + 512 + 16, 0xff, 8);
		break;
	case 5:
		uc->uc_mcontext.fpregs = (void *)0x1000;
		break;
	case 6:
		uc->uc_mcontext.gregs[REG_RIP] = (greg_t)0x8000000000000000;
		break;
	case 7: /* flags that user code may not change are left alone */
		uc->uc_mcontext.gregs[REG_EFL] |= 0x3000 | 0x20000 | 0x4000 | 0x80000;
		break;
	case 8: /* segment registers are not taken from the frame's upper fields */
		uc->uc_mcontext.gregs[REG_CSGSFS] &= 0xffff00000000ffff;
		break;
	}
}

static void on_segv(int sig, siginfo_t *si, void *context)
{
	printf("signal %d code %d addr %d trap %d; ", sig, si->si_code, si->si_addr != NULL, (int)reg(context, REG_TRAPNO));
	siglongjmp(resume, 1);
}

int main(void)
{
	uint64_t flags;

	on_signal(SIGSEGV, on_segv, 0);
	on_signal(SIGUSR1, handler, 0);
	for (spoil = 0; spoil < 9; spoil++) {
		uint32_t mxcsr = 0x3f80;

		__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
		printf("%d: ", spoil);
		if (!sigsetjmp(resume, 1))
			raise(SIGUSR1);
		__asm__ volatile("stmxcsr %0; pushf; pop %1" : "=m"(mxcsr), "=r"(flags));
		printf("mxcsr %#x flags %#lx\n", mxcsr & ~0x3fu, flags & 0x3000 & ~0x8d5UL);
	}
	return 0;
}
