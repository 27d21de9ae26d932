/*
 * KVM ends a run with EFAULT when the guest may use a page that the host cannot provide, for instance behind the end of
 * a mapped file, and does not say which. The instruction at rip does. Contract: exception.h.
 */
#include <capstone/capstone.h>
#include <string.h>

#include "syscall-emu/exception.h"
#include "syscall-emu/mm.h"
#include "vmm/layout.h"

#define BIG_OPERAND 4096 /* xsave and the like: capstone gives no size */

/* capstone's numbers for the registers an address is made of, in the order of enum guest_reg. */
static const uint16_t reg64[] = { X86_REG_RAX, X86_REG_RBX, X86_REG_RCX, X86_REG_RDX, X86_REG_RSI, X86_REG_RDI,
				  X86_REG_RBP, X86_REG_RSP, X86_REG_R8, X86_REG_R9, X86_REG_R10, X86_REG_R11,
				  X86_REG_R12, X86_REG_R13, X86_REG_R14, X86_REG_R15 };
static const uint16_t reg32[] = { X86_REG_EAX, X86_REG_EBX, X86_REG_ECX, X86_REG_EDX, X86_REG_ESI, X86_REG_EDI,
				  X86_REG_EBP, X86_REG_ESP, X86_REG_R8D, X86_REG_R9D, X86_REG_R10D, X86_REG_R11D,
				  X86_REG_R12D, X86_REG_R13D, X86_REG_R14D, X86_REG_R15D };

/* The page of the first byte in the range that cannot be read, as the CPU reports it. */
static bool unusable(const struct task *t, uint64_t addr, uint64_t len, uint64_t *where)
{
	uint64_t end = addr + len;
	uint8_t byte;

	while (addr < end && guest_range_ok(addr, 1)) {
		if (mm_find(t->proc->mm, addr) && guest_read(&byte, addr, 1) < 0) {
			*where = addr;
			return true;
		}
		addr = (addr | (PAGE_SIZE_4K - 1)) + 1;
	}
	return false;
}

static uint64_t reg_value(const struct guest_regs *r, unsigned reg, uint64_t next_rip, bool *narrow)
{
	*narrow = false;
	if (reg == X86_REG_RIP)
		return next_rip;
	for (unsigned i = 0; i < 16; i++) {
		if (reg == reg64[i])
			return r->r[i];
		if (reg == reg32[i]) {
			*narrow = true;
			return (uint32_t)r->r[i];
		}
	}
	return 0;
}

static uint64_t effective(const struct guest_regs *r, const cs_insn *insn, const x86_op_mem *m)
{
	uint64_t next = insn->address + insn->size, addr;
	bool narrow_base, narrow_index;

	addr = reg_value(r, m->base, next, &narrow_base);
	addr += reg_value(r, m->index, next, &narrow_index) * (uint64_t)m->scale + (uint64_t)m->disp;
	if (narrow_base || narrow_index)
		addr = (uint32_t)addr;
	if (m->segment == X86_REG_FS)
		addr += r->fs_base;
	if (m->segment == X86_REG_GS)
		addr += r->gs_base;
	return addr;
}

static bool implicit(const cs_detail *d, unsigned reg)
{
	for (unsigned i = 0; i < d->regs_read_count; i++)
		if (d->regs_read[i] == reg)
			return true;
	return false;
}

/* Instructions that store below rsp; all others that use it implicitly load from it. */
static bool pushes(unsigned id)
{
	switch (id) {
	case X86_INS_PUSH:
	case X86_INS_PUSHF:
	case X86_INS_PUSHFQ:
	case X86_INS_CALL:
	case X86_INS_LCALL:
	case X86_INS_ENTER:
		return true;
	}
	return false;
}

/* Memory that no operand names: the stack, and the string registers. */
static bool find_implicit(const struct task *t, const cs_insn *insn, uint64_t *addr, uint32_t *error)
{
	const struct guest_regs *r = t->regs;
	const cs_detail *d = insn->detail;
	unsigned word = insn->detail->x86.prefix[2] == X86_PREFIX_OPSIZE ? 2 : 8;

	*error = PF_USER | PF_WRITE;
	if (pushes(insn->id))
		return unusable(t, r->rsp - word, word, addr);
	if (implicit(d, X86_REG_RDI) && unusable(t, r->rdi, 1, addr))
		return true;
	*error = PF_USER;
	if (insn->id == X86_INS_LEAVE)
		return unusable(t, r->rbp, 8, addr);
	if (insn->id == X86_INS_XLATB)
		return unusable(t, r->rbx + (uint8_t)r->rax, 1, addr);
	if (implicit(d, X86_REG_RSI) && unusable(t, r->rsi, 1, addr))
		return true;
	return implicit(d, X86_REG_RSP) && unusable(t, r->rsp, word, addr);
}

static bool find_operand(const struct task *t, const cs_insn *insn, uint64_t *addr, uint32_t *error)
{
	const cs_x86 *x = &insn->detail->x86;

	for (unsigned i = 0; i < x->op_count; i++) {
		const cs_x86_op *op = &x->operands[i];

		if (op->type != X86_OP_MEM || insn->id == X86_INS_LEA)
			continue;
		*error = PF_USER | (op->access & CS_AC_WRITE ? PF_WRITE : 0);
		if (unusable(t, effective(t->regs, insn, &op->mem), op->size ? op->size : BIG_OPERAND, addr))
			return true;
	}
	return find_implicit(t, insn, addr, error);
}

int efault_find(const struct task *t, uint64_t *addr, uint32_t *error)
{
	uint8_t code[INSN_MAX];
	size_t len = exception_code(t, code);
	cs_insn *insn = NULL;
	csh cs;
	int found = 0;

	*addr = t->regs->rip;
	*error = PF_USER | PF_INSTR;
	if (!len)
		return 1;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
		return 0;
	cs_option(cs, CS_OPT_DETAIL, CS_OPT_ON);
	if (cs_disasm(cs, code, len, t->regs->rip, 1, &insn)) {
		found = find_operand(t, insn, addr, error);
		cs_free(insn, 1);
	} else if (len < INSN_MAX) {
		/* Its rest is on the next page. */
		*addr = t->regs->rip + len;
		found = 1;
	}
	cs_close(&cs);
	return found;
}
