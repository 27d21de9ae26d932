/* Stubs of jump patches. Contract: jump.h. Source: Intel SDM vol. 2, MOV, LEA, JMP. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guestlib/abi.h"
#include "vmm/vm_int.h"

#define OP_JMP 0xe9
#define OP_NOP 0x90
#define LEA_LEN 7u
#define SYSCALL_LEN 2

/* ---- shapes ---- */

/*
 * What compilers and libraries have in front of `syscall`. None of them reads rip, touches flags or depends on where it stands. Seen
 * in: glibc 2.31 to 2.41 (436 of 526 sites are the first one), musl 1.2, Go's runtime (the first), static binaries of all
 * three, our own vDSO. Java, Node and Python call libc.
 */
static const struct {
	const char *name;
	uint8_t len, n;         /* of the instruction; bytes that tell it */
	uint8_t mask[4], code[4];
} shapes[] = {
	/* glibc INLINE_SYSCALL, musl __syscall, Go runtime·write1 and its like */
	{ "mov $imm32,%r32", 5, 1, { 0xf8 }, { 0xb8 } },
	/* the same, with a size argument in r8 to r10 set last: glibc's rt_sig* */
	{ "mov $imm32,%r32 (r8-r15)", 6, 2, { 0xff, 0xf8 }, { 0x41, 0xb8 } },
	/* hand-written code with a 64-bit number: glibc's rt_sigreturn */
	{ "mov $imm32,%r64", 7, 3, { 0xfe, 0xff, 0xf8 }, { 0x48, 0xc7, 0xc0 } },
	/* syscall(3) of glibc and musl: the last argument from the stack */
	{ "mov disp8(%rsp),%r64", 5, 4, { 0xfb, 0xff, 0xc7, 0xff }, { 0x48, 0x8b, 0x44, 0x24 } },
	{ "mov disp8(%rsp),%r32 (r8-r15)", 5, 4, { 0xff, 0xff, 0xc7, 0xff }, { 0x44, 0x8b, 0x44, 0x24 } },
	/* an argument that is a local variable */
	{ "lea disp8(%rsp),%r64", 5, 4, { 0xfb, 0xff, 0xc7, 0xff }, { 0x48, 0x8d, 0x44, 0x24 } },
	{ "lea disp32(%rsp),%r64", 8, 4, { 0xfb, 0xff, 0xc7, 0xff }, { 0x48, 0x8d, 0x84, 0x24 } },
	/* a member of a structure: pointers in rax to rdi without rsp, so there is no SIB byte */
	{ "lea disp32(%rbx),%r64", 7, 3, { 0xfb, 0xff, 0xc7 }, { 0x48, 0x8d, 0x83 } },
	{ "mov disp32(%rsp),%r64", 8, 4, { 0xfb, 0xff, 0xc7, 0xff }, { 0x48, 0x8b, 0x84, 0x24 } },
};

static bool is_shape(size_t i, const uint8_t *b)
{
	for (unsigned k = 0; k < shapes[i].n; k++)
		if ((b[k] & shapes[i].mask[k]) != shapes[i].code[k])
			return false;
	return true;
}

unsigned jump_shape(const uint8_t *end, size_t avail, uint16_t starts, const char **name)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		unsigned len = shapes[i].len;

		/* It starts there, and nothing starts inside it. */
		if (len > avail || (starts & ((2u << len) - 2)) != 1u << len || !is_shape(i, end - len))
			continue;
		if (name)
			*name = shapes[i].name;
		return len;
	}
	return 0;
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

bool jump_patch(const struct jump_site *s, uint8_t *out)
{
	const uint8_t jmp = OP_JMP;

	if (!jump_stub_ok(s->stub) || !guest_range_ok(s->addr, JUMP_X_MAX + SYSCALL_LEN) || s->len < JUMP_LEN ||
	    s->len > JUMP_X_MAX || !near(s->addr, s->stub))
		return false;
	put(out, &jmp, 1, s->addr, s->stub);
	memset(out + JUMP_LEN, OP_NOP, s->len - JUMP_LEN);
	return true;
}

unsigned jump_stub(const struct jump_site *s, bool direct, uint8_t out[JUMP_SLOT])
{
	static const uint8_t jmp = OP_JMP, lea_rcx[3] = { 0x48, 0x8d, 0x0d };
	uint64_t call = s->addr + s->len;
	unsigned n = s->len;

	memcpy(out, s->code, n);
	if (direct)
		return n + put(out + n, &jmp, 1, s->stub + n, call);
	n += put(out + n, lea_rcx, sizeof(lea_rcx), s->stub + n, call + SYSCALL_LEN);
	return n + put(out + n, &jmp, 1, s->stub + n, SWITCHLESS_BASE + ABI_SW_CODE + ABI_SW_JUMP);
}

enum jump_at jump_explain(const struct jump_site *s, struct guest_regs *r)
{
	uint64_t off = r->rip - s->stub;

	if (off == 0) {
		r->rip = s->addr;
		return JUMP_BEFORE;
	}
	if (off == s->len) {
		r->rip = s->addr + s->len;
		return JUMP_AFTER;
	}
	if (off != s->len + LEA_LEN)
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
	uint8_t code[JUMP_SLOT] = { 0 };

	jump_stub(s, !vm->jumps.entering, code);
	memcpy(page_of(vm, s->stub) + s->stub % PAGE_SIZE_4K, code, sizeof(code));
}

int jump_place(struct vm *vm, const struct jump_site *s)
{
	int rc = have_page(vm, s->stub);

	if (rc < 0)
		return rc;
	*slot(vm, s->stub) = *s;
	if (s->stub >= vm->jumps.end)
		vm->jumps.end = s->stub + JUMP_SLOT;
	show(vm, s);
	return 0;
}

void jump_remove(struct vm *vm, uint64_t stub)
{
	if (vm->jumps.site && jump_stub_ok(stub))
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

enum jump_at jump_stop(const struct vm *vm, struct guest_regs *r)
{
	uint64_t stub = r->rip & ~(uint64_t)(JUMP_SLOT - 1);

	if (stub < JUMP_BASE || stub >= vm->jumps.end || !slot(vm, stub)->addr)
		return JUMP_NOWHERE;
	return jump_explain(slot(vm, stub), r);
}
