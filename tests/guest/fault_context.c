/* A handler that changes what it returns to: registers, flags, vector registers, rip, mask. */
#include "sigtest.h"

FAULT_FN(broken, "", "mov (%rax), %rbx", "");

static void repair(int sig, siginfo_t *si, void *context)
{
	ucontext_t *uc = context;
	greg_t *g = uc->uc_mcontext.gregs;

	printf("signal %d code %d rip %s rax %#llx\n", sig, si->si_code,
	       (uint64_t)g[REG_RIP] == (uint64_t)broken_at ? "right" : "wrong", g[REG_RAX]);
	g[REG_RIP] += 3;
	g[REG_RBX] = 0x1111;
	g[REG_R8] = 0x88, g[REG_R9] = 0x99, g[REG_R12] = 0x12, g[REG_R15] = -15;
	g[REG_EFL] |= 1; /* carry */
	for (int i = 0; i < 4; i++)
		uc->uc_mcontext.fpregs->_xmm[5].element[i] = 0x55550000u + (unsigned)i;
	uc->uc_mcontext.fpregs->mxcsr = 0x5f80;
	sigaddset(&uc->uc_sigmask, SIGUSR2);
}

static void on_usr2(int sig)
{
	printf("signal %d\n", sig);
}

int main(void)
{
	register uint64_t rax __asm__("rax") = 0x10;
	uint64_t rbx, r8, r9, r12, r15, flags;
	uint32_t xmm5[4], mxcsr;
	sigset_t now;

	on_signal(SIGSEGV, repair, 0);
	signal(SIGUSR2, on_usr2);
	__asm__ volatile("clc; call broken; pushf; pop %5; mov %%rbx, %0; mov %%r8, %1; mov %%r9, %2;"
			 "mov %%r12, %3; mov %%r15, %4; movups %%xmm5, %6; stmxcsr %7"
			 : "=m"(rbx), "=m"(r8), "=m"(r9), "=m"(r12), "=m"(r15), "=m"(flags), "=m"(xmm5), "=m"(mxcsr)
			 : "r"(rax) : "rbx", "r8", "r9", "r12", "r15", "xmm5", "memory", "cc");
	printf("%#lx %#lx %#lx %#lx %ld carry %d\n", rbx, r8, r9, r12, (long)r15, (int)(flags & 1));
	printf("%x %x %x %x mxcsr %#x\n", xmm5[0], xmm5[1], xmm5[2], xmm5[3], mxcsr);
	sigprocmask(SIG_BLOCK, NULL, &now);
	printf("usr2 blocked %d\n", sigismember(&now, SIGUSR2));
	raise(SIGUSR2);
	sigemptyset(&now);
	printf("now\n");
	sigprocmask(SIG_SETMASK, &now, NULL);
	return 0;
}
