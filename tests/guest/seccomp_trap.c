/* A filter that traps: what SIGSYS says, which registers the handler finds, and what the call then returns. */
#include <sched.h>

#include "seccomp.h"
#include "sigtest.h"

/* A call whose place is known, without the C library's errno. */
long raw_call(long nr, long a, long b);
extern const char raw_call_return[];
__asm__(".text\n.globl raw_call, raw_call_return\n.type raw_call, @function\nraw_call:\n"
	"mov %rdi, %rax\nmov %rsi, %rdi\nmov %rdx, %rsi\nsyscall\nraw_call_return: ret\n.size raw_call, . - raw_call");

static int answer; /* 0: leave rax alone */
static int seen;

static void on_sys(int sig, siginfo_t *si, void *context)
{
	printf("signal %d code %d errno %d call %d arch %#x at %s, ", sig, si->si_code, si->si_errno, si->si_syscall,
	       si->si_arch, rightness((uint64_t)si->si_call_addr));
	printf("rip %s rax %ld rdi %ld rsi %ld rcx %s\n", reg(context, REG_RIP) == want_addr ? "right" : "wrong",
	       (long)reg(context, REG_RAX), (long)reg(context, REG_RDI), (long)reg(context, REG_RSI),
	       rightness(reg(context, REG_RCX)));
	if (answer)
		((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = answer;
	seen++;
}

static void on_usr1(int sig)
{
	printf("signal %d\n", sig);
}

static void traps(void)
{
	want_addr = (uint64_t)raw_call_return;
	SHOW(refuse_call(SYS_getpriority, SECCOMP_RET_TRAP | 1234, 0));
	SHOW(raw_call(SYS_getpriority, 11, 22));
	answer = 4711;
	SHOW(raw_call(SYS_getpriority, 33, 44));
	answer = -ENOENT;
	SHOW(raw_call(SYS_getpriority, -1, -2) == -ENOENT);
	answer = 0;
	SHOW(refuse_call(SYS_getpriority, FAIL_WITH(EPERM), 0));
	printf("a trap is stricter than an error: ");
	SHOW(raw_call(SYS_getpriority, 0, 0));
	SHOW(raw_call(SYS_getpriority | 0x100000000, 0, 0) & 0xffffffff);
}

/* Another signal that waits comes on top of this one, or after it: both are seen, once. */
static void with_others(void)
{
	sigset_t set;

	signal(SIGUSR1, on_usr1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	SHOW(raw_call(SYS_getpriority, 7, 7));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	/* A refused kill sends nothing. */
	SHOW(refuse_call(SYS_tkill, SECCOMP_RET_TRAP, 0));
	SHOW(raw_call(SYS_tkill, gettid() ? 0 : 1, SIGUSR1));
}

typedef long call2(void *a, void *b);

/* The old fixed addresses make their calls too, as Linux does them: they return to the caller. */
static void vsyscalls(void)
{
	call2 *cpu = (call2 *)0xffffffffff600800, *gettime = (call2 *)0xffffffffff600000;

	SHOW(refuse_call(SYS_gettimeofday, FAIL_WITH(EXDEV), 0));
	SHOW(gettime(NULL, NULL) == -EXDEV);
	SHOW(refuse_call(SYS_getcpu, SECCOMP_RET_TRAP | 9, 0));
	want_addr = 0xffffffffff600800;
	seen = 0;
	on_signal(SIGSYS, on_sys, 0);
	SHOW(cpu(NULL, NULL));
	SHOW(seen);
}

static void on_sys_jump(int sig, siginfo_t *si, void *context)
{
	(void)sig, (void)si, (void)context;
	siglongjmp(resume, 1);
}

int main(void)
{
	on_signal(SIGSYS, on_sys, 0);
	SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	traps();
	with_others();
	SHOW(seen);
	vsyscalls();
	on_signal(SIGSYS, on_sys_jump, SA_NODEFER);
	for (int i = 0; i < 3; i++)
		TRY("jump", 0, raw_call(SYS_getpriority, 0, 0));
	puts("");
	return guest_end();
}
