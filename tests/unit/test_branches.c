/* The branch clock of a vCPU: counts, and stops at them. Skipped where the host has no usable counter. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "tests/unit/vmm_guest.h"
#include "vmm/branches.h"
#include "vmm/pmu_proof.h"

static void setup(void)
{
	char why[256];

	ck_assert_msg(kvm_host_open(&g.host, why, sizeof(why)) == 0, "%s", why);
	ck_assert_msg(cpu_table_make(&g.host, CPU_HOST, &g.cpu, why, sizeof(why)) == 0, "%s", why);
	pmu_prove(&g.host, &g.cpu);
	ck_assert_msg(g.host.pmu.proven, "%s", g.host.pmu.why);
	guest_machine();
	guest_map(CODE, PAGE_SIZE_4K, RWX, false);
	guest_map(DATA, PAGE_SIZE_4K, RW, false);
}

static uint64_t count_now(void)
{
	uint64_t n;

	ck_assert_int_eq(vcpu_branches_read(g.vcpu, &n), 0);
	return n;
}

static void stop_at(uint64_t target)
{
	ck_assert_int_eq(vcpu_branches_arm(g.vcpu, target), 0);
	ck_assert_msg(guest_run() == VCPU_BRANCHES, "stop %d vector %d at %#lx, count %lu of %lu", g.exit.stop, g.exit.vector,
		      g.r->rip, count_now(), target);
	ck_assert_uint_eq(count_now(), target);
	ck_assert(!vcpu_branches_armed(g.vcpu));
}

/* rcx rounds of one branch; rax counts them. */
GUEST_CODE(counted, "1: inc %rax\n dec %rcx\n jnz 1b\n syscall\n jmp 1b");

START_TEST(test_counts)
{
	LOAD(counted);
	ck_assert_uint_eq(count_now(), 0);
	for (unsigned i = 1; i <= 5; i++) {
		g.r->rip = CODE;
		g.r->rcx = 100000;
		ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
		ck_assert_uint_eq(count_now(), 100000 * i);
	}
	ck_assert_int_eq(vcpu_branches_reset(g.vcpu), 0);
	ck_assert_uint_eq(count_now(), 0);
	g.r->rip = CODE;
	g.r->rcx = 7;
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	ck_assert_uint_eq(count_now(), 7);
}
END_TEST

/* Targets near and far, so by steps alone and by interrupt. */
START_TEST(test_exact_stops)
{
	const uint64_t targets[] = { 0, 1, 2, 17, 100, 101, 999, 5000, 5001, 30000, 100003 };

	LOAD(counted);
	g.r->rcx = 1000000;
	for (unsigned i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		stop_at(targets[i]);
		ck_assert_uint_eq(g.r->rax, targets[i]);
		ck_assert_uint_eq(g.r->rcx, 1000000 - targets[i]);
		ck_assert_uint_eq(g.r->rip, CODE);
		ck_assert(!(g.r->rflags & 0x100));
	}
	/* What is behind us is here. */
	ck_assert_int_eq(vcpu_branches_arm(g.vcpu, 50), 0);
	ck_assert_int_eq(guest_run(), VCPU_BRANCHES);
	ck_assert_uint_eq(count_now(), 100003);
	g.r->rcx = 3;
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	ck_assert_uint_eq(count_now(), 100006);
}
END_TEST

/* Armed across system calls; disarmed, an overflow on its way is not seen. */
START_TEST(test_other_stops)
{
	LOAD(counted);
	ck_assert_int_eq(vcpu_branches_arm(g.vcpu, 5000), 0);
	for (unsigned i = 0; i < 9; i++) {
		g.r->rip = CODE;
		g.r->rcx = 500;
		ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
		ck_assert(vcpu_branches_armed(g.vcpu));
	}
	g.r->rip = CODE;
	g.r->rcx = 5000;
	ck_assert_int_eq(guest_run(), VCPU_BRANCHES);
	ck_assert_uint_eq(count_now(), 5000);
	ck_assert_uint_eq(g.r->rcx, 4500);

	ck_assert_int_eq(vcpu_branches_arm(g.vcpu, 6000), 0);
	vcpu_branches_disarm(g.vcpu);
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	ck_assert_uint_eq(count_now(), 9500);
}
END_TEST

static void on_alarm(int sig)
{
	(void)sig;
	vcpu_kick(g.vcpu);
}

START_TEST(test_kicks)
{
	const struct itimerval often = { { 0, 3000 }, { 0, 3000 } }, off = { { 0, 0 }, { 0, 0 } };
	unsigned kicks = 0;

	LOAD(counted);
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &often, NULL);
	g.r->rcx = 5000000;
	for (uint64_t target = 40000; target <= 2000000; target += 40000) {
		ck_assert_int_eq(vcpu_branches_arm(g.vcpu, target), 0);
		while (guest_run() == VCPU_KICK)
			kicks++;
		ck_assert_int_eq(g.exit.stop, VCPU_BRANCHES);
		ck_assert_uint_eq(g.r->rax, target);
		ck_assert_uint_eq(count_now(), target);
	}
	setitimer(ITIMER_REAL, &off, NULL);
	ck_assert_uint_gt(kicks, 0);
}
END_TEST

/* What shows its flags, and what repeats, on the way that is stepped. */
GUEST_CODE(shows_flags,
	   "1: pushfq\n pop %rdx\n or %rdx, %r12\n pushfw\n popw %dx\n or %dx, %r13w\n pushfq\n popfq\n"
	   "   mov %rsi, %rdi\n mov $0x800, %ecx\n rep stosb\n syscall\n or %r11, %r12\n dec %rbx\n jnz 1b\n ud2");

START_TEST(test_steps_do_not_show)
{
	LOAD(shows_flags);
	g.r->rbx = 6;
	g.r->rsi = DATA;
	ck_assert_int_eq(vcpu_branches_arm(g.vcpu, 5), 0);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
		ck_assert_uint_eq(g.r->rcx, g.r->rip);
		ck_assert_uint_eq(g.r->rdi, DATA + 0x800);
		ck_assert(!((g.r->r11 | g.r->rflags) & 0x100));
	}
	ck_assert_int_eq(guest_run(), VCPU_BRANCHES);
	ck_assert_uint_eq(g.r->rbx, 1);
	ck_assert_uint_eq((g.r->r12 | g.r->r13) & 0x100, 0);
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	expect_exception(6, 0, g.r->rip + 8);
	ck_assert(!(g.r->rflags & 0x100));
	ck_assert_uint_eq(count_now(), 6);
}
END_TEST

/* A fault on the stepped way: the flags it reports are the program's. */
GUEST_CODE(faults, "1: mov 0, %rax\n dec %rbx\n jnz 1b\n syscall");

START_TEST(test_fault_while_stepping)
{
	LOAD(faults);
	g.r->rbx = 4;
	ck_assert_int_eq(vcpu_branches_arm(g.vcpu, 2), 0);
	for (unsigned i = 0; i < 2; i++) {
		expect_exception(14, 4, CODE);
		ck_assert(!(g.r->rflags & 0x100));
		g.r->rip += 8;
	}
	ck_assert_int_eq(guest_run(), VCPU_BRANCHES);
	ck_assert_uint_eq(g.r->rbx, 2);
	ck_assert_uint_eq(g.r->rip, CODE);
}
END_TEST

/* A program that single-steps itself gets its traps, and the count is reached none the less. */
START_TEST(test_program_steps_itself)
{
	unsigned traps = 0;

	LOAD(counted);
	g.r->rcx = 10;
	g.r->rflags |= 0x100;
	ck_assert_int_eq(vcpu_branches_arm(g.vcpu, 4), 0);
	while (guest_run() == VCPU_EXCEPTION) {
		ck_assert_int_eq(g.exit.vector, 1);
		ck_assert(g.r->rflags & 0x100);
		traps++;
	}
	ck_assert_int_eq(g.exit.stop, VCPU_BRANCHES);
	ck_assert_uint_eq(traps, 12);
	ck_assert_uint_eq(g.r->rax, 4);
}
END_TEST

/* More vCPUs than a CPU has counters, all on this thread. */
START_TEST(test_many_vcpus)
{
	struct vcpu *v[12] = { g.vcpu };
	const unsigned n = sizeof(v) / sizeof(v[0]);

	LOAD(counted);
	for (unsigned i = 1; i < n; i++)
		ck_assert_int_eq(vcpu_create(g.vm, &v[i]), 0);
	for (unsigned round = 1; round <= 3; round++)
		for (unsigned i = 0; i < n; i++) {
			g.vcpu = v[i];
			g.r = vcpu_regs(g.vcpu);
			ck_assert_uint_eq(count_now(), 10000 * (round - 1));
			if (round == 1)
				guest_load(counted, (size_t)(counted_end - counted));
			g.r->rcx = 100000;
			stop_at(10000 * round - 1000);
			ck_assert_uint_eq(g.r->rcx, 91000);
			g.r->rcx = 1000;
			ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
			g.r->rip = CODE;
			ck_assert_uint_eq(count_now(), 10000 * round);
		}
	g.vcpu = v[0];
	for (unsigned i = 1; i < n; i++)
		vcpu_destroy(v[i]);
}
END_TEST

static void *run_elsewhere(void *arg)
{
	uint64_t to = *(uint64_t *)arg;

	stop_at(to);
	return NULL;
}

/* One vCPU, a new thread each time: the count goes on. */
START_TEST(test_threads)
{
	pthread_t thread;

	LOAD(counted);
	g.r->rcx = 1000000;
	for (uint64_t to = 5000; to <= 60000; to += 5000) {
		ck_assert_int_eq(pthread_create(&thread, NULL, run_elsewhere, &to), 0);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		ck_assert_uint_eq(g.r->rax, to);
	}
	stop_at(100000);
	ck_assert_uint_eq(g.r->rax, 100000);
}
END_TEST

START_TEST(test_lent)
{
	uint64_t n;

	LOAD(counted);
	g.r->rcx = 10;
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	vcpu_branches_lend(g.vcpu, true);
	ck_assert(!vcpu_branches_usable(g.vcpu));
	ck_assert_int_eq(vcpu_branches_read(g.vcpu, &n), -EOPNOTSUPP);
	ck_assert_int_eq(vcpu_branches_arm(g.vcpu, 100), -EOPNOTSUPP);
	ck_assert_int_eq(vcpu_branches_reset(g.vcpu), -EOPNOTSUPP);
	vcpu_branches_lend(g.vcpu, false);
	ck_assert_uint_eq(count_now(), 10);
}
END_TEST

/* Random targets in a loop with every kind of conditional branch, compared with what single steps say is there. */
GUEST_CODE(mixed, "1: test $3, %al\n jz 2f\n imul $5, %rax\n2: add $7, %rax\n mov $3, %ecx\n3: loop 3b\n jrcxz 4f\n ud2\n"
		  "4: mov %rsp, %rdi\n lea -64(%rdi), %rdi\n mov $8, %ecx\n rep stosq\n cmp %rbx, %rax\n jne 1b\n ud2");

START_TEST(test_random_targets)
{
	struct guest_regs at[64];
	uint64_t target[64];
	uint32_t seed = 99;

	for (unsigned pass = 0; pass < 2; pass++) {
		LOAD(mixed);
		g.r->rax = 12345;
		ck_assert_int_eq(vcpu_branches_reset(g.vcpu), 0);
		for (unsigned i = 0; i < 64; i++) {
			if (pass == 0) {
				seed = seed * 1103515245 + 12345;
				target[i] = (i ? target[i - 1] : 0) + 1 + (seed >> 16) % 3000;
				stop_at(target[i]);
				at[i] = *g.r;
				continue;
			}
			/* Another way to the same places: with a stop half way. */
			stop_at((target[i] + count_now()) / 2);
			stop_at(target[i]);
			ck_assert_mem_eq(g.r, &at[i], sizeof(at[i]));
		}
	}
}
END_TEST

static const char *missing(void)
{
	static struct kvm_host h;
	static struct cpu_table t;
	static char why[256];

	if (kvm_host_open(&h, why, sizeof(why)) < 0 || cpu_table_make(&h, CPU_HOST, &t, why, sizeof(why)) < 0)
		return why;
	pmu_prove(&h, &t);
	kvm_host_close(&h);
	return h.pmu.proven ? NULL : h.pmu.why;
}

int main(void)
{
	Suite *s = suite_create("branches");
	TCase *t = tcase_create("clock");
	const char *why = missing();

	if (why) {
		printf("1..0 # SKIP no branch counter for guests: %s\n", why);
		return 0;
	}
	tcase_add_checked_fixture(t, setup, guest_teardown);
	tcase_set_timeout(t, 300);
	tcase_add_test(t, test_counts);
	tcase_add_test(t, test_exact_stops);
	tcase_add_test(t, test_other_stops);
	tcase_add_test(t, test_kicks);
	tcase_add_test(t, test_steps_do_not_show);
	tcase_add_test(t, test_fault_while_stepping);
	tcase_add_test(t, test_program_steps_itself);
	tcase_add_test(t, test_many_vcpus);
	tcase_add_test(t, test_threads);
	tcase_add_test(t, test_lent);
	tcase_add_test(t, test_random_targets);
	suite_add_tcase(s, t);
	return vmm_main(s);
}
