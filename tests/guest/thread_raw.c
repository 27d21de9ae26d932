/* Threads without libc: clone and clone3, with stacks, TLS, tids written and cleared; refused combinations. */
#include <linux/futex.h>
#include <linux/sched.h>
#include <asm/prctl.h>
#include <signal.h>
#include "threadtest.h"

#define STACK 65536
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

static char stacks[4][STACK] __attribute__((aligned(64)));
static volatile int child_tid[4] = { -1, -1, -1, -1 }, parent_tid[4], seen[4];
static uint64_t tls[4][8];

/* Without libc's state: nothing but raw calls. The argument is on the new stack. */
__asm__(".text\nraw_entry:\n pop %rdi\n call raw_main\n mov $60, %eax\n xor %edi, %edi\n syscall\n hlt");

static long raw(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return ret;
}

__attribute__((used, no_stack_protector)) void raw_main(long n)
{
	uint64_t fs = 0;

	raw(SYS_arch_prctl, ARCH_GET_FS, (long)&fs, 0, 0, 0);
	seen[n] = (int)raw(SYS_gettid, 0, 0, 0, 0, 0) == child_tid[n] && (n == 1 || fs == (uint64_t)tls[n]) ? 1 : 2;
}

/* Child runs raw_entry on its own stack; parent returns the tid. */
static long clone_raw(unsigned long flags, long n)
{
	uint64_t *sp = (uint64_t *)(stacks[n] + STACK) - 2;
	register long r10 __asm__("r10") = (long)&child_tid[n], r8 __asm__("r8") = (long)tls[n];
	long ret;

	*sp = (uint64_t)n;
	__asm__ volatile("syscall\n test %%rax, %%rax\n jnz 1f\n jmp raw_entry\n1:"
			 : "=a"(ret) : "a"(SYS_clone), "D"(flags), "S"(sp), "d"(&parent_tid[n]), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
}

static long clone3_raw(struct clone_args *a, size_t size)
{
	long ret;

	__asm__ volatile("syscall\n test %%rax, %%rax\n jnz 1f\n jmp raw_entry\n1:"
			 : "=a"(ret) : "a"(SYS_clone3), "D"(a), "S"(size) : "rcx", "r11", "memory");
	return ret;
}

static void await_end(long n)
{
	int tid;

	while ((tid = child_tid[n]))
		syscall(SYS_futex, &child_tid[n], FUTEX_WAIT, tid, NULL, NULL, 0);
}

static void refused(const char *what, unsigned long flags)
{
	long r = clone_raw(flags, 3);

	printf("%s: %s\n", what, r < 0 ? strerrorname_np((int)-r) : "made");
}

int main(void)
{
	struct clone_args a = {
		.flags = THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
		.stack = (uint64_t)stacks[2], .stack_size = STACK - 16, .tls = (uint64_t)tls[2],
		.parent_tid = (uint64_t)&parent_tid[2], .child_tid = (uint64_t)&child_tid[2],
	};
	long tid;

	tid = clone_raw(THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, 0);
	CHECK(tid > 0 && parent_tid[0] == tid);
	await_end(0);
	printf("clone: %d\n", seen[0]);
	tid = clone_raw(THREAD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID, 1);
	CHECK(tid > 0 && parent_tid[1] == 0);
	await_end(1);
	printf("without TLS: %d\n", seen[1]);
	*(uint64_t *)(stacks[2] + STACK - 16) = 2;
	tid = clone3_raw(&a, sizeof(a));
	CHECK(tid > 0 && parent_tid[2] == tid);
	await_end(2);
	printf("clone3: %d\n", seen[2]);
	refused("thread without shared handlers", CLONE_VM | CLONE_THREAD);
	refused("shared handlers without memory", CLONE_SIGHAND);
	a.exit_signal = SIGCHLD;
	printf("clone3 of a thread with a signal: %s\n", strerrorname_np((int)-clone3_raw(&a, sizeof(a))));
	a.exit_signal = 0;
	a.stack_size = 0;
	printf("clone3 without a size: %s\n", strerrorname_np((int)-clone3_raw(&a, sizeof(a))));
	SHOW(syscall(SYS_set_tid_address, NULL) == getpid());
	return guest_end();
}
