/*
 * The parts of signal_exception() (signal.h) that are ideas of their own: the vsyscall page, trapped time stamps, and
 * finding the address of an access that KVM refuses without naming it.
 */
#ifndef SANDREC_EXCEPTION_H
#define SANDREC_EXCEPTION_H

#include "syscall-emu/session.h"

/* #PF error code bits. */
#define PF_PRESENT 1u
#define PF_WRITE 2u
#define PF_USER 4u
#define PF_INSTR 16u

#define INSN_MAX 15

/* The program's own bytes at rip, as far as they can be read, at most INSN_MAX. */
size_t exception_code(const struct task *t, uint8_t code[INSN_MAX]);

/* Length of the rdtsc or rdtscp that starts at code, prefixes included; 0 when it is something else. */
size_t tsc_insn(const uint8_t *code, size_t len, bool *rdtscp);

/* Is a fault at addr an attempt to execute the vsyscall page? */
bool is_vsyscall(uint64_t addr, uint32_t error);
/* Does the call and returns to its caller: 1; 0 when Linux would force SIGSEGV; negative errno of the session. */
int vsyscall_emulate(struct task *t);

/*
 * After VCPU_EFAULT: which access of the instruction at rip hits a page that the host cannot provide. 1 and the
 * address and #PF error code, 0 when every operand looks usable.
 */
typedef bool access_fn(void *arg, uint64_t addr, uint64_t len, bool write); /* true: enough */
/*
 * The memory that the instruction at rip will access, one call each; of a repeated one, the next element's first byte.
 * 1: fn has had enough; 0; -EILSEQ: no instruction there; -ENOMEM.
 */
int insn_accesses(const struct task *t, access_fn *fn, void *arg);
int efault_find(const struct task *t, uint64_t *addr, uint32_t *error);

#endif
