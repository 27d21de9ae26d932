/* sigaltstack: its errors, use by SA_ONSTACK handlers, nesting, SS_AUTODISARM, and overflow of the small stack. */
#include <sys/syscall.h>

#include "sigtest.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

static char stack[65536] __attribute__((aligned(64))), other[65536] __attribute__((aligned(64)));
static volatile int nesting; /* libc says that raise() calls nothing of ours */

static const char *where(const void *p)
{
	uintptr_t a = (uintptr_t)p;

	if (a - (uintptr_t)stack < sizeof(stack))
		return "alternate";
	return a - (uintptr_t)other < sizeof(other) ? "other" : "normal";
}

static void show(const char *what)
{
	stack_t ss;

	sigaltstack(NULL, &ss);
	printf("%s: sp %s flags %#x size %zu\n", what, ss.ss_sp ? where(ss.ss_sp) : "null", (unsigned)ss.ss_flags, ss.ss_size);
}

static int set(void *sp, unsigned flags, size_t size)
{
	stack_t ss = { .ss_sp = sp, .ss_flags = (int)flags, .ss_size = size };

	return sigaltstack(&ss, NULL) < 0 ? errno : 0;
}

static void handler(int sig, siginfo_t *si, void *context)
{
	const ucontext_t *uc = context;
	char here;

	(void)si;
	printf("signal %d on the %s stack, saved flags %#x size %zu\n", sig, where(&here), (unsigned)uc->uc_stack.ss_flags,
	       uc->uc_stack.ss_size);
	show("inside");
	printf("changing it here: %d\n", set(other, 0, sizeof(other)));
	if (nesting++ == 0)
		raise(SIGUSR2);
	nesting = 0;
}

static void on_segv(int sig, siginfo_t *si, void *context)
{
	(void)si, (void)context;
	printf("signal %d code %d\n", sig, si->si_code);
	siglongjmp(resume, 1);
}

int main(void)
{
	on_signal(SIGUSR1, handler, SA_ONSTACK);
	on_signal(SIGUSR2, handler, SA_ONSTACK);
	on_signal(SIGSEGV, on_segv, 0);
	show("fresh");
	printf("small %d", set(stack, 0, 2047));
	printf(" flags %d", set(stack, 4, sizeof(stack)));
	printf(" both %d", set(stack, SS_ONSTACK | SS_DISABLE, sizeof(stack)));
	printf(" onstack %d\n", set(stack, SS_ONSTACK, sizeof(stack)));
	printf("pointer %d\n", syscall(SYS_sigaltstack, 16, NULL) < 0 ? errno : 0);
	show("set");
	raise(SIGUSR1);
	show("after");
	printf("disable %d\n", set(stack, SS_DISABLE, sizeof(stack)));
	show("disabled");
	raise(SIGUSR1);
	printf("autodisarm %d\n", set(stack, SS_AUTODISARM, sizeof(stack)));
	show("armed");
	raise(SIGUSR1);
	show("after");
	printf("tiny %d\n", set(stack, 0, 2048));
	/* Its frame does not fit: SIGSEGV instead, on the normal stack. */
	if (!sigsetjmp(resume, 1)) {
		raise(SIGUSR1);
		printf("went on\n");
	}
	return 0;
}
