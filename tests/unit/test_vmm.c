/* vCPUs: stops, registers, exceptions, kicks. What CPU they show is in test_vmm_cpu.c, page tables in test_vm_tables.c. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "tests/unit/vmm_guest.h"

#define RF 0x10000ULL

static void distinct_registers(uint64_t seed)
{
	for (unsigned i = 0; i < GUEST_NREGS; i++)
		g.r->r[i] = 0x0102030405060708ULL * (i + 1) + seed;
	g.r->rip = CODE;
	g.r->rsp = STACK_TOP - 64;
	g.r->rflags = 0x202;
	g.r->fs_base = DATA + 8 * seed;
	g.r->gs_base = 0xffff800000000000ULL + 8 * seed;
}

static void same_registers(const struct guest_regs *want)
{
	for (unsigned i = 0; i < GUEST_NREGS; i++)
		ck_assert_msg(g.r->r[i] == want->r[i], "%s is %#lx, expected %#lx", guest_reg_name[i], g.r->r[i], want->r[i]);
}

GUEST_CODE(two_calls, "syscall\n syscall\n syscall\n ud2\n ud2");

START_TEST(test_syscall_registers)
{
	struct guest_regs want;

	LOAD(two_calls);
	distinct_registers(1);
	g.r->rflags = 0x202 | 0x8d5 | 0x400; /* CF PF AF ZF SF OF DF */
	want = *g.r;
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	want.rip = want.rcx = CODE + 2;
	want.r11 = want.rflags;
	same_registers(&want);

	/* The plain return: only rax changes. */
	want.rax = g.r->rax = 77;
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	want.rip = want.rcx = CODE + 4;
	same_registers(&want);

	/* Everything else may change as well, rcx and r11 and the place included. */
	distinct_registers(5);
	g.r->rip = CODE + 6;
	g.r->rflags = 0x202 | 1 | 0x40;
	want = *g.r;
	want.rflags |= RF;
	expect_exception(6, 0, CODE + 6);
	same_registers(&want);

	/* And from an exception to elsewhere, back on a system call. */
	distinct_registers(9);
	g.r->rip = CODE + 4;
	want = *g.r;
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	want.rip = want.rcx = CODE + 6;
	want.r11 = want.rflags;
	same_registers(&want);
}
END_TEST

GUEST_CODE(bases, "mov %fs:0, %rax\n mov %gs:8, %rbx\n syscall\n mov %fs:0, %rax\n mov %gs:8, %rbx\n syscall");

START_TEST(test_segment_bases)
{
	uint64_t *d = (uint64_t *)DATA;

	for (unsigned i = 0; i < 16; i++)
		d[i] = 100 + i;
	LOAD(bases);
	g.r->fs_base = DATA;
	g.r->gs_base = DATA + 16;
	expect_syscall(100);
	ck_assert_uint_eq(g.r->rbx, 103);
	/* Changed at a system call whose other registers allow the plain return. */
	g.r->fs_base = DATA + 32;
	g.r->gs_base = DATA + 64;
	expect_syscall(104);
	ck_assert_uint_eq(g.r->rbx, 109);
}
END_TEST

GUEST_CODE(flags, "pushfq\n pop %rax\n syscall");

START_TEST(test_flags_are_sanitised)
{
	LOAD(flags);
	g.r->rflags = ~0x40100ULL; /* all but AC, which would fault, and TF */
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	/* CF PF AF ZF SF IF DF OF ID; NT not on every host; never IOPL, VIF, VIP, VM. */
	ck_assert_uint_eq(g.r->rax & ~0x4000ULL, 0x200ed7);
}
END_TEST

/* After a system call the step ends behind the next instruction, not before it. */
START_TEST(test_single_step_after_syscall)
{
	LOAD(two_calls);
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	memcpy((void *)(CODE + 2), "\x90\x90", 2);
	g.r->rflags |= 0x100;
	g.r->r11 = g.r->rflags;
	expect_exception(1, 0, CODE + 3);
}
END_TEST

GUEST_CODE(nops, "nop\n nop\n syscall");

START_TEST(test_single_step)
{
	/* The pages first: an emulated Intel machine also traps when an instruction starts again after its page came in. */
	LOAD(nops);
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	LOAD(nops);
	g.r->rflags |= 0x100;
	expect_exception(1, 0, CODE + 1);
	expect_exception(1, 0, CODE + 2);
	ck_assert(g.r->rflags & 0x100);
	g.r->rflags &= ~0x100ULL;
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
}
END_TEST

START_TEST(test_impossible_registers)
{
	LOAD(nops);
	g.r->rip = 0x0000800000000000ULL;
	expect_exception(13, 0, 0x0000800000000000ULL);
	g.r->rip = CODE;
	g.r->gs_base = 1ULL << 60;
	expect_exception(13, 0, CODE);
	g.r->gs_base = 0;
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	/* A system call that returns to an address no `sysretq` may be given. */
	g.r->rip = g.r->rcx = 0xffff800000001000ULL;
	expect_exception(14, 0x14, 0xffff800000001000ULL);
	ck_assert_uint_eq(g.exit.cr2, 0xffff800000001000ULL);
}
END_TEST

/* Exceptions: code, where in it the fault is reported, vector, error code. */
#define UNMASKED_SSE "push $0x1f00\n ldmxcsr (%rsp)\n"
GUEST_CODE(f_div, "xor %ecx, %ecx\n div %ecx");
GUEST_CODE(f_bp, "nop\n int3");
GUEST_CODE(f_bp2, "nop\n .byte 0xcd, 3");
GUEST_CODE(f_of, "nop\n .byte 0xcd, 4");
GUEST_CODE(f_icebp, "nop\n .byte 0xf1");
GUEST_CODE(f_ud, "nop\n ud2");
GUEST_CODE(f_hlt, "nop\n hlt");
GUEST_CODE(f_cli, "nop\n cli");
GUEST_CODE(f_cr, "nop\n mov %cr0, %rax");
GUEST_CODE(f_wrmsr, "nop\n wrmsr");
GUEST_CODE(f_noncanonical, "mov $0x8000000000000000, %rax\n mov (%rax), %rax");
GUEST_CODE(f_ss, "mov $0x8000000000000000, %rsp\n push %rax");
GUEST_CODE(f_int80, "nop\n int $0x80");
GUEST_CODE(f_int20, "nop\n int $0x20");
GUEST_CODE(f_int14, "nop\n int $14");
GUEST_CODE(f_movaps, "lea -8(%rsp), %rax\n movaps (%rax), %xmm0");
GUEST_CODE(f_ac, "pushfq\n orl $0x40000, (%rsp)\n popfq\n mov -7(%rsp), %eax");
GUEST_CODE(f_xm, UNMASKED_SSE "xorps %xmm0, %xmm0\n divss %xmm0, %xmm0");
GUEST_CODE(f_mf, "fninit\n push $0x340\n fldcw (%rsp)\n fldz\n fldz\n fdivp\n fwait");
GUEST_CODE(f_rdpmc, "xor %ecx, %ecx\n rdpmc");
GUEST_CODE(f_rdtsc, "nop\n rdtsc");
GUEST_CODE(f_rdtscp, "nop\n rdtscp");

static const struct {
	const uint8_t *code, *end;
	uint8_t at, vector;
	uint32_t error;
} faults[] = {
#define FAULT(name, at, vector, error) { f_##name, f_##name##_end, at, vector, error }
	FAULT(div, 2, 0, 0), FAULT(bp, 2, 3, 0), FAULT(bp2, 3, 3, 0), FAULT(of, 3, 4, 0), FAULT(icebp, 2, 1, 0),
	FAULT(ud, 1, 6, 0), FAULT(hlt, 1, 13, 0), FAULT(cli, 1, 13, 0), FAULT(cr, 1, 13, 0), FAULT(wrmsr, 1, 13, 0),
	FAULT(noncanonical, 10, 13, 0), FAULT(ss, 10, 12, 0), FAULT(int80, 1, 13, 0x402), FAULT(int20, 1, 13, 0x102),
	FAULT(int14, 1, 13, 0x72), FAULT(movaps, 5, 13, 0), FAULT(ac, 9, 17, 0), FAULT(xm, 12, 19, 0),
	FAULT(mf, 16, 16, 0), FAULT(rdpmc, 2, 13, 0), FAULT(rdtsc, 1, 13, 0), FAULT(rdtscp, 1, 13, 0),
};

START_TEST(test_exceptions)
{
	struct guest_regs before;

	/* What emulators of whole machines do not have: #SS for stack addresses, #AC, unmasked SSE exceptions. */
	if (getenv("SANDREC_EMULATED_CPU") && strchr("\x0c\x11\x13", faults[_i].vector) && faults[_i].vector)
		return;
	for (unsigned again = 0; again < 2; again++) {
		guest_load(faults[_i].code, (size_t)(faults[_i].end - faults[_i].code));
		g.r->rbx = 0x1234;
		g.r->r15 = ~0ULL;
		before = *g.r;
		expect_exception(faults[_i].vector, faults[_i].error, CODE + faults[_i].at);
		ck_assert_uint_eq(g.r->rbx, before.rbx);
		ck_assert_uint_eq(g.r->r15, before.r15);
		/* RF as the architecture pushes it: set for faults, clear for traps. */
		ck_assert_int_eq(!(g.r->rflags & RF), faults[_i].vector == 1 || faults[_i].vector == 3 ||
				 faults[_i].vector == 4);
	}
}
END_TEST

START_TEST(test_port_access_is_general_protection)
{
	static const uint8_t insn[][4] = {
		{ 0xe6, 0x10 }, { 0xe4, 0x10 }, { 0xe6, 0x20 }, { 0xe6, 0x80 }, { 0xec }, { 0xee }, { 0xef },
		{ 0x6e }, { 0x66, 0xed }, { 0xf3, 0x6e },
	};
	static const uint16_t ports[] = { 0, 0x10, 0x20, 0x2e, 0x3f, 0x60, 0x80, 0x3f8, 0xcf8, 0x5658, 0xffff };

	for (unsigned i = 0; i < sizeof(insn) / sizeof(insn[0]); i++)
		for (unsigned k = 0; k < sizeof(ports) / sizeof(ports[0]); k++) {
			guest_load(insn[i], sizeof(insn[i]));
			g.r->rdx = ports[k];
			g.r->rsi = DATA;
			g.r->rcx = 1;
			g.r->rax = 0x5a;
			expect_exception(13, 0, CODE);
			ck_assert_uint_eq(g.r->rax, 0x5a);
		}
}
END_TEST

GUEST_CODE(load, "mov (%rdi), %rax");
GUEST_CODE(store, "mov %rax, (%rdi)");
GUEST_CODE(jump, "jmp *%rdi");

static void expect_page_fault(const uint8_t *code, uint64_t addr, uint32_t error, bool fetch)
{
	guest_load(code, 3);
	g.r->rdi = addr;
	expect_exception(14, error, fetch ? addr : CODE);
	ck_assert_uint_eq(g.exit.cr2, addr);
}

START_TEST(test_page_faults)
{
	const uint64_t ro = DATA + 0x2000, none = DATA + 0x4008;

	guest_map(ro, PAGE_SIZE_4K, PROT_READ, false);
	expect_page_fault(load, none, 4, false);
	expect_page_fault(store, none, 6, false);
	expect_page_fault(jump, none, 0x14, true);
	expect_page_fault(store, ro + 16, 7, false);
	expect_page_fault(jump, ro + 16, 0x15, true);
	expect_page_fault(jump, DATA, 0x15, true);
	expect_page_fault(load, 0, 4, false);
	expect_page_fault(load, 0xffffffffff600000ULL, 4, false);
	expect_page_fault(store, 0xffff800000000000ULL, 6, false);
}
END_TEST

START_TEST(test_guestlib_is_out_of_reach)
{
	for (uint64_t page = 0; page < 3; page++) {
		expect_page_fault(load, GUESTLIB_BASE + page * PAGE_SIZE_4K, 5, false);
		expect_page_fault(store, GUESTLIB_BASE + page * PAGE_SIZE_4K, 7, false);
		expect_page_fault(jump, GUESTLIB_BASE + page * PAGE_SIZE_4K + 0x48, 0x15, true);
	}
}
END_TEST

GUEST_CODE(step_over_call, "mov %ss, %eax\n mov %eax, %ss\n syscall\n ud2");

/* The single-step trap is held back over `mov ss` and may come at CPL 0, before any stack was switched. */
START_TEST(test_step_held_back_over_syscall)
{
	unsigned steps = 0;

	LOAD(step_over_call); /* the pages first, as above */
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	LOAD(step_over_call);
	g.r->rflags |= 0x100;
	while (guest_run() == VCPU_EXCEPTION && g.exit.vector == 1)
		ck_assert_uint_lt(++steps, 4);
	ck_assert_int_eq(g.exit.stop, VCPU_SYSCALL);
	ck_assert_uint_eq(g.r->rip, CODE + 6);
	ck_assert_uint_eq(g.r->rsp, STACK_TOP);
	g.r->rflags = 0x202;
	expect_exception(6, 0, CODE + 6);
}
END_TEST

GUEST_CODE(sum, "1: add $1, %rax\n lea (%rax,%rax), %rbx\n mov %rbx, (%rdi)\n jmp 1b");

static void on_kick(int sig)
{
	(void)sig;
	vcpu_kick(g.vcpu);
}

static void kick_every(long us)
{
	struct sigaction sa = { .sa_handler = on_kick };
	struct itimerval it = { .it_interval.tv_usec = us, .it_value.tv_usec = us };

	ck_assert_int_eq(sigaction(SIGALRM, &sa, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &it, NULL), 0);
}

START_TEST(test_kick_in_a_loop)
{
	uint64_t last = 0;

	LOAD(sum);
	g.r->rdi = DATA;
	g.r->rax = g.r->rbx = 0;
	kick_every(1500);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t at, mem;

		ck_assert_int_eq(guest_run(), VCPU_KICK);
		at = g.r->rip - CODE;
		memcpy(&mem, (void *)DATA, 8);
		ck_assert_uint_ge(g.r->rax, last);
		last = g.r->rax;
		ck_assert(at == 0 || at == 4 || at == 8 || at == 11);
		ck_assert_uint_eq(g.r->rbx, 2 * (at == 4 ? last - 1 : last));
		ck_assert_uint_eq(mem, 2 * (at == 4 || at == 8 ? last - 1 : last));
		/* The registers of a kick may be changed too: drop the flags, keep the sum. */
		g.r->rflags = 0x202;
	}
	kick_every(0);
	ck_assert_uint_gt(last, 0);
}
END_TEST

START_TEST(test_kick_before_run)
{
	LOAD(nops);
	vcpu_kick(g.vcpu);
	vcpu_kick(g.vcpu);
	ck_assert_int_eq(guest_run(), VCPU_KICK);
	ck_assert_uint_eq(g.r->rip, CODE);
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
}
END_TEST

GUEST_CODE(calls, "1: inc %rbx\n mov %rbx, %rax\n syscall\n cmp %rbx, %rax\n je 1b\n ud2");
GUEST_CODE(faults_loop, "1: inc %rbx\n ud2\n cmp %rbx, %rax\n je 1b\n int3");

/* No call or fault is lost or reported twice, whatever the kicks fall into. */
START_TEST(test_kick_among_stops)
{
	uint64_t expected = 0, kicks = 0;
	enum vcpu_stop stop = _i ? VCPU_EXCEPTION : VCPU_SYSCALL;

	if (_i)
		LOAD(faults_loop);
	else
		LOAD(calls);
	g.r->rbx = 0;
	kick_every(700);
	while (kicks < 150 || expected < 2000) {
		if (guest_run() == VCPU_KICK) {
			kicks++;
			continue;
		}
		ck_assert_int_eq(g.exit.stop, stop);
		ck_assert_uint_eq(g.r->rbx, ++expected);
		if (_i) {
			ck_assert_uint_eq(g.exit.vector, 6);
			g.r->rip += 2;
		}
		g.r->rax = g.r->rbx;
	}
	kick_every(0);
}
END_TEST

START_TEST(test_efault_beyond_end_of_file)
{
	const uint64_t at = DATA + 0x20000;
	int fd = memfd_create("short", MFD_CLOEXEC);

	ck_assert_int_eq(ftruncate(fd, 100), 0);
	ck_assert_ptr_eq(mmap((void *)at, 0x2000, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0), (void *)at);
	ck_assert_int_eq(vm_allow(g.vm, at, 0x2000, RW, false), 0);
	guest_load(load, 3);
	memcpy((void *)(CODE + 3), "\x0f\x05", 2);
	g.r->rdi = at + 0x1000;
	ck_assert_int_eq(guest_run(), VCPU_EFAULT);
	ck_assert_uint_eq(g.r->rip, CODE);
	g.r->rdi = at;
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	close(fd);
}
END_TEST

START_TEST(test_machine_after_fork)
{
	pid_t pid;
	int status;

	LOAD(calls);
	g.r->rbx = 5;
	expect_syscall(6);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct guest_regs regs = *g.r;
		struct vcpu_exit e;

		vcpu_destroy(g.vcpu);
		vm_destroy(g.vm);
		if (vm_create(&g.host, &g.cpu, &g.vm) < 0 || vcpu_create(g.vm, &g.vcpu) < 0 ||
		    vm_allow(g.vm, CODE, PAGE_SIZE_4K, RWX, false) < 0)
			_exit(1);
		g.r = vcpu_regs(g.vcpu);
		*g.r = regs;
		g.r->rax = g.r->rbx;
		_exit(vcpu_run(g.vcpu, &e) == 0 && e.stop == VCPU_SYSCALL && g.r->rax == 7 ? 0 : 2);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	g.r->rax = g.r->rbx;
	expect_syscall(7);
}
END_TEST

static void *other_vcpu(void *arg)
{
	struct vcpu *v = arg;
	struct guest_regs *r = vcpu_regs(v);
	struct vcpu_exit e;

	r->rip = CODE;
	r->rbx = 1000000;
	for (unsigned i = 1; i <= 300; i++) {
		if (vcpu_run(v, &e) < 0 || e.stop != VCPU_SYSCALL || r->rbx != 1000000 + i)
			return (void *)1;
		r->rax = r->rbx;
	}
	return NULL;
}

START_TEST(test_two_vcpus)
{
	struct vcpu *second;
	pthread_t thread;
	void *bad;

	LOAD(calls);
	ck_assert_int_eq(vcpu_create(g.vm, &second), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, other_vcpu, second), 0);
	g.r->rbx = 0;
	for (unsigned i = 1; i <= 300; i++) {
		expect_syscall(i);
		g.r->rax = i;
	}
	pthread_join(thread, &bad);
	ck_assert_ptr_null(bad);
	vcpu_destroy(second);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("vmm");
	TCase *t = tcase_create("vcpu");

	tcase_add_checked_fixture(t, guest_setup, guest_teardown);
	tcase_set_timeout(t, 240);
	tcase_add_test(t, test_syscall_registers);
	tcase_add_test(t, test_segment_bases);
	tcase_add_test(t, test_flags_are_sanitised);
	tcase_add_test(t, test_single_step);
	tcase_add_test(t, test_single_step_after_syscall);
	tcase_add_test(t, test_impossible_registers);
	tcase_add_loop_test(t, test_exceptions, 0, sizeof(faults) / sizeof(faults[0]));
	tcase_add_test(t, test_port_access_is_general_protection);
	tcase_add_test(t, test_page_faults);
	tcase_add_test(t, test_guestlib_is_out_of_reach);
	tcase_add_test(t, test_step_held_back_over_syscall);
	tcase_add_test(t, test_kick_in_a_loop);
	tcase_add_test(t, test_kick_before_run);
	tcase_add_loop_test(t, test_kick_among_stops, 0, 2);
	tcase_add_test(t, test_efault_beyond_end_of_file);
	tcase_add_test(t, test_machine_after_fork);
	tcase_add_test(t, test_two_vcpus);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return vmm_main(suite());
}
