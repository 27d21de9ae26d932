/* Switchless system calls: what the server sees, what the program goes on with, and every place it can be stopped at. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "guestlib/abi.h"
#include "tests/unit/vmm_guest.h"
#include "vmm/jump.h"
#include "vmm/step.h"
#include "vmm/switchless.h"

#define NEVER_NS 1000
#define PATIENT_NS 2000000000ULL
#define TF 0x100ULL

static struct switchless *sw;

/* The server: answers `limit` requests with what how() makes of the registers. */
static struct {
	pthread_t thread;
	int quit;
	unsigned served, limit;
	uint32_t (*how)(struct guest_regs *r);
	struct guest_regs seen;
} srv;

static void *serve_all(void *arg)
{
	struct guest_regs r = { 0 };

	(void)arg;
	while (!__atomic_load_n(&srv.quit, __ATOMIC_SEQ_CST)) {
		if (srv.served == srv.limit || !switchless_take(sw)) {
			sched_yield();
			continue;
		}
		switchless_request(sw, &r);
		srv.seen = r;
		switchless_answer(sw, &r, srv.how(&r));
		__atomic_fetch_add(&srv.served, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void serve_with(uint32_t (*how)(struct guest_regs *r), unsigned limit)
{
	srv.how = how;
	srv.limit = limit;
	srv.served = 0;
	srv.quit = 0;
	ck_assert_int_eq(pthread_create(&srv.thread, NULL, serve_all, NULL), 0);
}

static void stop_serving(void)
{
	__atomic_store_n(&srv.quit, 1, __ATOMIC_SEQ_CST);
	pthread_join(srv.thread, NULL);
}

GUEST_CODE(one_call, "syscall\n ud2");

/* False on a host with virtualisation of its own, where there is none of this. */
static bool installed(uint64_t looks_ns)
{
	LOAD(one_call);
	ck_assert(!switchless_useful(g.vcpu));
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	if (!switchless_useful(g.vcpu))
		return false;
	ck_assert_int_eq(switchless_install(g.vcpu, looks_ns, &sw), 0);
	switchless_allow(sw, true);
	return true;
}

static struct guest_regs distinct(uint64_t rip)
{
	for (unsigned i = 0; i < GUEST_NREGS; i++)
		g.r->r[i] = 0x1111000000000000ULL + i * 0x101010101ULL;
	g.r->rip = rip;
	g.r->rsp = STACK_TOP - 72;
	g.r->rflags = 0x202 | 0x8d5 | 0x400 | 0x200000; /* CF PF AF ZF SF OF DF ID */
	g.r->fs_base = DATA + 16;
	g.r->gs_base = DATA + 32;
	return *g.r;
}

static void same(const struct guest_regs *r, const struct guest_regs *want)
{
	for (unsigned i = 0; i < GUEST_NREGS; i++)
		ck_assert_msg(r->r[i] == want->r[i], "%s is %#lx, expected %#lx", guest_reg_name[i], r->r[i], want->r[i]);
}

static uint32_t answer_77(struct guest_regs *r)
{
	r->rax = 77;
	return ABI_SW_DONE;
}

/* VCPU_SERVED may come behind any served call: when the guest has looked for its answer long enough. */
static enum vcpu_stop run_on(void)
{
	enum vcpu_stop stop;

	do
		stop = guest_run();
	while (stop == VCPU_SERVED);
	return stop;
}

START_TEST(test_served_is_as_by_exit)
{
	struct guest_regs want;

	if (!installed(PATIENT_NS))
		return;
	serve_with(answer_77, 1);
	want = distinct(CODE);
	ck_assert_int_eq(run_on(), VCPU_EXCEPTION);
	ck_assert_uint_eq(srv.served, 1);
	want.rip = want.rcx = CODE + 2;
	want.r11 = want.rflags;
	same(&srv.seen, &want);
	want.rax = 77;
	want.rflags |= 0x10000; /* of a fault */
	same(g.r, &want);
	stop_serving();
}
END_TEST

START_TEST(test_nobody_answers)
{
	struct guest_regs want;

	if (!installed(NEVER_NS))
		return;
	want = distinct(CODE);
	ck_assert_int_eq(run_on(), VCPU_SYSCALL);
	ck_assert_uint_eq(switchless_missed(sw), 1);
	want.rip = want.rcx = CODE + 2;
	want.r11 = want.rflags;
	same(g.r, &want);
	g.r->rax = 5;
	ck_assert_int_eq(run_on(), VCPU_EXCEPTION);
	ck_assert_uint_eq(g.r->rax, 5);
}
END_TEST

START_TEST(test_not_allowed)
{
	struct guest_regs want;

	if (!installed(PATIENT_NS))
		return;
	switchless_allow(sw, false);
	serve_with(answer_77, 1);
	want = distinct(CODE);
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	want.rip = want.rcx = CODE + 2;
	want.r11 = want.rflags;
	same(g.r, &want);
	ck_assert_uint_eq(srv.served, 0);
	stop_serving();
}
END_TEST

static uint32_t decline(struct guest_regs *r)
{
	memset(r, 0xff, sizeof(*r));
	return ABI_SW_DECLINED;
}

START_TEST(test_declined)
{
	struct guest_regs want;

	if (!installed(PATIENT_NS))
		return;
	serve_with(decline, 1);
	want = distinct(CODE);
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	want.rip = want.rcx = CODE + 2;
	want.r11 = want.rflags;
	same(g.r, &want);
	ck_assert_uint_eq(switchless_missed(sw), 0);
	stop_serving();
}
END_TEST

static uint32_t leave_behind(struct guest_regs *r)
{
	r->rax = 78;
	return ABI_SW_LEAVE;
}

START_TEST(test_leaves_behind_the_call)
{
	struct guest_regs want;

	if (!installed(PATIENT_NS))
		return;
	serve_with(leave_behind, 1);
	want = distinct(CODE);
	ck_assert_int_eq(guest_run(), VCPU_SERVED);
	want.rip = want.rcx = CODE + 2;
	want.r11 = want.rflags;
	want.rax = 78;
	same(g.r, &want);
	stop_serving();
}
END_TEST

static uint32_t again(struct guest_regs *r)
{
	if (r->rax == 1)
		r->rip -= 2;
	r->rax++;
	return ABI_SW_DONE;
}

/* A call that is to be restarted executes the instruction once more. */
/*
 * The program goes on while the server still has work with its call: it stores a word behind it. It does not get past its next
 * call, nor does vcpu_run() end, before that work is done.
 */
GUEST_CODE(two_calls, "syscall\n movq $1, (%rbx)\n mov $39, %eax\n syscall\n ud2");
static bool early_went_on, early_was_held;

static void *serve_early(void *arg)
{
	volatile uint64_t *word = (volatile uint64_t *)DATA;
	struct guest_regs r = { 0 };

	while (!switchless_take(sw))
		sched_yield();
	switchless_request(sw, &r);
	r.rax = 1;
	switchless_answer_early(sw, &r);
	while (!*word)
		sched_yield();
	early_went_on = true;
	usleep(20000);
	early_was_held = !switchless_take(sw) && !__atomic_load_n((int *)arg, __ATOMIC_SEQ_CST);
	switchless_release(sw);
	while (!switchless_take(sw))
		sched_yield();
	switchless_answer(sw, &r, ABI_SW_DECLINED);
	return NULL;
}

START_TEST(test_answered_early)
{
	pthread_t thread;
	int back = 0;

	if (!installed(PATIENT_NS))
		return;
	LOAD(two_calls);
	*(volatile uint64_t *)DATA = 0;
	g.r->rbx = DATA;
	ck_assert_int_eq(pthread_create(&thread, NULL, serve_early, &back), 0);
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	__atomic_store_n(&back, 1, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(g.r->rax, 39);
	ck_assert(early_went_on);
	ck_assert(early_was_held);
}
END_TEST

START_TEST(test_goes_on_elsewhere)
{
	if (!installed(PATIENT_NS))
		return;
	serve_with(again, 2);
	LOAD(one_call);
	g.r->rax = 1;
	ck_assert_int_eq(run_on(), VCPU_EXCEPTION);
	ck_assert_uint_eq(srv.served, 2);
	ck_assert_uint_eq(g.r->rax, 3);
	ck_assert_uint_eq(g.r->rip, CODE + 2);
	stop_serving();
}
END_TEST

GUEST_CODE(call_and_nop, "syscall\n nop\n nop\n ud2");

/* Who steps through the program is outside at each call, and its trap comes behind the next instruction. */
START_TEST(test_single_steps)
{
	if (!installed(PATIENT_NS))
		return;
	serve_with(answer_77, 1);
	LOAD(call_and_nop);
	g.r->rflags |= TF;
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	ck_assert_uint_eq(g.r->r11, 0x202 | TF);
	ck_assert_uint_eq(srv.served, 0);
	expect_exception(1, 0, CODE + 3);
	stop_serving();
}
END_TEST

GUEST_CODE(bases_change, "mov $0x300000010040, %rax\n wrfsbase %rax\n mov $0x300000010080, %rax\n wrgsbase %rax\n syscall\n ud2");

START_TEST(test_bases_changed_by_the_program)
{
	if (!__builtin_cpu_supports("avx2") || !installed(PATIENT_NS)) /* older processors may not have the instructions */
		return;
	serve_with(answer_77, 1);
	LOAD(bases_change);
	g.r->fs_base = 0;
	g.r->gs_base = 0;
	if (run_on() == VCPU_EXCEPTION && srv.served) {
		ck_assert_uint_eq(srv.seen.fs_base, 0x300000010040);
		ck_assert_uint_eq(srv.seen.gs_base, 0x300000010080);
		ck_assert_uint_eq(g.r->fs_base, 0x300000010040);
	}
	stop_serving();
}
END_TEST

#define LOOP_CALLS 20000
GUEST_CODE(many, "xor %ebx, %ebx\n xor %r12d, %r12d\n 1: lea 5(%rbx), %rax\n mov %rbx, %rdi\n stc\n syscall\n"
	   " jnc 2f\n lea 1(%rbx), %rdx\n cmp %rdx, %rax\n jne 2f\n lea -1(%rsp), %rdx\n mov %rbx, -8(%rsp)\n"
	   " inc %rbx\n cmp $20000, %rbx\n jne 1b\n ud2\n 2: int3");

static uint32_t count_on(struct guest_regs *r)
{
	if (r->rax != r->rdi + 5 || r->rdi != r->rbx || !(r->rflags & 1))
		r->rax = 0;
	else
		r->rax = r->rbx + 1;
	if (r->rbx % 7 == 3)
		sched_yield(); /* so that it is stopped while a call is under way, too */
	return r->rbx % 5 == 4 ? ABI_SW_LEAVE : ABI_SW_DONE;
}

static void kick(int sig)
{
	(void)sig;
	vcpu_kick(g.vcpu);
}

/* Will kick this thread. */
static timer_t kick_timer(void)
{
	struct sigaction act = { .sa_handler = kick };
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	timer_t timer;

	ck_assert_int_eq(sigaction(SIGUSR1, &act, NULL), 0);
	ev._sigev_un._tid = (int)syscall(SYS_gettid);
	ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &ev, &timer), 0);
	return timer;
}

/*
 * The loop checks each result, and that flags survive; here calls that come outside are made once each. Kicks come at
 * every moment: no call is lost, none is made twice.
 */
START_TEST(test_stopped_anywhere)
{
	const struct itimerspec often = { { .tv_nsec = 150000 }, { .tv_nsec = 150000 } };
	unsigned outside = 0;
	timer_t timer;

	if (!installed(20000))
		return;
	timer = kick_timer();
	serve_with(count_on, ~0u);
	LOAD(many);
	ck_assert_int_eq(timer_settime(timer, 0, &often, NULL), 0);
	for (;;) {
		enum vcpu_stop stop = guest_run();

		ck_assert_msg(g.r->rip >= CODE && g.r->rip < CODE + PAGE_SIZE_4K, "rip %#lx", g.r->rip);
		ck_assert_uint_eq(g.r->rsp, STACK_TOP);
		if (stop == VCPU_KICK || stop == VCPU_SERVED)
			continue;
		if (stop != VCPU_SYSCALL)
			break;
		outside++;
		count_on(g.r);
	}
	timer_delete(timer);
	stop_serving();
	ck_assert_msg(g.exit.stop == VCPU_EXCEPTION && g.exit.vector == 6, "vector %u at %#lx, round %lu", g.exit.vector,
		      (unsigned long)(g.r->rip - CODE), g.r->rbx);
	ck_assert_uint_eq(g.r->rbx, LOOP_CALLS);
	ck_assert_uint_eq(srv.served + outside, LOOP_CALLS);
}
END_TEST

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
GUEST_CODE(forger, "mov $0x7f0000201100, %rbx\n mov $200000, %ecx\n"
	   " 1: movl $" TEXT(ABI_SW_REQUEST) ", (%rbx)\n movl $" TEXT(ABI_SW_DONE) ", (%rbx)\n movl $99, (%rbx)\n"
	   " dec %ecx\n jnz 1b\n ud2");

/* A program that writes there itself gets calls made, or not; when the machine is left the server is not at work. */
START_TEST(test_forged_states)
{
	_Static_assert(SWITCHLESS_BASE + ABI_SW_DATA + ABI_SW_STATE == 0x7f0000201100ULL, "the code has it");

	if (!installed(NEVER_NS))
		return;
	serve_with(answer_77, ~0u);
	LOAD(forger);
	ck_assert_int_eq(run_on(), VCPU_EXCEPTION);
	ck_assert_uint_eq(g.exit.vector, 6);
	unsigned served = __atomic_load_n(&srv.served, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 1000; i++)
		sched_yield();
	/* One answer may be on its way to the counter. */
	ck_assert_uint_le(__atomic_load_n(&srv.served, __ATOMIC_SEQ_CST), served + 1);
	stop_serving();
}
END_TEST

/* ---- by a jump ---- */

#define HIGH (GUEST_TOP - 0x400000) /* in reach of stubs; CODE is not */

GUEST_CODE(jumping, "xor %ebx, %ebx\n 1: lea 5(%rbx), %rax\n mov %rbx, %rdi\n mov %rbx, -8(%rsp)\n stc\n mov $0x1234, %r9d\n"
	   " syscall\n jnc 2f\n lea 1(%rbx), %rdx\n cmp %rdx, %rax\n jne 2f\n cmp %rbx, -8(%rsp)\n jne 2f\n cmp $0x1234, %r9\n jne 2f\n"
	   " inc %rbx\n cmp $20000, %rbx\n jne 1b\n ud2\n 2: int3");
#define X_LEN 6

/* The code at `at`, with its site patched; by way of a pad behind it where that is not 0. */
static struct jump_site patched(uint64_t at, uint64_t pad)
{
	uint8_t *code = (uint8_t *)(uintptr_t)at, x[JUMP_X_MAX], behind[JUMP_PAD_MAX];
	size_t call = (size_t)((const uint8_t *)memmem(jumping, 64, "\x0f\x05", 2) - jumping);
	struct jump_site s = { .pad = pad };
	unsigned n;

	memcpy(code, jumping, (size_t)(jumping_end - jumping));
	ck_assert(jump_find(&s, at + call, code + call, call, 1u << X_LEN));
	ck_assert_uint_eq(s.len, X_LEN);
	s.stub = jump_free(g.vm);
	ck_assert(jump_patch(&s, x));
	memcpy(code + call - s.len, x, s.len);
	n = pad ? jump_pad(&s, behind) : 0;
	memcpy((void *)(uintptr_t)pad, behind, n);
	ck_assert_int_eq(jump_place(g.vm, &s), 0);
	g.r->rip = at;
	g.r->rsp = STACK_TOP;
	g.r->rflags = 0x202;
	return s;
}

/*
 * Kicks come at every moment, and the stubs lead to guestlib and back to the `syscall` in turn: nothing but the program's own
 * places is seen, no call is lost and none is made twice.
 */
static void stopped_anywhere_with_a_jump(uint64_t at, uint64_t pad)
{
	const struct itimerspec often = { { .tv_nsec = 150000 }, { .tv_nsec = 150000 } };
	struct jump_site s;
	unsigned stops = 0;
	timer_t timer;

	if (!installed(20000))
		return;
	timer = kick_timer();
	serve_with(count_on, ~0u);
	s = patched(at, pad);
	ck_assert_int_eq(timer_settime(timer, 0, &often, NULL), 0);
	for (;;) {
		enum vcpu_stop stop;

		jump_direct(g.vm, stops++ / 16 % 2);
		stop = guest_run();
		ck_assert_msg(g.r->rip >= at && g.r->rip < at + 256, "rip %#lx", g.r->rip);
		ck_assert(g.r->rip <= s.addr || g.r->rip >= s.addr + s.len);
		ck_assert_uint_eq(g.r->rsp, STACK_TOP);
		if (stop == VCPU_KICK || stop == VCPU_SERVED)
			continue;
		if (stop != VCPU_SYSCALL)
			break;
		ck_assert_uint_eq(g.r->rip, s.addr + s.len + 2);
		ck_assert_uint_eq(g.r->rcx, g.r->rip);
		ck_assert_uint_eq(g.r->r11, g.r->rflags);
		count_on(g.r);
	}
	timer_delete(timer);
	stop_serving();
	ck_assert_msg(g.exit.stop == VCPU_EXCEPTION && g.exit.vector == 6, "vector %u at %#lx, round %lu", g.exit.vector,
		      (unsigned long)(g.r->rip - at), g.r->rbx);
	ck_assert_uint_eq(g.r->rbx, 20000);
}

START_TEST(test_stopped_anywhere_with_a_jump)
{
	guest_map(HIGH, PAGE_SIZE_4K, RWX, false);
	stopped_anywhere_with_a_jump(HIGH, 0);
}
END_TEST

START_TEST(test_stopped_anywhere_with_a_pad)
{
	stopped_anywhere_with_a_jump(CODE, CODE + 0xf00);
}
END_TEST

/* One step over X, one over the `syscall`: whatever the stub is, and on any host. */
START_TEST(test_steps_with_a_jump)
{
	for (unsigned pad = 0; pad < 2; pad++) {
		struct jump_site s;
		bool branch;

		if (!pad)
			guest_map(HIGH, PAGE_SIZE_4K, RWX, false);
		s = pad ? patched(CODE, CODE + 0xf00) : patched(HIGH, 0);
		while (g.r->rip != s.addr)
			ck_assert_int_eq(vcpu_step(g.vcpu, &g.exit, &branch), 1);
		g.r->r9 = 0;
		ck_assert_int_eq(vcpu_step(g.vcpu, &g.exit, &branch), 1);
		ck_assert(g.r->rip == s.addr + s.len && g.r->r9 == 0x1234 && !(g.r->rflags & TF));
		ck_assert_int_eq(vcpu_step(g.vcpu, &g.exit, &branch), 0);
		ck_assert_int_eq(g.exit.stop, VCPU_SYSCALL);
		ck_assert(g.r->rip == s.addr + s.len + 2 && !(g.r->r11 & TF));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("switchless");
	TCase *tc = tcase_create("switchless");

	tcase_set_timeout(tc, 240);
	tcase_add_checked_fixture(tc, guest_setup, guest_teardown);
	tcase_add_test(tc, test_served_is_as_by_exit);
	tcase_add_test(tc, test_nobody_answers);
	tcase_add_test(tc, test_not_allowed);
	tcase_add_test(tc, test_declined);
	tcase_add_test(tc, test_leaves_behind_the_call);
	tcase_add_test(tc, test_answered_early);
	tcase_add_test(tc, test_goes_on_elsewhere);
	tcase_add_test(tc, test_single_steps);
	tcase_add_test(tc, test_bases_changed_by_the_program);
	tcase_add_test(tc, test_stopped_anywhere);
	tcase_add_test(tc, test_stopped_anywhere_with_a_jump);
	tcase_add_test(tc, test_stopped_anywhere_with_a_pad);
	tcase_add_test(tc, test_steps_with_a_jump);
	tcase_add_test(tc, test_forged_states);
	suite_add_tcase(s, tc);
	return vmm_main(s);
}
