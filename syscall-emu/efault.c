/*
 * KVM ends a run with EFAULT when the guest may use a page that the host cannot provide, for instance behind the end of
 * a mapped file, and does not say which. The instruction at rip does. Contract: exception.h.
 */
#include <capstone/capstone.h>
#include <errno.h>
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
static bool visit_implicit(const struct task *t, const cs_insn *insn, access_fn *fn, void *arg)
{
	const struct guest_regs *r = t->regs;
	const cs_detail *d = insn->detail;
	unsigned word = insn->detail->x86.prefix[2] == X86_PREFIX_OPSIZE ? 2 : 8;

	if (pushes(insn->id))
		return fn(arg, r->rsp - word, word, true);
	if (implicit(d, X86_REG_RDI) && fn(arg, r->rdi, 1, true))
		return true;
	if (insn->id == X86_INS_LEAVE)
		return fn(arg, r->rbp, 8, false);
	if (insn->id == X86_INS_XLATB)
		return fn(arg, r->rbx + (uint8_t)r->rax, 1, false);
	if (implicit(d, X86_REG_RSI) && fn(arg, r->rsi, 1, false))
		return true;
	return implicit(d, X86_REG_RSP) && fn(arg, r->rsp, word, false);
}

static bool visit(const struct task *t, const cs_insn *insn, access_fn *fn, void *arg)
{
	const cs_x86 *x = &insn->detail->x86;

	for (unsigned i = 0; i < x->op_count; i++) {
		const cs_x86_op *op = &x->operands[i];

		if (op->type != X86_OP_MEM || insn->id == X86_INS_LEA)
			continue;
		if (fn(arg, effective(t->regs, insn, &op->mem), op->size ? op->size : BIG_OPERAND, op->access & CS_AC_WRITE))
			return true;
	}
	return visit_implicit(t, insn, fn, arg);
}

int insn_accesses(const struct task *t, access_fn *fn, void *arg)
{
	uint8_t code[INSN_MAX];
	size_t len = exception_code(t, code);
	cs_insn *insn = NULL;
	csh cs;
	int rc;

	if (!len || cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
		return -ENOMEM;
	cs_option(cs, CS_OPT_DETAIL, CS_OPT_ON);
	rc = cs_disasm(cs, code, len, t->regs->rip, 1, &insn) ? visit(t, insn, fn, arg) : -EILSEQ;
	if (insn)
		cs_free(insn, 1);
	cs_close(&cs);
	return rc;
}

/* ---- the one that cannot be had ---- */

struct search {
	const struct task *t;
	uint64_t *addr;
	uint32_t *error;
};

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

static bool try_access(void *arg, uint64_t addr, uint64_t len, bool write)
{
	struct search *s = arg;

	*s->error = PF_USER | (write ? PF_WRITE : 0);
	return unusable(s->t, addr, len, s->addr);
}

int efault_find(const struct task *t, uint64_t *addr, uint32_t *error)
{
	struct search s = { t, addr, error };
	uint8_t code[INSN_MAX];
	size_t len = exception_code(t, code);
	int rc;

	*addr = t->regs->rip;
	*error = PF_USER | PF_INSTR;
	if (!len)
		return 1;
	rc = insn_accesses(t, try_access, &s);
	if (rc != -EILSEQ || len == INSN_MAX)
		return rc > 0;
	/* Its rest is on the next page. */
	*error = PF_USER | PF_INSTR;
	*addr = t->regs->rip + len;
	return 1;
}
