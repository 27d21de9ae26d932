/* Floating-point exceptions of both units, with every code, and state that the handler sees and repairs. */
#include "sigtest.h"

static volatile double zero, one = 1, huge = 1e308, tiny = 1e-308;
static volatile double result;

static void sse(uint32_t unmask, double a, double b, char op)
{
	uint32_t mxcsr = 0x1f80 & ~unmask;

	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	switch (op) {
	case '/':
		__asm__ volatile("divsd %1, %0" : "+x"(a) : "x"(b));
		break;
	case '*':
		__asm__ volatile("mulsd %1, %0" : "+x"(a) : "x"(b));
		break;
	case 'r':
		__asm__ volatile("sqrtsd %1, %0" : "+x"(a) : "x"(b));
		break;
	}
	mxcsr = 0x1f80;
	__asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
	result = a;
}

static void x87(uint16_t unmask, double a, double b, char op)
{
	uint16_t cw = 0x37f & ~unmask;

	__asm__ volatile("fninit; fldcw %0; fldl %1" : : "m"(cw), "m"(a));
	if (op == '/')
		__asm__ volatile("fdivl %0" : : "m"(b));
	else if (op == 'r')
		__asm__ volatile("fsqrt");
	else
		__asm__ volatile("fmull %0" : : "m"(b));
	__asm__ volatile("fstpl %0; fwait" : "=m"(result));
	__asm__ volatile("fninit");
}

static void show(int sig, siginfo_t *si, void *context)
{
	const ucontext_t *uc = context;
	uint32_t mxcsr;
	uint16_t fcw;

	/* The handler itself starts with a clean unit. */
	__asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(mxcsr), "=m"(fcw));
	printf("mxcsr %#x cw %#x, saved mxcsr %#x cw %#x sw %#x, ", mxcsr, fcw, uc->uc_mcontext.fpregs->mxcsr,
	       uc->uc_mcontext.fpregs->cwd, uc->uc_mcontext.fpregs->swd);
	want_addr = reg(context, REG_RIP);
	show_fault(sig, si, context);
}

int main(void)
{
	catch_faults(show, 0);
	TRY("sse invalid", 0, sse(0x80, zero, zero, '/'));
	TRY("sse root", 0, sse(0x80, one, -one, 'r'));
	TRY("sse denormal", 0, sse(0x100, tiny / 4, one, '*'));
	TRY("sse zero", 0, sse(0x200, one, zero, '/'));
	TRY("sse overflow", 0, sse(0x400, huge, huge, '*'));
	TRY("sse underflow", 0, sse(0x800, tiny, tiny, '*'));
	TRY("sse inexact", 0, sse(0x1000, one, 3, '/'));
	TRY("x87 invalid", 0, x87(1, zero, zero, '/'));
	TRY("x87 root", 0, x87(1, -one, 0, 'r'));
	TRY("x87 zero", 0, x87(4, one, zero, '/'));
	TRY("x87 overflow", 0, x87(8, huge, huge, '*'));
	TRY("x87 inexact", 0, x87(0x20, one, 3, '/'));
	TRY("all masked", 0, x87(0, one, zero, '/'));
	printf("%d\n", result > 1e300);
	return 0;
}
