/* One instruction by the trap flag, which the program must not see. Contract: debuggee_int.h. Source: SDM vol. 3, 18.3.1.4. */
#include "replay/debuggee_int.h"
#include "syscall-emu/exception.h"
#include "syscall-emu/plan.h"

#define OP_PUSHF 0x9c
#define OP_POPF 0x9d
#define OP_IRET 0xcf
#define TF_BYTE 1 /* of the flags in memory, and the bit in it */
#define TF_BIT 1u

/* The opcode behind prefixes, 0 when it cannot be read. */
static uint8_t opcode_at(const struct task *t)
{
	uint8_t code[INSN_MAX];
	size_t n = exception_code(t, code), i = 0;

	while (i < n && (code[i] == 0x66 || code[i] == 0xf2 || code[i] == 0xf3 || (code[i] & 0xf0) == 0x40 || code[i] == 0x2e ||
			 code[i] == 0x36 || code[i] == 0x3e || code[i] == 0x26 || code[i] == 0x64 || code[i] == 0x65))
		i++;
	return i < n ? code[i] : 0;
}

/* Does the program want the flag itself after this instruction? */
static bool own_flag(const struct task *t, uint8_t op)
{
	uint64_t at = t->regs->rsp + (op == OP_IRET ? 16 : 0) + TF_BYTE;
	uint8_t byte;

	if ((op == OP_POPF || op == OP_IRET) && guest_read(&byte, at, 1) == 0)
		return byte & TF_BIT;
	return t->regs->rflags & RFLAGS_TF;
}

void step_arm(struct debuggee *d, struct task *t)
{
	uint8_t op = opcode_at(t);

	d->tf = true;
	d->pushes_flags = op == OP_PUSHF && !(t->regs->rflags & RFLAGS_TF);
	d->tf_own = own_flag(t, op);
	t->regs->rflags |= RFLAGS_TF;
}

void step_stopped(struct debuggee *d, struct task *t)
{
	uint8_t byte;

	if (!d->tf)
		return;
	d->tf = false;
	if (!d->tf_own) {
		t->regs->rflags &= ~RFLAGS_TF;
		if (t->stop.stop == VCPU_SYSCALL)
			t->regs->r11 &= ~RFLAGS_TF;
	}
	if (d->pushes_flags && t->regs->rip != d->step_rip && guest_read(&byte, t->regs->rsp + TF_BYTE, 1) == 0) {
		byte &= (uint8_t)~TF_BIT;
		guest_write(t->regs->rsp + TF_BYTE, &byte, 1);
	}
}
