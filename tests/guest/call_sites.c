/*
 * System call sites of all shapes, called so often that they are worth patching: each does what its bytes say, and leaves every
 * register, the flags and the memory below the stack pointer as the kernel does.
 */
#include "sites.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

SITE(by_number, "mov $110, %eax\nby_number_call: syscall\nret");
SITE(by_long_number, "mov $110, %rax\nby_long_number_call: syscall\nret");
SITE(by_r10, "mov $110, %eax\nmov $0xb8b8, %r10d\nby_r10_call: syscall\nmov %r10, %rax\nret");
SITE(by_stack, "mov $110, %eax\nmov 8(%rsp), %r9\nby_stack_call: syscall\nret");
SITE(by_lea, "mov $110, %eax\nlea 8(%rsp), %rdx\nby_lea_call: syscall\nmov %rdx, %rax\nsub %rsp, %rax\nret");
/* The five bytes before are the tail of a longer instruction, and a `mov $nr,%eax` by themselves. */
SITE(by_tail, "push %rbx\nmov %rsp, %rbx\nadd $-56, %rbx\nmov $110, %eax\nmovl $0x11223344, -0x48(%rbx)\n"
	      "by_tail_call: syscall\npop %rbx\nret");
SITE(by_two_bytes, "mov $110, %edi\nmov %edi, %eax\nby_two_bytes_call: syscall\nret");
/* As glibc's read: a branch and a short instruction follow X; the other way leads to another `syscall`. */
SITE(by_read, "cmp $0x100, %edi\nje 1f\nxor %eax, %eax\nby_read_call: syscall\nret\n1: mov $39, %eax\nnop\nsyscall\nret");
/* As its futexes: the number comes first. */
SITE(by_futex, "mov $28, %eax\nxor $114, %al\nby_futex_call: syscall\nret");
/* X refers to something near it. */
SITE(by_near, "mov 1f(%rip), %eax\nby_near_call: syscall\nret\n.balign 4\n1: .long 110");
/* Another way leads to the `syscall` itself, with another number. */
SITE(by_jump, "mov $39, %eax\ntest %edi, %edi\njne by_jump_call\nmov $110, %eax\nby_jump_call: syscall\nret");
/* X faults: the stack pointer is the argument. */
SITE(by_fault, "mov $110, %eax\nmov %rsp, %r8\nmov %rdi, %rsp\nby_fault_x: mov 8(%rsp), %r9\nby_fault_call: syscall\n"
	       "mov %r8, %rsp\nret");
extern const unsigned char by_fault_x[];
SITE(by_bus, "mov $110, %eax\nmov %rsp, %r8\nby_bus_x: mov 0x100(%rdi), %edx\nby_bus_call: syscall\nret");
extern const unsigned char by_bus_x[];

/* Everything there is to compare. The offsets are in the code below. */
struct state {
	uint64_t in[16], flags_in;   /* by number of the register; rsp and r15 are the code's own */
	uint64_t out[16], flags_out, red[16];
};
SITE(by_state,
     "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\nmov %rdi, %r15\n"
     "push 128(%r15)\npopfq\n"
     "mov $0x1234567, %rax\n"
     "mov %rax, -8(%rsp)\nmov %rax, -16(%rsp)\nmov %rax, -24(%rsp)\nmov %rax, -32(%rsp)\nmov %rax, -40(%rsp)\n"
     "mov %rax, -48(%rsp)\nmov %rax, -56(%rsp)\nmov %rax, -64(%rsp)\nmov %rax, -72(%rsp)\nmov %rax, -80(%rsp)\n"
     "mov %rax, -88(%rsp)\nmov %rax, -96(%rsp)\nmov %rax, -104(%rsp)\nmov %rax, -112(%rsp)\nmov %rax, -120(%rsp)\n"
     "mov %rax, -128(%rsp)\n"
     "mov 8(%r15), %rcx\nmov 16(%r15), %rdx\nmov 24(%r15), %rbx\nmov 40(%r15), %rbp\nmov 48(%r15), %rsi\n"
     "mov 56(%r15), %rdi\nmov 64(%r15), %r8\nmov 72(%r15), %r9\nmov 80(%r15), %r10\nmov 88(%r15), %r11\n"
     "mov 96(%r15), %r12\nmov 104(%r15), %r13\nmov 112(%r15), %r14\n"
     "mov $110, %eax\n"
     "by_state_call: syscall\n"
     "mov %rax, 136(%r15)\nmov %rcx, 144(%r15)\nmov %rdx, 152(%r15)\nmov %rbx, 160(%r15)\nmov %rsp, 168(%r15)\n"
     "mov %rbp, 176(%r15)\nmov %rsi, 184(%r15)\nmov %rdi, 192(%r15)\nmov %r8, 200(%r15)\nmov %r9, 208(%r15)\n"
     "mov %r10, 216(%r15)\nmov %r11, 224(%r15)\nmov %r12, 232(%r15)\nmov %r13, 240(%r15)\nmov %r14, 248(%r15)\n"
     "mov %r15, 256(%r15)\n"
     "mov -8(%rsp), %rax\nmov %rax, 272(%r15)\nmov -16(%rsp), %rax\nmov %rax, 280(%r15)\n"
     "mov -24(%rsp), %rax\nmov %rax, 288(%r15)\nmov -32(%rsp), %rax\nmov %rax, 296(%r15)\n"
     "mov -40(%rsp), %rax\nmov %rax, 304(%r15)\nmov -48(%rsp), %rax\nmov %rax, 312(%r15)\n"
     "mov -56(%rsp), %rax\nmov %rax, 320(%r15)\nmov -64(%rsp), %rax\nmov %rax, 328(%r15)\n"
     "mov -72(%rsp), %rax\nmov %rax, 336(%r15)\nmov -80(%rsp), %rax\nmov %rax, 344(%r15)\n"
     "mov -88(%rsp), %rax\nmov %rax, 352(%r15)\nmov -96(%rsp), %rax\nmov %rax, 360(%r15)\n"
     "mov -104(%rsp), %rax\nmov %rax, 368(%r15)\nmov -112(%rsp), %rax\nmov %rax, 376(%r15)\n"
     "mov -120(%rsp), %rax\nmov %rax, 384(%r15)\nmov -128(%rsp), %rax\nmov %rax, 392(%r15)\n"
     "pushfq\npop 264(%r15)\npush $0x202\npopfq\n"
     "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret");

static pid_t parent;

static void shapes(const struct text *t, void *(*at)(const struct text *t, const void *p))
{
	CHECK(always(at(t, by_number), parent));
	CHECK(always(at(t, by_long_number), parent));
	CHECK(always(at(t, by_r10), 0xb8b8));
	CHECK(always(at(t, by_stack), parent));
	CHECK(always(at(t, by_lea), 8));
	CHECK(always(at(t, by_tail), parent));
	CHECK(always(at(t, by_two_bytes), parent));
	CHECK(always(at(t, by_futex), parent));
	CHECK(always(at(t, by_near), parent));
	for (unsigned i = 0; i < MANY; i++)
		CHECK(((site_fn)at(t, by_read))(i % 3 ? -1 : 0x100, 0, 0, 0, 0, 0, 0) == (i % 3 ? -EBADF : getpid()));
	for (unsigned i = 0; i < MANY; i++)
		CHECK(((site_fn)at(t, by_jump))(i & 1, 0, 0, 0, 0, 0, 0) == (i & 1 ? getpid() : parent));
}

#define FLAG_SETS 5
static void states(const struct text *t, void *(*at)(const struct text *t, const void *p))
{
	/* nothing; CF PF AF ZF SF OF; DF; ID; AC */
	static const uint64_t sets[FLAG_SETS] = { 0, 0x8d5, 0x400, 0x200000, 0x40000 };
	void (*f)(struct state *) = (void (*)(struct state *))(uintptr_t)at(t, by_state);
	const unsigned char *behind = (unsigned char *)at(t, by_state_call) + 2;
	struct state s;

	for (unsigned i = 0; i < MANY; i++) {
		memset(&s, 0, sizeof(s));
		for (unsigned r = 0; r < 16; r++)
			s.in[r] = 0x0101010101010101ULL * (r + 1) + i;
		s.flags_in = 0x202 | sets[i % FLAG_SETS];
		f(&s);
		CHECK(s.out[0] == (uint64_t)parent && s.out[1] == (uint64_t)behind && s.out[15] == (uint64_t)&s);
		CHECK(s.out[11] == s.flags_in && s.flags_out == s.flags_in);
		for (unsigned r = 2; r < 15; r++)
			CHECK(r == 4 || r == 11 || s.out[r] == s.in[r]);
		for (unsigned k = 0; k < 16; k++)
			CHECK(s.red[k] == 0x1234567);
	}
}

static volatile uint64_t fault_rip, fault_addr, traps, trap_sum;
static const unsigned char *trap_base;

static void on_fault(int sig, siginfo_t *si, void *context)
{
	ucontext_t *c = context;

	(void)sig;
	fault_rip = (uint64_t)c->uc_mcontext.gregs[REG_RIP];
	fault_addr = (uint64_t)si->si_addr;
	c->uc_mcontext.gregs[REG_RSP] = c->uc_mcontext.gregs[REG_R8];
	c->uc_mcontext.gregs[REG_RAX] = -1;
	c->uc_mcontext.gregs[REG_RIP] = *(long *)c->uc_mcontext.gregs[REG_RSP];
	c->uc_mcontext.gregs[REG_RSP] += 8;
}

static void on_trap(int sig, siginfo_t *si, void *context)
{
	ucontext_t *c = context;

	(void)sig, (void)si;
	traps++;
	trap_sum = trap_sum * 31 + (uint64_t)(c->uc_mcontext.gregs[REG_RIP] - (long)trap_base);
}

/* X reads behind the end of a mapped file. */
static void bus_errors(const struct text *t, void *(*at)(const struct text *t, const void *p))
{
	site_fn f = (site_fn)at(t, by_bus);
	int file = memfd_create("short", 0);
	unsigned char *p;

	CHECK(file >= 0 && ftruncate(file, 4096) == 0);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(p != MAP_FAILED);
	for (unsigned i = 0; i < MANY; i++)
		CHECK(f((long)p, 0, 0, 0, 0, 0, 0) == parent);
	for (unsigned i = 0; i < 4; i++) {
		CHECK(f((long)p + 4096, 0, 0, 0, 0, 0, 0) == -1);
		CHECK(fault_rip == (uint64_t)at(t, by_bus_x) && fault_addr == (uint64_t)p + 4096 + 0x100);
	}
	munmap(p, 8192);
	close(file);
}

static void faults(const struct text *t, void *(*at)(const struct text *t, const void *p))
{
	static unsigned char stack[65536];
	const stack_t alt = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	uint64_t good[4] = { 0 };
	site_fn f = (site_fn)at(t, by_fault);

	CHECK(sigaltstack(&alt, NULL) == 0 && sigaction(SIGSEGV, &sa, NULL) == 0 && sigaction(SIGBUS, &sa, NULL) == 0);
	bus_errors(t, at);
	for (unsigned i = 0; i < MANY; i++)
		CHECK(f((long)good, 0, 0, 0, 0, 0, 0) == parent);
	for (unsigned i = 0; i < 8; i++) {
		CHECK(f(0x1000, 0, 0, 0, 0, 0, 0) == -1);
		CHECK(fault_rip == (uint64_t)at(t, by_fault_x) && fault_addr == 0x1008);
		CHECK(f((long)good, 0, 0, 0, 0, 0, 0) == parent);
	}
}

/* A program that steps through a site itself sees X and the `syscall`, one after the other. */
static void steps(const struct text *t, void *(*at)(const struct text *t, const void *p))
{
	struct sigaction sa = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	site_fn f = (site_fn)at(t, by_number);
	long got;

	CHECK(sigaction(SIGTRAP, &sa, NULL) == 0);
	CHECK(always(f, parent));
	trap_base = at(t, by_number);
	traps = trap_sum = 0;
	for (unsigned i = 0; i < 3; i++) {
		__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; call *%1; pushfq; andq $~0x100, (%%rsp); popfq"
				 : "=a"(got) : "r"(f) : "rcx", "r11", "memory", "cc", "rdi", "rsi", "rdx", "r8", "r9", "r10");
		CHECK(got == parent);
	}
	CHECK(always(f, parent));
	printf("%lu traps\n", (unsigned long)traps);
	/* The places outside the function are where the program's own code lies. */
	CHECK(traps >= 12);
}

static void *in_own(const struct text *t, const void *p)
{
	(void)t;
	return (void *)(uintptr_t)p;
}

static void *elsewhere(const struct text *t, const void *p)
{
	return in_copy(t, p);
}

static void all(const struct text *t)
{
	parent = getppid();
	shapes(t, in_own);
	shapes(t, elsewhere);
	states(t, in_own);
	states(t, elsewhere);
	faults(t, in_own);
	faults(t, elsewhere);
	steps(t, in_own);
	steps(t, elsewhere);
}

/* glibc's own: the wrappers, syscall(), the vDSO. */
static void library(void)
{
	struct timespec a = { 0, 0 }, b;

	for (unsigned i = 0; i < MANY; i++) {
		CHECK(getppid() == parent && syscall(SYS_getppid) == parent);
		CHECK(syscall(SYS_pread64, -1, 2, 3, 4, 5, 6) == -1 && errno == EBADF);
		CHECK(clock_gettime(CLOCK_MONOTONIC, &b) == 0);
		CHECK(b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
		a = b;
	}
}

int main(void)
{
	struct text t = text_again();
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) { /* patches are made in a child */
		all(&t);
		library();
		fflush(stdout);
		_exit(guest_failed);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	all(&t);
	library();
	fflush(stdout);
	child = fork();
	if (child == 0) { /* and inherited by one */
		all(&t);
		library();
		fflush(stdout);
		_exit(guest_failed);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	return guest_end();
}
