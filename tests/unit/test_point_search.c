/*
 * Execution points in generated code: random nests of loops are interrupted at a random moment by the code that records
 * (record/landing.h) and the place is found again by the code that replays (replay/point.h). That it is the same one is
 * seen by the program's end: from the place on a word in memory is not zero, which the loops add up, so the end depends on
 * how many passes are left.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <xxhash.h>

#include "record/landing.h"
#include "replay/divergence.h"
#include "replay/point.h"
#include "syscall-emu/mm.h"
#include "syscall-emu/signal_host.h"
#include "tests/unit/vmm_guest.h"

#define POINTS 400
#define POINTS_FULL 10000
#define DATA_LEN 0x4000ULL
#define STACK_LEN 0x4000ULL
#define WORK 40e6 /* instructions until the program ends by itself */

#define CELL 0      /* offsets in the data: the word that is set, */
#define OUTER 0x100 /* the counter of the outer loop when it is in memory, */
#define SCRATCH 0x800

static struct session session;
static struct task *task;
static uint64_t code_at[2], data_at, stack_at; /* code: one that the program may write, one that it may not */

/* ---- random code ---- */

static uint64_t state;

static uint32_t rnd(uint32_t n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 33) % n;
}

struct emitter {
	uint8_t byte[2048];
	unsigned n, insns;
};

static void emit(struct emitter *e, const void *bytes, unsigned n)
{
	memcpy(e->byte + e->n, bytes, n);
	e->n += n;
}

#define EMIT(e, ...) emit(e, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void emit32(struct emitter *e, uint32_t v)
{
	emit(e, &v, sizeof(v));
}

/* One to a few instructions that leave rcx, rsi, rsp and r12 to r15 as they are. */
static void body(struct emitter *e)
{
	uint32_t off = SCRATCH + rnd(64) * 8;
	uint8_t zone = (uint8_t)-(int)(8 + rnd(15) * 8);

	e->insns++;
	switch (rnd(24)) {
	case 0: EMIT(e, 0x48, 0xff, 0xc0); break;                   /* inc %rax */
	case 1: EMIT(e, 0x48, 0x01, 0xc3); break;                   /* add %rax, %rbx */
	case 2: EMIT(e, 0x48, 0x31, 0xda); break;                   /* xor %rbx, %rdx */
	case 3: EMIT(e, 0x48, 0x6b, 0xd2, 0x03); break;             /* imul $3, %rdx, %rdx */
	case 4: EMIT(e, 0x48, 0xd1, 0xc8); break;                   /* ror %rax */
	case 5: EMIT(e, 0x48, 0x8d, 0x5c, 0x03, 0x01); break;       /* lea 1(%rbx,%rax), %rbx */
	case 6: EMIT(e, 0x48, 0x89, 0x86); emit32(e, off); break;   /* mov %rax, off(%rsi) */
	case 7: EMIT(e, 0x48, 0x03, 0x86); emit32(e, off); break;   /* add off(%rsi), %rax */
	case 8: EMIT(e, 0x48, 0x89, 0x44, 0x24, zone); break;       /* mov %rax, zone(%rsp) */
	case 9: EMIT(e, 0x48, 0x8b, 0x54, 0x24, zone); break;       /* mov zone(%rsp), %rdx */
	case 10: EMIT(e, 0x48, 0x83, 0xd0, 0x00); break;            /* adc $0, %rax */
	case 11: EMIT(e, 0x66, 0x0f, 0xfe, 0xc8); break;            /* paddd %xmm0, %xmm1 */
	case 12: EMIT(e, 0x66, 0x48, 0x0f, 0x6e, 0xc0); break;      /* movq %rax, %xmm0 */
	case 13: EMIT(e, 0x48, 0x25, 0x07, 0x00, 0x00, 0x00); break;/* and $7, %rax: states come again */
	case 14: EMIT(e, 0xb8); emit32(e, rnd(100)); break;         /* mov $, %eax: likewise */
	case 15: EMIT(e, 0xbb); emit32(e, rnd(3)); break;           /* mov $, %ebx */
	case 16: EMIT(e, 0x31, 0xd2); break;                        /* xor %edx, %edx */
	case 17: EMIT(e, 0x53, 0x5d); break;                        /* push %rbx; pop %rbp */
	case 18: EMIT(e, 0x0f, 0x1f, 0x44, 0x00, 0x00); break;      /* nop */
	case 19: EMIT(e, 0x90); break;
	case 20: EMIT(e, 0xa8, 0x01, 0x74, 0x03, 0x49, 0xff, 0xc0); break; /* test $1, %al; jz; inc %r8 */
	case 21: EMIT(e, 0xeb, 0x02, 0x0f, 0x0b, 0x4d, 0x89, 0xc1); break; /* jmp over ud2; mov %r8, %r9 */
	case 22: EMIT(e, 0xe8, 0x02, 0, 0, 0, 0xeb, 0x04, 0x48, 0xff, 0xc2, 0xc3); break; /* call; jmp; inc %rdx; ret */
	case 23:                                                    /* a repeated store, with the registers it needs */
		EMIT(e, 0x51, 0x48, 0x8d, 0xbe);
		emit32(e, off);
		EMIT(e, 0xb9);
		emit32(e, 1 + rnd(60));
		EMIT(e, 0xf3, 0xaa, 0x59);
		e->insns += 4;
		break;
	}
}

static void bodies(struct emitter *e, unsigned n)
{
	while (n--)
		body(e);
}

static void jump_back(struct emitter *e, uint8_t condition, unsigned to)
{
	EMIT(e, 0x0f, condition);
	emit32(e, (uint32_t)(to - (e->n + 4)));
}

/* Counts the pass and leaves its number in r12. */
static void count_pass(struct emitter *e, unsigned kind)
{
	switch (kind) {
	case 0:
		EMIT(e, 0x49, 0xff, 0xc7, 0x4d, 0x89, 0xfc); /* inc %r15; mov %r15, %r12 */
		break;
	case 1:
		EMIT(e, 0x48, 0xff, 0x86); /* incq OUTER(%rsi); mov OUTER(%rsi), %r12 */
		emit32(e, OUTER);
		EMIT(e, 0x4c, 0x8b, 0xa6);
		emit32(e, OUTER);
		break;
	case 2:
		EMIT(e, 0x66, 0x0f, 0xd4, 0xec, 0x66, 0x49, 0x0f, 0x7e, 0xec); /* paddq %xmm4, %xmm5; movq %xmm5, %r12 */
		break;
	case 3:
		EMIT(e, 0x48, 0xff, 0x44, 0x24, 0x20, 0x4c, 0x8b, 0x64, 0x24, 0x20); /* incq 32(%rsp); mov 32(%rsp), %r12 */
		break;
	}
}

static void generate(struct emitter *e)
{
	unsigned inner = rnd(4) ? 1 + rnd(300) : 1, before, outer_insns, to_done[2];

	*e = (struct emitter){ 0 };
	EMIT(e, 0xb9);
	emit32(e, inner);
	before = e->n;
	bodies(e, rnd(8));
	outer_insns = (e->insns + 2) * inner;
	if (rnd(3) || e->n - before > 100)
		EMIT(e, 0xff, 0xc9), jump_back(e, 0x85, before);      /* dec %ecx; jnz */
	else
		EMIT(e, 0xe2, (uint8_t)(before - (e->n + 2)));        /* loop */
	e->insns = 0;
	bodies(e, rnd(4));
	outer_insns += e->insns + 9;
	count_pass(e, rnd(4));
	EMIT(e, 0x49, 0x81, 0xfc);                                    /* cmp $, %r12; jae done */
	emit32(e, (uint32_t)(WORK / outer_insns));
	EMIT(e, 0x0f, 0x83);
	to_done[0] = e->n;
	emit32(e, 0);
	EMIT(e, 0x45, 0x31, 0xe4);                                    /* xor %r12d, %r12d */
	EMIT(e, 0x4c, 0x8b, 0x2e, 0x4d, 0x01, 0xee, 0x49, 0x81, 0xfe); /* mov (%rsi), %r13; add %r13, %r14; cmp $, %r14 */
	emit32(e, 1 + rnd(40));
	EMIT(e, 0x0f, 0x83);                                          /* jae done */
	to_done[1] = e->n;
	emit32(e, 0);
	EMIT(e, 0xe9);
	emit32(e, (uint32_t)-(int)(e->n + 4));
	for (unsigned i = 0; i < 2; i++)
		memcpy(e->byte + to_done[i], &(uint32_t){ e->n - (to_done[i] + 4) }, 4);
	EMIT(e, 0x0f, 0x05);
}

/* ---- the machine ---- */

struct ending {
	struct guest_regs regs;
	uint64_t memory, xsave;
};

static struct landing landing;
static struct landing_timer timer;
static struct seek seek;
static struct event point;           /* what a recording would hold */
static unsigned char annex[sizeof(siginfo_t) + POINT_ENCODED_MAX];
static struct ending ending;
static bool recording, placed, first_run;
static uint32_t delay;

static uint8_t *at(uint64_t addr)
{
	return (uint8_t *)(uintptr_t)addr;
}

/* What a signal's handler might do: from here on every pass counts. */
static void mark(void)
{
	placed = true;
	at(data_at)[CELL] = 1;
}

static int op_turn(struct session *s, struct task **t)
{
	(void)s, (void)t;
	return 0;
}

static int op_preempt(struct session *s, struct task *t, bool at_point)
{
	(void)s, (void)t, (void)at_point;
	return 0;
}

static int op_resume(struct session *s, struct task *t)
{
	(void)s;
	if (!recording)
		return placed ? 0 : seek_resume(&seek, t, &point);
	if (first_run)
		landing_tick(&landing, delay);
	first_run = false;
	return 0;
}

static int op_kicked(struct session *s, struct task *t)
{
	(void)s;
	if (recording)
		return landing_kicked(&landing, t, !placed);
	landmark_disarm(t);
	return 0;
}

static int op_landed(struct session *s, struct task *t)
{
	(void)s;
	return recording ? landing_hit(&landing, t) : seek_hit(&seek, t, &point);
}

static int op_signal(struct session *s, struct task *t, bool after, siginfo_t *si)
{
	const struct exec_point *p;

	(void)s, (void)si;
	if (!after || placed)
		return 0;
	if (!recording) {
		if (seek_end(&seek, t))
			mark();
		return 0;
	}
	p = landing_stop(&landing, t);
	if (!p)
		return 0;
	point = (struct event){ .type = REC_SIGNAL, .flags = REC_F_AFTER | REC_F_POINT, .regs = *t->regs, .annex = annex };
	point.annex_len = (uint32_t)(sizeof(siginfo_t) + exec_point_encode(p, annex + sizeof(siginfo_t)));
	mark();
	return 0;
}

static uint64_t sum_of_extended_state(struct task *t)
{
	size_t size = vm_cpu(t->proc->vm)->xsave_size;
	uint8_t x[16384];

	ck_assert_uint_le(size, sizeof(x));
	ck_assert_int_eq(vcpu_get_xsave(t->vcpu, x, size), 0);
	return XXH3_64bits(x, size);
}

static int op_syscall(struct session *s, struct task *t, const struct sys_desc *desc, int64_t *ret)
{
	(void)s, (void)desc;
	landing_stop(&landing, t);
	ending.regs = *t->regs;
	ending.memory = XXH3_64bits(at(data_at), DATA_LEN) ^ XXH3_64bits(at(stack_at), STACK_LEN);
	ending.xsave = sum_of_extended_state(t);
	t->dead = true;
	*ret = 0;
	return 0;
}

static int op_fault(struct session *s, struct task *t, const siginfo_t *si)
{
	(void)s;
	ck_abort_msg("signal %d at %#" PRIx64 ", vector %u", si->si_signo, (uint64_t)t->regs->rip, t->stop.vector);
	return -EFAULT;
}

static int op_exited(struct session *s, struct task *t)
{
	(void)s;
	t->dead = false;
	return 0;
}

static const struct session_ops ops = {
	.name = "test", .turn = op_turn, .preempt = op_preempt, .resume = op_resume, .kicked = op_kicked, .landed = op_landed,
	.signal = op_signal, .syscall = op_syscall, .fault = op_fault, .exited = op_exited,
};

static uint64_t map(uint64_t len, int prot)
{
	int64_t addr = mm_map(task->proc->mm, &(struct mm_request){
		.len = len, .prot = prot, .flags = MAP_PRIVATE | MAP_ANONYMOUS });

	ck_assert_msg(addr > 0, "no mapping: %" PRId64, addr);
	return (uint64_t)addr;
}

static void machine(void)
{
	char why[256];

	ck_assert_msg(kvm_host_open(&g.host, why, sizeof(why)) == 0, "%s", why);
	ck_assert_msg(cpu_table_make(&g.host, CPU_HOST, &g.cpu, why, sizeof(why)) == 0, "%s", why);
	session.ops = &ops;
	ck_assert_msg(process_create(&session, &g.host, &g.cpu, getpid(), &task, why, sizeof(why)) == 0, "%s", why);
	guest_mem_bind(task->proc->mm);
	ck_assert_int_eq(signal_host_guard(), 0);
	signal_host_thread(task);
	landing.timer = &timer;
	code_at[0] = map(PAGE_SIZE_4K, RWX);
	code_at[1] = map(PAGE_SIZE_4K, RX);
	data_at = map(DATA_LEN, RW);
	stack_at = map(STACK_LEN, RW);
}

static void load(uint64_t addr, const struct emitter *e)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pwrite(fd, e->byte, e->n, (off_t)addr), e->n);
	close(fd);
}

static void begin(uint64_t code)
{
	uint8_t x[16384] = { 0 };
	size_t size = vm_cpu(task->proc->vm)->xsave_size;

	memset(at(data_at), 0, DATA_LEN);
	memset(at(stack_at), 0, STACK_LEN);
	*task->regs = (struct guest_regs){
		.rax = 1, .rbx = 2, .rdx = 3, .rsi = data_at, .rsp = stack_at + STACK_LEN - 512, .rip = code, .rflags = 0x202,
	};
	memcpy(x, &(uint16_t){ 0x37f }, 2);
	memcpy(x + 24, &(uint32_t){ 0x1f80 }, 4);
	x[512] = 3;
	x[160 + 16 * 4] = 1; /* xmm4: what xmm5 is counted by */
	ck_assert_int_eq(vcpu_set_xsave(task->vcpu, x, size), 0);
	placed = false;
	first_run = true;
	ending = (struct ending){ 0 };
}

/* One point: false when the program came to its end before a place was found. */
static bool find_one(unsigned number)
{
	struct emitter e;
	struct ending recorded;
	uint64_t code;

	state = number * 0x9e3779b97f4a7c15ULL + 1;
	rnd(1);
	generate(&e);
	code = code_at[rnd(2)] + rnd(500);
	delay = 1 + rnd(1500000);
	load(code, &e);
	recording = true;
	begin(code);
	ck_assert_int_eq(task_loop(task), 0);
	if (!placed)
		return false;
	recorded = ending;
	recording = false;
	seek = (struct seek){ 0 };
	begin(code);
	ck_assert_int_eq(task_loop(task), 0);
	ck_assert_msg(placed, "program %u: the place at %#" PRIx64 " was missed, %" PRIu64 " false hits, %s", number,
		      (uint64_t)point.regs.rip - code, seek.false_hits, seek.differed ? seek.differed : "nothing near");
	ck_assert_msg(!memcmp(&recorded, &ending, sizeof(ending)), "program %u: another pass of %#" PRIx64 " was found", number,
		      (uint64_t)point.regs.rip - code);
	return true;
}

START_TEST(test_points)
{
	unsigned wanted = getenv("SANDREC_TEST_FULL") ? POINTS_FULL : POINTS, found = 0, number = 0;

	for (; found < wanted; number++) {
		found += find_one(number);
		ck_assert_msg(number < 100 || found > number / 4, "only %u of %u programs were interrupted", found, number);
	}
	printf("# %u points in %u programs\n", found, number);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("point search");
	TCase *points = tcase_create("points");

	tcase_add_checked_fixture(points, machine, NULL);
	tcase_add_test(points, test_points);
	tcase_set_timeout(points, 7200);
	suite_add_tcase(s, points);
	return vmm_main(s);
}
