/* Calls that the guest takes by itself: only if everything is as recorded, once each, and wherever it is stopped. */
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "guestlib/abi.h"
#include "tests/unit/vmm_guest.h"
#include "vmm/switchless_ring.h"

#define NEVER_NS 1000
#define HOLE (CODE + 0x100000) /* nothing is mapped there */
#define READ_ONLY (CODE + 0x200000)

static struct switchless *sw;

#define LOOP_CALLS 20000
/* Call number i has i in rbx, rdi and rdx, i + 5 in rax and the carry flag; its result is i + 1. */
GUEST_CODE(many, "xor %ebx, %ebx\n xor %edx, %edx\n 1: push $0x203\n popfq\n lea 5(%rbx), %rax\n mov %rbx, %rdi\n syscall\n"
	   " jnc 2f\n lea 1(%rbx), %rdx\n cmp %rdx, %rax\n jne 2f\n inc %rbx\n cmp $20000, %rbx\n jne 1b\n ud2\n 2: int3");

GUEST_CODE(one_call, "syscall\n ud2");

static struct guest_regs first; /* the registers at call 0 */

/* False on a host with virtualisation of its own, where there is none of this. Then it stands at call 0. */
static bool installed(uint64_t looks_ns)
{
	LOAD(one_call);
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	if (!switchless_useful(g.vcpu))
		return false;
	ck_assert_int_eq(switchless_install(g.vcpu, looks_ns, &sw), 0);
	ck_assert_uint_eq(switchless_ring_room(sw), 0);
	ck_assert_int_eq(switchless_ring_make(g.vcpu), 0);
	ck_assert_int_eq(switchless_ring_make(g.vcpu), 0);
	ck_assert_uint_eq(switchless_ring_room(sw), ABI_SW_SLOTS);
	for (unsigned i = 0; i < 16; i++)
		g.r->r[i] = 0x1111000000000000ULL + i * 0x101010101ULL;
	g.r->fs_base = DATA + 16;
	g.r->gs_base = DATA + 32;
	LOAD(many);
	switchless_allow(sw, false);
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	switchless_allow(sw, true);
	first = *g.r;
	ck_assert_uint_eq(first.rax, 5);
	return true;
}

static struct guest_regs regs_at(uint64_t i)
{
	struct guest_regs r = first;

	r.rbx = r.rdi = r.rdx = i;
	r.rax = i + 5;
	return r;
}

static bool put(const struct guest_regs *r, uint64_t i)
{
	return switchless_ring_put(sw, &first, &(struct switchless_call){ .regs = r, .result = (int64_t)i + 1 });
}

static bool put_number(uint64_t i)
{
	const struct guest_regs r = regs_at(i);

	return put(&r, i);
}

/* The program is at this call, which has not been made; what is done about it outside. */
static void made_outside(uint64_t i)
{
	const struct guest_regs want = regs_at(i);

	for (unsigned k = 0; k < GUEST_NREGS; k++)
		ck_assert_msg(g.r->r[k] == want.r[k], "call %lu: %s is %#lx, expected %#lx", i, guest_reg_name[k], g.r->r[k],
			      want.r[k]);
	g.r->rax = i + 1;
}

static void expect_call(uint64_t i)
{
	ck_assert_int_eq(guest_run(), VCPU_SYSCALL);
	made_outside(i);
}

START_TEST(test_taken)
{
	if (!installed(NEVER_NS))
		return;
	made_outside(0);
	for (uint64_t i = 1; i <= ABI_SW_SLOTS; i++)
		ck_assert(put_number(i));
	ck_assert(!put_number(1));
	ck_assert_uint_eq(switchless_ring_left(sw), ABI_SW_SLOTS);
	expect_call(ABI_SW_SLOTS + 1);
	ck_assert_uint_eq(switchless_ring_taken(sw), ABI_SW_SLOTS);
	ck_assert_uint_eq(switchless_ring_taken(sw), 0);
	ck_assert_uint_eq(switchless_ring_left(sw), 0);
	/* Around the end. */
	for (uint64_t i = 2; i < 12; i++)
		ck_assert(put_number(ABI_SW_SLOTS + i));
	expect_call(ABI_SW_SLOTS + 12);
	ck_assert_uint_eq(switchless_ring_taken(sw), 10);
}
END_TEST

START_TEST(test_each_register_counts)
{
	uint64_t at = 1;

	if (!installed(NEVER_NS))
		return;
	made_outside(0);
	for (unsigned k = 0; k < GUEST_NREGS; k++)
		for (unsigned bit = 0; bit < 64; bit += 21) {
			struct guest_regs r = regs_at(at);
			bool known;

			r.r[k] ^= 1ULL << bit;
			known = put(&r, at);
			/* Nobody can be at a call with these. */
			ck_assert(!known || (k != GREG_RIP && k != GREG_RCX && k != GREG_RFLAGS && k != GREG_R11));
			expect_call(at++);
			ck_assert_uint_eq(switchless_ring_taken(sw), 0);
			switchless_ring_clear(sw);
			ck_assert_uint_eq(switchless_ring_left(sw), 0);
			/* And it goes on as before. */
			ck_assert(put_number(at++));
			expect_call(at++);
			ck_assert_uint_eq(switchless_ring_taken(sw), 1);
		}
}
END_TEST

START_TEST(test_return_address_and_flags_count)
{
	struct guest_regs r;

	if (!installed(NEVER_NS))
		return;
	made_outside(0);
	r = regs_at(1);
	r.rip = ++r.rcx;
	ck_assert(put(&r, 1));
	expect_call(1);
	ck_assert_uint_eq(switchless_ring_taken(sw), 0);
	switchless_ring_clear(sw);
	r = regs_at(2);
	r.rflags = r.r11 ^= 0x400;
	ck_assert(put(&r, 2));
	expect_call(2);
	ck_assert_uint_eq(switchless_ring_taken(sw), 0);
}
END_TEST

static bool put_pieces(uint64_t i, unsigned n, const struct switchless_piece *p)
{
	const struct guest_regs r = regs_at(i);
	struct switchless_call c = { .regs = &r, .result = (int64_t)i + 1, .n = n };

	memcpy(c.piece, p, n * sizeof(*p));
	return switchless_ring_put(sw, &first, &c);
}

START_TEST(test_memory)
{
	char *in = (char *)DATA + 101, *out = (char *)DATA + 203;
	struct switchless_piece p[] = {
		{ (uint64_t)in, "what it reads", 13, false },
		{ (uint64_t)out, "and writes", 10, true },
		{ (uint64_t)out + 100, "x", 1, true },
	};

	if (!installed(NEVER_NS))
		return;
	made_outside(0);
	memcpy(in, "what it reads", 13);
	memset(out - 1, '.', 200);
	ck_assert(put_pieces(1, 3, p));
	expect_call(2);
	ck_assert_uint_eq(switchless_ring_taken(sw), 1);
	ck_assert_int_eq(memcmp(out, "and writes.....", 15), 0);
	ck_assert_int_eq(memcmp(out - 1, ".", 1), 0);
	ck_assert_int_eq(memcmp(out + 99, ".x.", 3), 0);
	/* It reads something else: nothing happens. */
	memset(out, '.', 200);
	in[12] ^= 1;
	ck_assert(put_pieces(3, 3, p));
	expect_call(3);
	ck_assert_uint_eq(switchless_ring_taken(sw), 0);
	ck_assert_int_eq(memcmp(out, "...............", 15), 0);
}
END_TEST

/* A fault on the way is a call that has not been made. */
START_TEST(test_memory_not_there)
{
	const struct switchless_piece p[] = {
		{ HOLE, "abc", 3, true }, { HOLE, "abc", 3, false }, { READ_ONLY, "abc", 3, true },
		{ DATA + PAGE_SIZE_4K - 2, "abc", 3, true },
	};
	uint64_t at = 1;

	if (!installed(NEVER_NS))
		return;
	guest_map(READ_ONLY, PAGE_SIZE_4K, PROT_READ, false);
	made_outside(0);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert(put_pieces(at, 1, &p[i]));
		expect_call(at++);
		ck_assert_uint_eq(switchless_ring_taken(sw), 0);
		switchless_ring_clear(sw);
	}
}
END_TEST

START_TEST(test_refuses)
{
	static char big[SWITCHLESS_BYTES + 1];
	const struct switchless_piece bad[] = {
		{ DATA, big, 0, true },
		{ DATA, big, sizeof(big), true },
		{ GUEST_TOP - 4, big, 8, true },
		{ SWITCHLESS_BASE + ABI_SW_DATA, big, 8, true },
		{ ~0ULL, big, 8, false },
	};
	const struct switchless_piece two[] = { { DATA, big, SWITCHLESS_BYTES - 7, true }, { DATA, big, 1, true } };

	if (!installed(NEVER_NS))
		return;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert(!put_pieces(1, 1, &bad[i]));
	ck_assert(!put_pieces(1, 2, two));
	ck_assert(put_pieces(1, 1, two));
	ck_assert(!switchless_ring_put(sw, &first, &(struct switchless_call){ .regs = &first, .n = SWITCHLESS_PIECES + 1 }));
}
END_TEST

/* ---- with a server ---- */

static struct {
	pthread_t thread;
	int quit;
	bool hostile;         /* the program changes the pages: nothing is checked but our own counts */
	uint64_t place, looked, taken, requests; /* whose the gate is, or who is outside */
} srv;

static void settle(void)
{
	unsigned left = switchless_ring_left(sw), n = switchless_ring_taken(sw);

	ck_assert_uint_le(n, left);
	srv.place += n;
	srv.taken += n;
}

/* Every so often one that cannot be foreseen. */
static void put_more(unsigned n)
{
	while (n--) {
		uint64_t at = srv.place + switchless_ring_left(sw);

		if (at % 37 == 36 || at >= LOOP_CALLS || !put_number(at))
			break;
	}
}

static void answer(struct guest_regs *r)
{
	settle();
	if (switchless_ring_left(sw) && srv.looked != srv.place) {
		srv.looked = srv.place;
		switchless_answer(sw, r, ABI_SW_AGAIN);
		return;
	}
	if (!srv.hostile)
		ck_assert_uint_eq(r->rbx, srv.place);
	r->rax = r->rbx + 1;
	srv.place++;
	srv.requests++;
	switchless_ring_clear(sw);
	switchless_answer(sw, r, srv.place % 11 ? ABI_SW_DONE : ABI_SW_LEAVE);
}

static void *serve_all(void *arg)
{
	struct guest_regs r = first;

	(void)arg;
	while (!__atomic_load_n(&srv.quit, __ATOMIC_SEQ_CST)) {
		if (switchless_take(sw)) {
			switchless_request(sw, &r);
			answer(&r);
		} else if (switchless_ring_room(sw) > 8 && switchless_hold(sw)) {
			settle();
			put_more(8);
			switchless_release(sw);
		} else {
			sched_yield();
		}
	}
	return NULL;
}

static void kick(int sig)
{
	(void)sig;
	vcpu_kick(g.vcpu);
}

static timer_t kick_often(void)
{
	struct sigaction act = { .sa_handler = kick };
	struct itimerspec often = { { .tv_nsec = 150000 }, { .tv_nsec = 150000 } };
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	timer_t timer;

	ck_assert_int_eq(sigaction(SIGUSR1, &act, NULL), 0);
	ev._sigev_un._tid = (int)syscall(SYS_gettid);
	ck_assert_int_eq(timer_create(CLOCK_MONOTONIC, &ev, &timer), 0);
	ck_assert_int_eq(timer_settime(timer, 0, &often, NULL), 0);
	return timer;
}

static void begin_serving(bool hostile)
{
	memset(&srv, 0, sizeof(srv));
	srv.hostile = hostile;
	srv.looked = ~0ULL;
	ck_assert_int_eq(pthread_create(&srv.thread, NULL, serve_all, NULL), 0);
}

static void stop_serving(void)
{
	__atomic_store_n(&srv.quit, 1, __ATOMIC_SEQ_CST);
	pthread_join(srv.thread, NULL);
}

/* The program checks each result. Here: no call is lost, none is made twice, and the count is right at every stop. */
START_TEST(test_stopped_anywhere)
{
	unsigned outside = 1;
	enum vcpu_stop stop;
	timer_t timer;

	if (!installed(20000))
		return;
	made_outside(0);
	begin_serving(false);
	srv.place = 1;
	timer = kick_often();
	while ((stop = guest_run()) != VCPU_EXCEPTION) {
		settle();
		ck_assert(stop == VCPU_KICK || g.r->rsp == STACK_TOP);
		ck_assert_msg(g.r->rip >= CODE && g.r->rip < CODE + PAGE_SIZE_4K, "rip %#lx", g.r->rip);
		if (stop == VCPU_SERVED) {
			ck_assert_uint_eq(g.r->rbx + 1, srv.place);
			ck_assert_uint_eq(g.r->rax, srv.place);
			ck_assert_uint_eq(g.r->fs_base, DATA + 16);
		} else if (stop == VCPU_SYSCALL) {
			made_outside(srv.place++);
			switchless_ring_clear(sw);
			outside++;
		}
	}
	settle();
	timer_delete(timer);
	stop_serving();
	ck_assert_msg(g.exit.vector == 6, "vector %u at %#lx, round %lu", g.exit.vector, (unsigned long)(g.r->rip - CODE),
		      g.r->rbx);
	ck_assert_uint_eq(g.r->rbx, LOOP_CALLS);
	ck_assert_uint_eq(srv.place, LOOP_CALLS);
	ck_assert_uint_eq(srv.taken + srv.requests + outside, LOOP_CALLS);
}
END_TEST

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
GUEST_CODE(scribbler, "mov $0x7f0000201000, %rbp\n mov $5, %ebx\n mov $20000, %r12d\n"
	   " 1: imul $1103515245, %rbx, %rbx\n add $12345, %rbx\n mov %rbx, %rax\n shr $16, %rax\n"
	   " mov %ebx, " TEXT(ABI_SW_TAIL) "(%rbp)\n mov %eax, %ecx\n and $0xfff8, %ecx\n mov %rbx, 0x1000(%rbp,%rcx)\n"
	   " and $0xff, %ebx\n mov %ebx, " TEXT(ABI_SW_HEAD) "(%rbp)\n movl $" TEXT(ABI_SW_TAKEN) ", " TEXT(ABI_SW_STATE) "(%rbp)\n"
	   " mov %eax, %ebx\n test $3, %eax\n jnz 2f\n syscall\n 2: dec %r12d\n jnz 1b\n ud2");

/* The program writes there itself, and goes on or not; our own counts stay what they are. */
START_TEST(test_scribbled)
{
	enum vcpu_stop stop;
	timer_t timer;
	unsigned n = 0;

	_Static_assert(SWITCHLESS_BASE + ABI_SW_DATA == 0x7f0000201000ULL, "the code has it");
	if (!installed(NEVER_NS))
		return;
	begin_serving(true);
	timer = kick_often();
	LOAD(scribbler);
	do {
		stop = guest_run();
		settle();
		if (stop == VCPU_SYSCALL)
			switchless_ring_clear(sw);
	} while ((stop == VCPU_SYSCALL || stop == VCPU_SERVED || stop == VCPU_KICK) && ++n < 1000000);
	timer_delete(timer);
	stop_serving();
	ck_assert_int_eq(stop, VCPU_EXCEPTION);
	ck_assert_uint_le(switchless_ring_left(sw), ABI_SW_SLOTS);
	/* And it can be used again. */
	switchless_ring_clear(sw);
	ck_assert_uint_eq(switchless_ring_room(sw), ABI_SW_SLOTS);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("switchless_ring");
	TCase *tc = tcase_create("switchless_ring");

	tcase_set_timeout(tc, 240);
	tcase_add_checked_fixture(tc, guest_setup, guest_teardown);
	tcase_add_test(tc, test_taken);
	tcase_add_test(tc, test_each_register_counts);
	tcase_add_test(tc, test_return_address_and_flags_count);
	tcase_add_test(tc, test_memory);
	tcase_add_test(tc, test_memory_not_there);
	tcase_add_test(tc, test_refuses);
	tcase_add_test(tc, test_stopped_anywhere);
	tcase_add_test(tc, test_scribbled);
	suite_add_tcase(s, tc);
	return vmm_main(s);
}
