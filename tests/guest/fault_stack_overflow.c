/* Recursion into the guard below the stack, caught on an alternate stack, twice. */
#include "sigtest.h"

static char altstack[65536] __attribute__((aligned(16)));
static volatile int depth;

static void on_overflow(int sig, siginfo_t *si, void *context)
{
	uint64_t sp = (uint64_t)__builtin_frame_address(0), rsp = reg(context, REG_RSP), addr = (uint64_t)si->si_addr;

	printf("signal %d code %d trap %d error %#x, on the alternate stack: %d, address near rsp: %d, deep: %d\n", sig,
	       si->si_code, (int)reg(context, REG_TRAPNO), (unsigned)reg(context, REG_ERR),
	       sp > (uint64_t)altstack && sp <= (uint64_t)altstack + sizeof(altstack), addr - rsp + 65536 < 131072,
	       depth > 1000);
	siglongjmp(resume, 1);
}

__attribute__((noinline)) static int dive(int n)
{
	volatile char room[4000];

	room[0] = (char)n;
	room[3999] = (char)n;
	depth = n;
	return (n > 1 << 30 ? 0 : dive(n + 1)) + room[0] + room[3999];
}

int main(void)
{
	stack_t ss = { .ss_sp = altstack, .ss_size = sizeof(altstack) };

	sigaltstack(&ss, NULL);
	on_signal(SIGSEGV, on_overflow, SA_ONSTACK);
	for (int i = 0; i < 2; i++) {
		if (!sigsetjmp(resume, 1))
			return dive(1);
		sigaltstack(NULL, &ss);
		printf("back, alternate stack flags %d\n", ss.ss_flags);
	}
	return 0;
}
