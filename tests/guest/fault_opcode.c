/* Invalid opcodes, breakpoints, overflow and division: vector, code and whether rip is before or behind. */
#include "sigtest.h"

FAULT_FN(do_ud2, "", "ud2", "");
FAULT_FN(do_ud1, "", "ud1 %eax, %eax", "");
FAULT_FN(do_pushes, "", ".byte 0x06", "");
FAULT_FN(do_lock_nop, "", ".byte 0xf0, 0x90", "");
FAULT_FN(do_int3, "", "int3", "");
FAULT_FN(do_int_3, "", "int $3", "");
FAULT_FN(do_int_4, "", "int $4", "");
FAULT_FN(do_div0, "xor %ecx, %ecx; xor %edx, %edx; mov $1, %eax", "div %ecx", "");
FAULT_FN(do_idiv, "mov $-1, %ecx; mov $0x80000000, %eax; cltd", "idiv %ecx", "");
FAULT_FN(do_div_big, "mov $1, %ecx; mov $1, %edx; xor %eax, %eax", "div %ecx", "");

static void show(int sig, siginfo_t *si, void *context)
{
	printf("rip +%d, flags %#lx, ", (int)(reg(context, REG_RIP) - want_addr), reg(context, REG_EFL) & 0x10100);
	show_fault(sig, si, context);
}

#define RUN(name) TRY(#name, name##_at, name())

int main(void)
{
	catch_faults(show, 0);
	RUN(do_ud2);
	RUN(do_ud1);
	RUN(do_pushes);
	RUN(do_lock_nop);
	RUN(do_int3);
	RUN(do_int_3);
	RUN(do_int_4);
	RUN(do_div0);
	RUN(do_idiv);
	RUN(do_div_big);
	return 0;
}
