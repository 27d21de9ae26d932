/* Stubs of jump patches. Contract: jump.h. Source: Intel SDM vol. 2, Jcc, JMP, LEA. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guestlib/abi.h"
#include "vmm/vm_int.h"

#define OP_JMP 0xe9
#define OP_NOP 0x90
#define LEA_LEN 7u
#define MOV_LEN 10u
#define FAR_JUMP_LEN 6
#define SYSCALL_LEN 2

/* ---- sites ---- */

/*
 * What stands in front of `syscall`, by origin. Any first instruction of five bytes or more that insn.h calls plain will do,
 * whatever of that kind and of branches follows it; these are what there is:
 *
 *   mov $nr,%eax                       glibc 2.31 to 2.41 (436 of 526 sites), musl, Go's runtime, our vDSO, static binaries of all
 *   mov $nr,%eax; xor $128,%sil        glibc's futexes; others put mov disp8(%rsp),%edi, mov %r8d,%r32... behind the number
 *   cmpb $0,...(%rip); je; xor %eax,%eax    glibc's read: the number is 0
 *   mov 8(%rsp),%r9                    syscall(3) of glibc and musl
 *   mov $15,%rax                       glibc's and musl's sigreturn
 *   mov $8,%r10d                       glibc's rt_sigprocmask and its kin
 *   lea disp8(%rsp),%r64               arguments that are local variables
 *
 * Java, Node and Python call libc. Not so: `xor %eax,%eax` at the start of a function (glibc's read without cancellation), moves
 * between registers alone (Go's Syscall6, glibc 2.41's __syscall_cancel_arch).
 */
static bool usable(const struct insn *i, const uint8_t *code)
{
	/* Another `syscall`, whatever its prefixes, would show the stub's address in rcx. */
	if (i->len >= SYSCALL_LEN && code[i->len - 2] == 0x0f && code[i->len - 1] == 0x05)
		return false;
	return (i->kind == INSN_PLAIN || i->kind == INSN_BRANCH) && !i->string && !i->ends;
}

bool jump_decode(struct jump_site *s)
{
	unsigned at = 0;

	if (s->len > JUMP_X_MAX)
		return false;
	for (s->n = 0; at < s->len; s->n++) {
		if (s->n == JUMP_INSNS || insn_decode(s->code + at, s->len - at, s->addr + at, &s->insn[s->n]) < 0 ||
		    !usable(&s->insn[s->n], s->code + at))
			return false;
		s->off[s->n] = (uint8_t)at;
		at += s->insn[s->n].len;
	}
	s->off[s->n] = (uint8_t)at;
	return s->n && at == s->len && s->insn[0].kind == INSN_PLAIN && s->insn[0].len >= JUMP_LEN;
}

/* As jump_site.starts has them: from X on, the instructions and nothing else. */
static bool boundaries_agree(const struct jump_site *s, uint16_t starts)
{
	unsigned want = 0;

	for (unsigned i = 0; i < s->n; i++)
		want |= 1u << (s->len - s->off[i]);
	return (starts & ((2u << s->len) - 2)) == want;
}

bool jump_find(struct jump_site *s, uint64_t call, const uint8_t *end, size_t avail, uint16_t starts)
{
	for (unsigned len = JUMP_LEN; len <= JUMP_X_MAX && len <= avail; len++) {
		s->addr = call - len;
		s->len = (uint8_t)len;
		memcpy(s->code, end - len, len);
		if (jump_decode(s) && (starts == JUMP_ANY || boundaries_agree(s, starts)))
			return true;
	}
	return false;
}

/* ---- code ---- */

bool jump_stub_ok(uint64_t stub)
{
	return stub - JUMP_BASE < JUMP_SIZE && stub % JUMP_SLOT == 0;
}

static bool near(uint64_t from, uint64_t to)
{
	int64_t d = (int64_t)(to - from);

	return d >= INT32_MIN + 256 && d <= INT32_MAX - 256;
}

/* An instruction at `at` whose last four bytes are the distance of `to`. */
static unsigned put(uint8_t *out, const uint8_t *op, unsigned n, uint64_t at, uint64_t to)
{
	int32_t rel = (int32_t)(to - (at + n + sizeof(rel)));

	memcpy(out, op, n);
	memcpy(out + n, &rel, sizeof(rel));
	return n + (unsigned)sizeof(rel);
}

/* What an instruction refers to by its distance; 0: nothing. */
static uint64_t referred(const struct jump_site *s, unsigned i)
{
	const struct insn *in = &s->insn[i];
	int32_t disp;

	if (in->kind == INSN_BRANCH)
		return in->target;
	if (!in->disp_at)
		return 0;
	memcpy(&disp, s->code + s->off[i] + in->disp_at, sizeof(disp));
	return s->addr + s->off[i + 1] + (uint64_t)(int64_t)disp;
}

bool jump_patch(const struct jump_site *s, uint8_t *out)
{
	const uint8_t jmp = OP_JMP;
	uint64_t to = s->pad ? s->pad : s->stub;

	if (!jump_stub_ok(s->stub) || !guest_range_ok(s->addr, JUMP_X_MAX + SYSCALL_LEN) || !near(s->addr, to) ||
	    (s->pad && (!guest_range_ok(s->pad, JUMP_PAD_MAX) || s->pad % JUMP_PAD_ALIGN)))
		return false;
	for (unsigned i = 0; i < s->n; i++)
		if (referred(s, i) && !near(i ? s->stub : to, referred(s, i)))
			return false;
	put(out, &jmp, 1, s->addr, to);
	memset(out + JUMP_LEN, OP_NOP, s->insn[0].len - JUMP_LEN);
	return true;
}

/* The i-th instruction, to be executed at `at`. */
static unsigned copy(const struct jump_site *s, unsigned i, uint8_t *out, uint64_t at)
{
	const struct insn *in = &s->insn[i];
	const uint8_t jcc[2] = { 0x0f, (uint8_t)(0x80 | in->cond) };
	int32_t disp = (int32_t)(referred(s, i) - (at + in->len));

	if (in->kind == INSN_BRANCH)
		return put(out, jcc, sizeof(jcc), at, in->target);
	memcpy(out, s->code + s->off[i], in->len);
	if (in->disp_at)
		memcpy(out + in->disp_at, &disp, sizeof(disp));
	return in->len;
}

/*
 * A jump by the address behind it, which is aligned, as the program may have set AC. out is aligned, too, and n bytes of it
 * are filled: how many are then.
 */
static unsigned far_jump(uint8_t *out, unsigned n, uint64_t to)
{
	static const uint8_t jmp[2] = { 0xff, 0x25 };
	unsigned at = (n + FAR_JUMP_LEN + 7) & ~7u;

	n += put(out + n, jmp, sizeof(jmp), n, at);
	memset(out + n, OP_NOP, at - n);
	memcpy(out + at, &to, sizeof(to));
	return at + (unsigned)sizeof(to);
}

unsigned jump_pad(const struct jump_site *s, uint8_t out[JUMP_PAD_MAX])
{
	unsigned n = copy(s, 0, out, s->pad);

	return far_jump(out, n, s->stub);
}

unsigned jump_stub(const struct jump_site *s, bool direct, uint8_t out[JUMP_SLOT], uint8_t at[JUMP_INSNS + 1])
{
	static const uint8_t jmp = OP_JMP, lea_rcx[3] = { 0x48, 0x8d, 0x0d }, mov_rcx[2] = { 0x48, 0xb9 };
	const uint64_t behind = s->addr + s->len + SYSCALL_LEN;
	unsigned n = 0, count = direct ? 1 : s->n;

	at[0] = JUMP_SLOT;
	for (unsigned i = !!s->pad; i < count; i++) {
		at[i] = (uint8_t)n;
		n += copy(s, i, out + n, s->stub + n);
	}
	at[count] = (uint8_t)n;
	if (direct && s->pad)
		return far_jump(out, n, s->addr + s->off[1]);
	if (direct)
		return n + put(out + n, &jmp, 1, s->stub + n, s->addr + s->off[1]);
	if (s->pad) {
		memcpy(out + n, mov_rcx, sizeof(mov_rcx));
		memcpy(out + n + sizeof(mov_rcx), &behind, sizeof(behind));
		n += MOV_LEN;
	} else {
		n += put(out + n, lea_rcx, sizeof(lea_rcx), s->stub + n, behind);
	}
	return n + put(out + n, &jmp, 1, s->stub + n, SWITCHLESS_BASE + ABI_SW_CODE + ABI_SW_JUMP);
}

enum jump_at jump_explain(const struct jump_site *s, bool direct, struct guest_regs *r)
{
	unsigned count = direct ? 1 : s->n;
	uint8_t code[JUMP_SLOT], at[JUMP_INSNS + 1];
	uint64_t off = r->rip - s->stub, in_pad = r->rip - s->pad;

	if (s->pad && (in_pad == 0 || in_pad == s->off[1])) {
		r->rip = s->addr + in_pad;
		return in_pad ? JUMP_AFTER : JUMP_BEFORE;
	}
	jump_stub(s, direct, code, at);
	for (unsigned i = 0; i <= count; i++) {
		if (off != at[i])
			continue;
		r->rip = s->addr + s->off[i];
		return i ? JUMP_AFTER : JUMP_BEFORE;
	}
	if (direct || off != at[count] + (s->pad ? MOV_LEN : LEA_LEN))
		return JUMP_NOWHERE;
	r->rip = r->rcx;
	r->r11 = r->rflags;
	return JUMP_CALLED;
}

/* ---- of a VM ---- */

static struct jump_site *slot(const struct vm *vm, uint64_t stub)
{
	return &vm->jumps.site[(stub - JUMP_BASE) / JUMP_SLOT];
}

static uint8_t *page_of(const struct vm *vm, uint64_t stub)
{
	return vm->jumps.page[(stub - JUMP_BASE) / PAGE_SIZE_4K];
}

uint64_t jump_free(const struct vm *vm)
{
	for (uint64_t stub = JUMP_BASE; stub < JUMP_BASE + JUMP_SIZE; stub += JUMP_SLOT)
		if (!vm->jumps.site || !slot(vm, stub)->addr)
			return stub;
	return 0;
}

static int have_page(struct vm *vm, uint64_t stub)
{
	uint64_t at = stub & ~(PAGE_SIZE_4K - 1), gpa;
	uint8_t *page;
	int rc;

	if (!vm->jumps.site)
		vm->jumps.site = calloc(JUMP_SLOTS, sizeof(*vm->jumps.site));
	if (!vm->jumps.site)
		return -ENOMEM;
	if (page_of(vm, stub))
		return 0;
	page = vm_own_page(vm, &gpa);
	rc = page ? pt_lend_own(vm, at, gpa, false) : -ENOMEM;
	if (rc == 0)
		vm->jumps.page[(stub - JUMP_BASE) / PAGE_SIZE_4K] = page;
	return rc;
}

static void show(struct vm *vm, const struct jump_site *s)
{
	uint8_t code[JUMP_SLOT] = { 0 }, at[JUMP_INSNS + 1];

	jump_stub(s, !vm->jumps.entering, code, at);
	memcpy(page_of(vm, s->stub) + s->stub % PAGE_SIZE_4K, code, sizeof(code));
}

int jump_place(struct vm *vm, const struct jump_site *s)
{
	int rc = have_page(vm, s->stub);

	if (rc < 0)
		return rc;
	jump_remove(vm, s->stub);
	*slot(vm, s->stub) = *s;
	vm->jumps.pads += !!s->pad;
	if (s->stub >= vm->jumps.end)
		vm->jumps.end = s->stub + JUMP_SLOT;
	show(vm, s);
	return 0;
}

void jump_remove(struct vm *vm, uint64_t stub)
{
	if (!vm->jumps.site || !jump_stub_ok(stub))
		return;
	vm->jumps.pads -= slot(vm, stub)->addr && slot(vm, stub)->pad ? 1 : 0;
	slot(vm, stub)->addr = 0;
}

void jump_direct(struct vm *vm, bool direct)
{
	if (vm->jumps.entering == !direct)
		return;
	vm->jumps.entering = !direct;
	for (uint64_t stub = JUMP_BASE; stub < vm->jumps.end; stub += JUMP_SLOT)
		if (slot(vm, stub)->addr)
			show(vm, slot(vm, stub));
}

static const struct jump_site *site_of_pad(const struct vm *vm, uint64_t rip)
{
	for (uint64_t stub = JUMP_BASE; vm->jumps.pads && stub < vm->jumps.end; stub += JUMP_SLOT) {
		const struct jump_site *s = slot(vm, stub);

		if (s->addr && s->pad && rip - s->pad < JUMP_PAD_MAX && rip - s->pad <= s->off[1])
			return s;
	}
	return NULL;
}

enum jump_at jump_stop(const struct vm *vm, struct guest_regs *r)
{
	uint64_t stub = r->rip & ~(uint64_t)(JUMP_SLOT - 1);
	const struct jump_site *s = stub < JUMP_BASE ? site_of_pad(vm, r->rip) : stub < vm->jumps.end ? slot(vm, stub) : NULL;

	return s && s->addr ? jump_explain(s, !vm->jumps.entering, r) : JUMP_NOWHERE;
}
