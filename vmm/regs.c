/* Names of the guest's registers, in the order of enum guest_reg. */
#include "vmm/regs.h"

const char *const guest_reg_name[GUEST_NREGS] = {
	"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp",
	"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	"rip", "rflags", "fs_base", "gs_base",
};
