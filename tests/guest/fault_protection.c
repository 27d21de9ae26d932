/* General protection: privileged instructions, addresses that are none, and gates that user code may not use. */
#include "sigtest.h"

static char altstack[65536];

FAULT_FN(do_hlt, "", "hlt", "");
FAULT_FN(do_cli, "", "cli", "");
FAULT_FN(do_in, "mov $0x60, %edx", "inb %dx, %al", "");
FAULT_FN(do_outs, "mov $0x10, %edx; xor %eax, %eax", "outb %al, %dx", "");
FAULT_FN(do_mov_cr, "", "mov %cr0, %rax", "");
FAULT_FN(do_mov_dr, "", "mov %dr7, %rax", "");
FAULT_FN(do_wrmsr, "xor %ecx, %ecx", "wrmsr", "");
FAULT_FN(do_rdmsr, "mov $0xc0000080, %ecx", "rdmsr", "");
FAULT_FN(do_int, "", "int $0x42", "");
FAULT_FN(do_int_pf, "", "int $14", "");
FAULT_FN(do_clts, "", "clts", "");
FAULT_FN(do_invlpg, "", "invlpg (%rsp)", "");
FAULT_FN(do_lidt, "", "lidt -16(%rsp)", "");
FAULT_FN(do_movaps, "movaps 8(%rsp), %xmm0", "movaps (%rsp), %xmm0", "");
FAULT_FN(do_read, "mov $0x8000000000000000, %rax", "mov (%rax), %al", "");
FAULT_FN(do_write, "mov $0x800000000000, %rax", "movb $1, (%rax)", "");
FAULT_FN(do_jump, "mov $0x1234567800000000, %rax", "call *%rax", "");
FAULT_FN(do_push, "mov %rsp, %rcx; mov $0x8000000000001000, %rsp", "push %rax", "mov %rcx, %rsp");
FAULT_FN(do_stack_read, "mov %rbp, %rcx; mov $0x8000000000001000, %rbp", "mov (%rbp), %rax", "mov %rcx, %rbp");
FAULT_FN(do_bad_selector, "mov $0xfff3, %eax", "mov %eax, %es", "");
FAULT_FN(do_xsetbv, "xor %ecx, %ecx; xor %eax, %eax; xor %edx, %edx", "xsetbv", "");

static void show(int sig, siginfo_t *si, void *context)
{
	printf("rip %s, ", rightness(reg(context, REG_RIP)));
	show_fault(sig, si, context);
}

#define RUN(name) TRY(#name, name##_at, name())

int main(void)
{
	stack_t ss = { .ss_sp = altstack, .ss_size = sizeof(altstack) };

	sigaltstack(&ss, NULL);
	catch_faults(show, SA_ONSTACK);
	RUN(do_hlt);
	RUN(do_cli);
	RUN(do_in);
	RUN(do_outs);
	RUN(do_mov_cr);
	RUN(do_mov_dr);
	RUN(do_wrmsr);
	RUN(do_rdmsr);
	RUN(do_int);
	RUN(do_int_pf);
	RUN(do_clts);
	RUN(do_invlpg);
	RUN(do_lidt);
	RUN(do_read);
	RUN(do_write);
	RUN(do_jump);
	RUN(do_push);
	RUN(do_stack_read);
	RUN(do_bad_selector);
	RUN(do_xsetbv);
	RUN(do_movaps);
	return 0;
}
