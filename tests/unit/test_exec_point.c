/*
 * Execution points: their bytes, and trampolines run in a real VM - each displaced form of instruction must do what it
 * does in place, wherever the condition holds or not.
 */
#include <errno.h>

#include "tests/unit/vmm_guest.h"
#include "vmm/exec_point.h"

/* ---- bytes ---- */

static struct exec_point sample(void)
{
	struct exec_point p = { .kind = POINT_LANDMARK, .nwords = 2, .nranges = 2, .changed = 0x30069, .xsave = 77 };

	p.word[0] = (struct tramp_word){ 5, 1 };
	p.word[1] = (struct tramp_word){ 0x560000004000, 2 };
	p.range[0] = (struct point_range){ 0x7ffffff000, 0x1000, 3 };
	p.range[1] = (struct point_range){ GUEST_MIN, 1, 4 };
	return p;
}

START_TEST(test_bytes)
{
	struct exec_point p = sample(), q;
	unsigned char buf[POINT_ENCODED_MAX];
	size_t n = exec_point_encode(&p, buf);

	ck_assert_uint_eq(n, 24 + 2 * 16 + 2 * 24);
	ck_assert_int_eq(exec_point_decode(buf, n, &q), 0);
	ck_assert_mem_eq(&p, &q, sizeof(p));
	for (size_t len = 0; len < n; len++)
		ck_assert_int_eq(exec_point_decode(buf, len, &q), -EBADMSG);

	p.kind = POINT_BRANCHES;
	p.branches = 0x123456789abcULL;
	ck_assert_uint_eq(exec_point_encode(&p, buf), n + 8);
	ck_assert_int_eq(exec_point_decode(buf, n + 8, &q), 0);
	ck_assert_mem_eq(&p, &q, sizeof(p));
	for (size_t len = 0; len < n + 8; len++)
		ck_assert_int_eq(exec_point_decode(buf, len, &q), -EBADMSG);
	buf[0] = POINT_BRANCHES + 1;
	ck_assert_int_eq(exec_point_decode(buf, n, &q), -EBADMSG);
}
END_TEST

static void refused(const struct exec_point *p)
{
	unsigned char buf[POINT_ENCODED_MAX];
	struct exec_point q;

	ck_assert_int_eq(exec_point_decode(buf, exec_point_encode(p, buf), &q), -EBADMSG);
}

START_TEST(test_hostile_bytes)
{
	static const uint64_t bad[] = { 32, GUEST_MIN - 1, GUEST_TOP - 7, GUEST_TOP, ~0ULL };
	unsigned char buf[POINT_ENCODED_MAX];
	struct exec_point p, q;

	for (unsigned i = 0; i < 5; i++) {
		p = sample();
		p.word[1].addr = bad[i];
		refused(&p);
	}
	p = sample();
	p.range[0].start = GUEST_MIN - 1;
	refused(&p);
	p = sample();
	p.range[0].len = ~0ULL;
	refused(&p);
	p = sample();
	p.changed = 1u << GUEST_NREGS;
	refused(&p);
	p = sample();
	p.kind = POINT_BRANCHES + 1;
	refused(&p);
	/* Counts beyond the arrays, with all the bytes they promise. */
	memset(buf, 0, sizeof(buf));
	buf[0] = POINT_LANDMARK;
	buf[2] = TRAMP_WORDS + 1;
	ck_assert_int_eq(exec_point_decode(buf, 24 + (TRAMP_WORDS + 1) * 16, &q), -EBADMSG);
	buf[2] = 0;
	buf[4] = POINT_RANGES + 1;
	ck_assert_int_eq(exec_point_decode(buf, sizeof(buf), &q), -EBADMSG);
}
END_TEST

/* ---- trampolines ---- */

static struct vm_overlay overlay;
static struct tramp tr;

static const struct tramp_saved *saved(void)
{
	return (const void *)(overlay.host + TRAMP_CODE_PAGES * PAGE_SIZE_4K);
}

static void machine(void)
{
	guest_setup();
	ck_assert_int_eq(vm_overlay_create(g.vm, TRAMP_PAGES, &overlay), 0);
}

/* Puts a trampoline on the code at addr; false when no place for it fits. */
static bool arm(uint64_t addr, const struct tramp_cond *c)
{
	uint8_t code[TRAMP_CODE_MAX];
	uint64_t base;

	ck_assert_int_eq(tramp_survey(&tr, addr, (const uint8_t *)addr, TRAMP_SITE_MAX), 0);
	for (unsigned i = 0; tramp_candidate(&tr, i, &base); i++) {
		uint64_t start = base & ~(PAGE_SIZE_4K - 1);

		if (start + TRAMP_PAGES * PAGE_SIZE_4K > CODE && start < STACK_TOP)
			continue;
		if (tramp_generate(&tr, base, c, code) < 0 || vm_overlay_place(g.vm, &overlay, start) < 0)
			continue;
		ck_assert_uint_le(tr.size, sizeof(code));
		memcpy(overlay.host + (base - start), code, tr.size);
		memcpy((void *)addr, tr.patch, tr.patch_len);
		return true;
	}
	return false;
}

static void disarm(void)
{
	memcpy((void *)tr.addr, tr.code, tr.patch_len);
	vm_overlay_remove(g.vm, &overlay);
}

/*
 * One stop, seen as the program's own. True when it is the trampoline's hit; traps inside the site are followed. pass: go
 * on in the displaced copy, as after a hit; else the site itself is executed.
 */
static bool run_site(bool pass)
{
	for (;; pass = true) {
		if (pass)
			g.r->rip = tramp_resume(&tr, g.r->rip);
		guest_run();
		if (g.exit.stop == VCPU_EXCEPTION)
			g.r->rflags &= ~0x10000ULL; /* RF of a fault */
		if (g.exit.stop == VCPU_EXCEPTION && g.exit.vector == 6 && g.r->rip == tr.base + tr.hit) {
			ck_assert(tramp_translate(&tr, saved(), g.r));
			return true;
		}
		if (g.exit.stop == VCPU_EXCEPTION && tramp_inner(&tr, g.r->rip) && (g.exit.vector == 6 || g.exit.vector == 13))
			continue;
		if (g.r->rip - overlay.at < TRAMP_PAGES * PAGE_SIZE_4K)
			ck_assert(tramp_translate(&tr, saved(), g.r));
		return false;
	}
}

static bool armed_run(void)
{
	return run_site(true);
}

static void start(const struct guest_regs *r)
{
	*g.r = *r;
	g.r->rip = CODE;
}

/* Each piece ends in a system call; nops before it, so that the site covers something of its own. */
#define PIECE(name, text) GUEST_CODE(name, text "\n 9: nop\n nop\n nop\n nop\n nop\n syscall")
PIECE(plain_short, "inc %rax\n inc %rbx");
PIECE(plain_long, "movabs $0x1122334455667788, %r10");
PIECE(rip_load, "mov 1f(%rip), %rax\n jmp 9f\n 1: .quad 0x123456789abcdef");
PIECE(rip_compare, "cmpl $5, 1f(%rip)\n sete %al\n jmp 9f\n 1: .long 5");
PIECE(rip_vector, "movdqu 1f(%rip), %xmm3\n movq %xmm3, %rbx\n jmp 9f\n 1: .quad 7, 8");
PIECE(jump_short, "jmp 9f\n ud2\n ud2");
PIECE(jump_back, "jmp 2f\n 1: inc %rdx\n jmp 9f\n 2: dec %rcx\n jmp 1b");
PIECE(branch_taken, "test %eax, %eax\n js 1f\n jns 9f\n ud2\n 1: ud2");
PIECE(branch_not, "cmp %rax, %rax\n jne 1f\n inc %rsi\n jmp 9f\n 1: ud2");
PIECE(loop_taken, "loop 1f\n ud2\n 1: inc %rax");
PIECE(loop_many, "1: inc %rax\n loop 1b\n inc %rbx");
PIECE(jrcxz_not, "jrcxz 1f\n inc %rax\n jmp 9f\n 1: ud2");
PIECE(call_near, "call 1f\n jmp 9f\n 1: mov (%rsp), %r9\n inc %rax\n ret");
PIECE(call_register, "lea 1f(%rip), %r8\n call *%r8\n jmp 9f\n 1: mov (%rsp), %r9\n inc %rax\n ret");
PIECE(call_memory, "call *2f(%rip)\n jmp 9f\n 1: mov (%rsp), %r9\n ret\n .balign 8\n 2: .quad 0xc0dec0dec0de0008");
PIECE(jump_memory, "jmp *2f(%rip)\n 1: ud2\n 2: .quad 0xc0dec0dec0de0010\n inc %rax");
PIECE(return_short, "push 1f(%rip)\n ret\n 1: .quad 0xc0dec0dec0de000f\n inc %rdx");
PIECE(stack_forms, "push %rbx\n pop %rsi\n push $-3\n pop %rdi");
PIECE(flags_kept, "stc\n sbb %eax, %eax\n adc $0, %ecx\n pushfq\n pop %rdx");
PIECE(red_zone_kept, "mov %rax, -8(%rsp)\n mov %rbx, -16(%rsp)\n mov -8(%rsp), %rcx\n mov -16(%rsp), %rdx");
PIECE(repeated, "mov %rsp, %rdi\n sub $64, %rdi\n mov $8, %ecx\n rep stosb\n mov %rdi, %rbx");
PIECE(call_inside, "xor %eax, %eax\n syscall");
PIECE(fpu_inside, "jmp 9f\n fldpi\n fstp %st(0)");

#define P(name) { #name, name, name##_end }
static const struct { const char *name; const uint8_t *code, *end; } pieces[] = {
	P(plain_short), P(plain_long), P(rip_load), P(rip_compare), P(rip_vector), P(jump_short), P(jump_back),
	P(branch_taken), P(branch_not), P(loop_taken), P(loop_many), P(jrcxz_not), P(call_near), P(call_register),
	P(call_memory), P(jump_memory), P(return_short), P(stack_forms), P(flags_kept), P(red_zone_kept), P(repeated),
	P(call_inside), P(fpu_inside),
};
#define NPIECES (sizeof(pieces) / sizeof(pieces[0]))

static struct guest_regs initial(void)
{
	struct guest_regs r;

	for (unsigned i = 0; i < GUEST_NREGS; i++)
		r.r[i] = 0x1000 + i * 0x0102030405060708ULL % 0x7fffffff;
	r.rcx = 5;
	r.rsp = STACK_TOP - 256;
	r.rip = CODE;
	r.rflags = 0x202 | 0x1 | 0x80;
	r.fs_base = r.gs_base = 0;
	return r;
}

static void same_state(const char *name, const char *how, const struct guest_regs *want, const uint8_t *stack)
{
	for (unsigned i = 0; i < GUEST_NREGS; i++)
		ck_assert_msg(g.r->r[i] == want->r[i], "%s, %s: %s is %#lx, expected %#lx", name, how, guest_reg_name[i],
			      g.r->r[i], want->r[i]);
	ck_assert_msg(!memcmp(stack, (void *)(STACK_TOP - 512), 512), "%s, %s: the stack differs", name, how);
}

/* Addresses of its own that a piece holds: this and the offset. */
#define OWN_ADDRESS 0xc0dec0dec0de0000ULL

static void load_piece(const uint8_t *code, size_t len)
{
	uint64_t v;

	guest_load(code, len);
	for (size_t k = 0; k + sizeof(v) <= len; k++) {
		memcpy(&v, code + k, sizeof(v));
		v -= OWN_ADDRESS;
		v += CODE;
		if (v - CODE < PAGE_SIZE_4K)
			memcpy((void *)(CODE + k), &v, sizeof(v));
	}
}

START_TEST(test_displaced)
{
	const struct guest_regs r = initial();
	struct tramp_cond c = { .regs = r };
	uint8_t stack[512];
	struct guest_regs want;

	load_piece(pieces[_i].code, (size_t)(pieces[_i].end - pieces[_i].code));
	memset((void *)(STACK_TOP - 512), 0x5a, 512);
	start(&r);
	ck_assert_msg(guest_run() == VCPU_SYSCALL, "%s: vector %d error %#x cr2 %#lx at %#lx", pieces[_i].name, g.exit.vector,
		      g.exit.error, g.exit.cr2, g.r->rip);
	want = *g.r;
	memcpy(stack, (void *)(STACK_TOP - 512), 512);
	for (unsigned how = 0; how < 4; how++) {
		static const char *const names[] = { "always", "equal", "one differs", "a word differs" };

		c.always = how == 0;
		c.regs = r;
		c.regs.r8 += how == 2;
		c.nwords = how == 3;
		c.word[0] = (struct tramp_word){ DATA, 1 };
		memset((void *)(STACK_TOP - 512), 0x5a, 512);
		ck_assert_msg(arm(CODE, &c), "%s: no place", pieces[_i].name);
		start(&r);
		if (run_site(false)) {
			ck_assert_msg(how < 2, "%s, %s: hit", pieces[_i].name, names[how]);
			ck_assert_uint_eq(g.r->rip, CODE);
			ck_assert_mem_eq(g.r, &r, 16 * 8);
			while (armed_run())
				continue;
		} else {
			ck_assert_msg(how >= 2, "%s, %s: no hit", pieces[_i].name, names[how]);
		}
		ck_assert_msg(g.exit.stop == VCPU_SYSCALL, "%s, %s: stop %d vector %d at %#lx", pieces[_i].name, names[how],
			      g.exit.stop, g.exit.vector, g.r->rip);
		g.r->rcx = g.r->rip;
		disarm();
		same_state(pieces[_i].name, names[how], &want, stack);
	}
}
END_TEST

GUEST_CODE(counting, "1: inc %rax\n lea (%rbx,%rax), %rbx\n mov %rbx, (%rsi)\n cmp $2000, %rax\n jne 1b\n syscall");

/* Any pass of a loop can be told from the others, by any register and by memory. */
START_TEST(test_finds_the_pass)
{
	struct guest_regs r = initial(), at;
	struct tramp_cond c = { 0 };

	r.rax = 0;
	r.rsi = DATA;
	LOAD(counting);
	/* Every order of comparing is another piece of code. */
	for (unsigned pass = 1; pass < 2000; pass += 31) {
		static const uint32_t firsts[] = { 0, 1u << GREG_RAX, 1u << GREG_RCX, 1u << GREG_RBX, 1u << GREG_RCX | 1u << GREG_RAX,
						   0xffff, 1u << GREG_RCX | 1u << GREG_RDX };

		c.always = true;
		ck_assert(arm(CODE + 7, &c)); /* mov, behind inc and lea */
		start(&r);
		for (unsigned i = 0; i < pass; i++)
			ck_assert(armed_run());
		at = *g.r;
		ck_assert_uint_eq(at.rax, pass);
		disarm();
		c = (struct tramp_cond){ .regs = at, .nwords = 1, .first = firsts[pass % 7] };
		c.word[0] = (struct tramp_word){ DATA, *(uint64_t *)DATA };
		ck_assert(arm(CODE + 7, &c));
		start(&r);
		ck_assert(armed_run());
		ck_assert_mem_eq(g.r, &at, 16 * 8);
		ck_assert_uint_eq(g.r->rip, CODE + 7);
		ck_assert(!armed_run());
		ck_assert_uint_eq(g.r->rax, 2000);
		disarm();
	}
}
END_TEST

GUEST_CODE(lanes, "1: paddq %xmm2, %xmm9\n dec %ecx\n jnz 1b\n syscall");

START_TEST(test_vector_lane)
{
	struct tramp_cond c = { .always = true };
	struct guest_regs r = initial();
	unsigned char x[8192] = { 0 }, x2[8192];
	uint64_t now;

	r.rcx = 100;
	LOAD(lanes);
	memcpy(x, &(uint16_t){ 0x37f }, 2);
	memcpy(x + 24, &(uint32_t){ 0x1f80 }, 4);
	x[512] = 3;
	x[160 + 16 * 2 + 8] = 1; /* the upper half counts */
	ck_assert_uint_le(g.cpu.xsave_size, sizeof(x));
	ck_assert_int_eq(vcpu_set_xsave(g.vcpu, x, sizeof(x)), 0);
	ck_assert(arm(CODE, &c));
	start(&r);
	for (unsigned i = 0; i < 43; i++)
		ck_assert(armed_run());
	c = (struct tramp_cond){ .regs = *g.r, .nwords = 1, .word = { { 9 * 2 + 1, 43 } } };
	ck_assert_int_eq(vcpu_get_xsave(g.vcpu, x2, sizeof(x2)), 0);
	memcpy(&now, x2 + 160 + 16 * 9 + 8, 8);
	ck_assert_uint_eq(now, 43);
	disarm();
	ck_assert_int_eq(vcpu_set_xsave(g.vcpu, x, sizeof(x)), 0);
	ck_assert(arm(CODE, &c));
	start(&r);
	ck_assert(armed_run());
	ck_assert_uint_eq(g.r->rcx, 57);
	disarm();
	/* The same registers with another lane: passed by. */
	c.word[0].value = 42;
	ck_assert_int_eq(vcpu_set_xsave(g.vcpu, x, sizeof(x)), 0);
	ck_assert(arm(CODE, &c));
	start(&r);
	ck_assert(!armed_run());
	disarm();
}
END_TEST

GUEST_CODE(entered, "jmp 2f\n 1: inc %rax\n2: inc %rbx\n3: inc %rdx\n dec %ecx\n jz 9f\n test $1, %cl\n jz 1b\n jmp 3b\n9: syscall");

/* Jumps into the middle of what the site covers go on there. */
START_TEST(test_inner_entries)
{
	struct tramp_cond c = { .always = true };
	struct guest_regs r = initial(), want;
	unsigned hits = 0;

	r.rcx = 9;
	LOAD(entered);
	start(&r);
	expect_syscall(r.rax + 4);
	want = *g.r;
	ck_assert(arm(CODE + 2, &c));
	ck_assert_uint_eq(tr.patch_len, 5);
	ck_assert_uint_eq(tr.n, 2);
	start(&r);
	while (armed_run())
		hits++;
	ck_assert_uint_eq(hits, 4);
	ck_assert_mem_eq(g.r, &want, 17 * 8);
	disarm();
}
END_TEST

/* A kick may find the guest anywhere in the trampoline: the program's view must be one that it can have. */
START_TEST(test_kicked_inside)
{
	struct guest_regs r = initial();
	struct tramp_cond c = { .regs = r, .nwords = 1, .word = { { DATA, 12345 } } };
	static const unsigned firsts[] = { 0, 1u << GREG_RBX, 1u << GREG_RCX, 1u << GREG_RAX };
	unsigned steps = 0;

	r.rax = 0;
	r.rsi = DATA;
	c.regs.rsi = DATA;
	LOAD(counting);
	for (unsigned f = 0; f < 4; f++) {
		c.first = firsts[f];
		ck_assert(arm(CODE, &c));
		start(&r);
		for (unsigned i = 0; i < 120; i++, steps++) {
			uint64_t sum = 0;

			g.r->rflags |= 0x100;
			guest_run();
			ck_assert_int_eq(g.exit.stop, VCPU_EXCEPTION);
			ck_assert_int_eq(g.exit.vector, 1);
			if (g.r->rip - overlay.at >= TRAMP_PAGES * PAGE_SIZE_4K)
				continue;
			struct guest_regs inside = *g.r;

			ck_assert_msg(tramp_translate(&tr, saved(), g.r), "nowhere: %#lx", inside.rip - tr.base);
			ck_assert_uint_eq(g.r->rcx, r.rcx);
			for (uint64_t k = 1; k <= g.r->rax; k++)
				sum += k;
			/* rbx lags behind between inc and lea. */
			ck_assert_msg(g.r->rbx == r.rbx + sum || g.r->rbx + g.r->rax == r.rbx + sum, "step %u: rax %lu rbx %lu at %#lx",
				      i, g.r->rax, g.r->rbx, inside.rip - tr.base);
			*g.r = inside;
		}
		g.r->rflags &= ~0x100ULL;
		disarm();
	}
	ck_assert_uint_eq(steps, 480);
}
END_TEST

/* What may not be displaced, or only as a follower. */
GUEST_CODE(fixed, "int3\n fldpi\n ud2\n hlt\n popfq\n iretq");

START_TEST(test_refused)
{
	static const unsigned at[] = { 0, 1, 3, 5, 6, 7 };

	for (unsigned i = 0; i < 6; i++)
		ck_assert_int_eq(tramp_survey(&tr, CODE, fixed + at[i], (size_t)(fixed_end - fixed) - at[i]), -EOPNOTSUPP);
	ck_assert_int_eq(tramp_survey(&tr, CODE, (const uint8_t *)"\x48", 1), -EOPNOTSUPP);
	/* Cut off by the end of the mapping: no room for a jump. */
	ck_assert_int_eq(tramp_survey(&tr, CODE, (const uint8_t *)"\x48\xff\xc0\x48", 4), 0);
	ck_assert_uint_eq(tr.patch_len, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("exec_point");
	TCase *bytes = tcase_create("bytes"), *run = tcase_create("trampolines");

	tcase_add_test(bytes, test_bytes);
	tcase_add_test(bytes, test_hostile_bytes);
	tcase_add_test(bytes, test_refused);
	suite_add_tcase(s, bytes);
	tcase_add_checked_fixture(run, machine, guest_teardown);
	tcase_add_loop_test(run, test_displaced, 0, NPIECES);
	tcase_add_test(run, test_finds_the_pass);
	tcase_add_test(run, test_vector_lane);
	tcase_add_test(run, test_inner_entries);
	tcase_add_test(run, test_kicked_inside);
	tcase_set_timeout(run, 60);
	suite_add_tcase(s, run);
	return vmm_main(s);
}
