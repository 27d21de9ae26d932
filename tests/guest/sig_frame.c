/* What a handler finds: registers at entry, red zone, frame layout, saved registers, extended state. */
#include "sigtest.h"

struct entry_state {
	uint64_t rax, rdi, rsi, rdx, rsp, rflags;
	uint32_t mxcsr;
	uint16_t fcw;
};
struct entry_state entered; /* external: only the assembly below names it */

void raw_handler(void);
void restorer(void);
__asm__(".text\n.type raw_handler, @function\nraw_handler:\n"
	"mov %rax, entered(%rip); mov %rdi, 8+entered(%rip); mov %rsi, 16+entered(%rip); mov %rdx, 24+entered(%rip)\n"
	"mov %rsp, 32+entered(%rip); pushf; popq 40+entered(%rip); stmxcsr 48+entered(%rip); fnstcw 52+entered(%rip)\n"
	"jmp show\n.size raw_handler, . - raw_handler\n"
	".type restorer, @function\nrestorer: mov $15, %eax; syscall\n.size restorer, . - restorer");

struct kernel_frame {
	uint64_t retaddr, uc_flags, uc_link, ss_sp;
	uint32_t ss_flags, pad;
	uint64_t ss_size, gregs[16], rip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2, fpstate, reserved[8], mask;
	siginfo_t info;
};

__attribute__((used)) static void show(int sig)
{
	const struct entry_state *e = &entered;
	const struct kernel_frame *f = (const void *)e->rsp;
	const unsigned char *fp = (const void *)f->fpstate;
	uint32_t magic1, size, extended, magic2;
	uint64_t features, bv;

	printf("signal %d rax %#lx rdi %ld rsi %s rdx %s\n", sig, e->rax, e->rdi,
	       e->rsi == (uint64_t)&f->info ? "info" : "wrong", e->rdx == (uint64_t)&f->uc_flags ? "context" : "wrong");
	printf("rsp mod 16 %ld, flags %#lx mxcsr %#x fcw %#x\n", e->rsp % 16, e->rflags & 0x10500, e->mxcsr, e->fcw);
	printf("restorer %d uc_flags %#lx link %lu\n", f->retaddr == (uint64_t)restorer, f->uc_flags, f->uc_link);
	printf("below the red zone %d\n", f->fpstate + 512 <= f->gregs[15] - 128);
	printf("cs %#x ss %#x fs %u gs %u trap %lu err %lu mask %#lx old %#lx\n", f->cs, f->ss, f->fs, f->gs, f->trapno,
	       f->err, f->mask, f->oldmask);
	printf("r8 %#lx r12 %#lx r15 %#lx rbx %#lx rbp %#lx flags %#lx\n", f->gregs[0], f->gregs[4], f->gregs[7],
	       f->gregs[11], f->gregs[10], f->eflags & 0x400);
	/* Without an alternate stack Linux shows 0 or SS_DISABLE: what the thread's ancestors did decides. */
	printf("stack %lu %u %lu\n", f->ss_sp, f->ss_size ? f->ss_flags : 0, f->ss_size);
	memcpy(&magic1, fp + 464, 4);
	memcpy(&extended, fp + 468, 4);
	memcpy(&features, fp + 472, 8);
	memcpy(&size, fp + 480, 4);
	memcpy(&bv, fp + 512, 8);
	memcpy(&magic2, fp + size, 4);
	printf("fpstate mod 64 %ld magic %#x %#x extended by %u, x87 and sse %lu saved %lu\n", f->fpstate % 64, magic1, magic2,
	       extended - size, features & 3, bv & 3);
	printf("mxcsr %#x fcw %#x xmm7 %02x%02x\n", *(const uint32_t *)(fp + 24), *(const uint16_t *)fp, fp[160 + 7 * 16],
	       fp[160 + 7 * 16 + 15]);
	printf("info %d %d %d\n", f->info.si_signo, f->info.si_code, f->info.si_pid == getpid());
	fflush(stdout);
}

int main(void)
{
	struct { void *handler; uint64_t flags; void *restorer; uint64_t mask; } sa = {
		(void *)raw_handler, SA_SIGINFO | 0x04000000, (void *)restorer, 0 };
	uint32_t mxcsr = 0x3f80, after = 0;
	uint16_t fcw = 0x27f, fcw_after = 0;
	uint64_t xmm7[2] = { 0x11, 0xee00000000000000 }, xmm_after[2], rbx, r12, ret, df;
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGWINCH);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	if (__builtin_expect(__extension__({ long r; __asm__ volatile("mov $8, %%r10d; syscall" : "=a"(r)
			: "0"(13L), "D"((long)SIGUSR1), "S"(&sa), "d"(0L) : "rcx", "r10", "r11", "memory"); r; }) != 0, 0))
		return 1;
	__asm__ volatile("ldmxcsr %[mx]; fldcw %[cw]; movups %[x7], %%xmm7; mov $0x8888, %%r8d; mov $0x1212, %%r12d;"
			 "mov $0x1515, %%r15d; mov $0xbbbb, %%ebx; push %%rbp; mov $0x5555, %%ebp; std;"
			 "mov $62, %%eax; syscall;"
			 "pushf; cld; pop %%rdx; pop %%rbp; mov %%rdx, %[df];"
			 "mov %%rax, %[ret]; mov %%rbx, %[rbx]; mov %%r12, %[r12];"
			 "stmxcsr %[mxa]; fnstcw %[cwa]; movups %%xmm7, %[x7a]"
			 : [ret] "=m"(ret), [rbx] "=m"(rbx), [r12] "=m"(r12), [mxa] "=m"(after), [cwa] "=m"(fcw_after),
			   [x7a] "=m"(xmm_after), [df] "=m"(df)
			 : [mx] "m"(mxcsr), [cw] "m"(fcw), [x7] "m"(xmm7), "D"((long)getpid()), "S"((long)SIGUSR1)
			 : "rax", "rbx", "rcx", "rdx", "r8", "r11", "r12", "r15", "xmm7", "memory", "cc");
	printf("kill %ld rbx %#lx r12 %#lx mxcsr %#x fcw %#x xmm7 %d df %d\n", (long)ret, rbx, r12, after, fcw_after,
	       !memcmp(xmm7, xmm_after, 16), (int)(df >> 10 & 1));
	return 0;
}
