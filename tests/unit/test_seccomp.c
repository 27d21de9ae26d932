/*
 * The guest's system call filters: what is accepted and what they answer, compared with this machine's kernel on random
 * programs; installing, strictness, and the state's way over an execution.
 */
#include <linux/audit.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "guest_double.h"
#include "guestlib/vdso.h"
#include "syscall-emu/seccomp.h"
#include "syscall-emu/seccomp_bpf.h"
#include "tests/unit/unit.h"

#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define LOAD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define PROG_AT MEM_BASE
#define INSN_AT (MEM_BASE + 0x1000)

static struct guest_regs regs;

/* ---- the kernel's opinion ---- */

#define PROBE SYS_getppid
#define BODY_MAX 24
enum { PREFIX = 3, SUFFIX = 3 };

struct outcome { int refused; int status; long ret; }; /* errno of the installation; death; result of the call */

static uint64_t state;

static uint32_t rnd(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 20) % n;
}

static uint32_t rnd_value(void)
{
	static const uint32_t some[] = { 0, 1, 2, 31, 32, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, PROBE };

	return rnd(2) ? some[rnd(LEN(some))] : rnd(0x7fffffff) * 2 + rnd(2);
}

static struct sock_filter rnd_insn(unsigned left)
{
	static const uint16_t plain[] = {
		BPF_LD | BPF_IMM, BPF_LDX | BPF_IMM, BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA, BPF_ALU | BPF_NEG,
		BPF_LD | BPF_W | BPF_LEN, BPF_LDX | BPF_W | BPF_LEN,
	};
	static const uint16_t alu[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_AND, BPF_OR, BPF_XOR, BPF_LSH, BPF_RSH };
	static const uint16_t jump[] = { BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET };
	static const uint16_t mem[] = { BPF_ST, BPF_STX, BPF_ST, BPF_STX, BPF_LD | BPF_MEM, BPF_LDX | BPF_MEM };
	uint16_t src = rnd(2) ? BPF_X : BPF_K;

	switch (rnd(7)) {
	case 0:
		return (struct sock_filter){ plain[rnd(LEN(plain))], 0, 0, rnd_value() };
	case 1:
		return (struct sock_filter){ BPF_LD | BPF_W | BPF_ABS, 0, 0, rnd(16) * 4 };
	case 2:
		return (struct sock_filter){ mem[rnd(LEN(mem))], 0, 0, rnd(3) };
	case 3:
	case 4: {
		uint16_t op = alu[rnd(LEN(alu))];

		return (struct sock_filter){ BPF_ALU | op | src, 0, 0,
					     op == BPF_LSH || op == BPF_RSH ? rnd(32) : rnd_value() };
	}
	case 5:
		return (struct sock_filter){ BPF_JMP | jump[rnd(LEN(jump))] | src, (uint8_t)rnd(left < 4 ? left : 4),
					     (uint8_t)rnd(left < 4 ? left : 4), rnd_value() };
	default:
		return (struct sock_filter){ BPF_JMP | BPF_JA, 0, 0, rnd(left < 3 ? left : 3) };
	}
}

/* Something that a checker might overlook, in a program that is good otherwise. */
static void spoil(struct sock_filter *i)
{
	switch (rnd(5)) {
	case 0:
		i->code = (uint16_t)rnd(0x10000);
		break;
	case 1:
		i->code ^= (uint16_t)(1u << rnd(9));
		break;
	case 2:
		i->k = rnd_value();
		break;
	case 3:
		i->jt = (uint8_t)rnd(256);
		break;
	case 4:
		i->code = (uint16_t)rnd(0x100);
		i->k = rnd(64);
		break;
	}
}

/* Passes every call but PROBE, whose answer is computed: an error number, now and then something else. */
static unsigned rnd_program(struct sock_filter *f)
{
	static const uint32_t answers[] = {
		SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | 5, SECCOMP_RET_TRACE | 3, SECCOMP_RET_TRAP, SECCOMP_RET_KILL_PROCESS,
	};
	unsigned body = 1 + rnd(BODY_MAX), n = 0;

	f[n++] = (struct sock_filter)LOAD(nr);
	f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROBE, 1, 0);
	f[n++] = (struct sock_filter)ALLOW;
	for (unsigned i = 0; i < body; i++)
		f[n++] = rnd_insn(body - i + SUFFIX - 1);
	if (rnd(8) == 0)
		f[n - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answers[rnd(LEN(answers))]);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO);
	f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
	if (rnd(3) == 0)
		spoil(&f[PREFIX + rnd(n - PREFIX)]);
	return n;
}

static void child(const struct sock_filter *f, unsigned len, const uint64_t a[6], struct outcome *o)
{
	struct sock_fprog p = { (unsigned short)len, (struct sock_filter *)f };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p)) {
		o->refused = errno;
		_exit(0);
	}
	o->ret = syscall(PROBE, a[0], a[1], a[2], a[3], a[4], a[5]);
	o->ret = o->ret < 0 ? -errno : 1;
	_exit(0);
}

static struct outcome ask_kernel(const struct sock_filter *f, unsigned len, const uint64_t a[6], struct outcome *shared)
{
	struct outcome o;
	int status;
	pid_t pid;

	*shared = (struct outcome){ 0 };
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		child(f, len, a, shared);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	o = *shared;
	o.status = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	return o;
}

static struct outcome ask_us(const struct sock_filter *f, unsigned len, const uint64_t a[6])
{
	struct seccomp_data d = { .nr = PROBE, .arch = AUDIT_ARCH_X86_64 };
	struct outcome o = { 0 };
	uint32_t v;

	memcpy(d.args, a, sizeof(d.args));
	if (seccomp_bpf_check(f, len) < 0) {
		o.refused = EINVAL;
		return o;
	}
	v = seccomp_bpf_run(f, len, &d);
	switch (v & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		o.ret = 1;
		break;
	case SECCOMP_RET_ERRNO:
		o.ret = (v & 0xffff) ? -(long)(v & 0xffff) : 1; /* the child cannot tell 0 from a number */
		if (o.ret < -4095)
			o.ret = -4095;
		break;
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_USER_NOTIF:
		o.ret = -ENOSYS;
		break;
	default:
		o.status = SIGSYS;
	}
	return o;
}

/* The place of the call is not the same in both: no answer may depend on it. */
static bool looks_at_place(const struct sock_filter *f, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		if (f[i].code == (BPF_LD | BPF_W | BPF_ABS) && (f[i].k == 8 || f[i].k == 12))
			return true;
	return false;
}

static void show(const struct sock_filter *f, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		printf("# %2u: code %#x jt %u jf %u k %#x\n", i, f[i].code, f[i].jt, f[i].jf, f[i].k);
	fflush(stdout);
}

static bool kernel_has_filters(struct outcome *shared)
{
	struct sock_filter ok = ALLOW;
	uint64_t a[6] = { 0 };

	return !ask_kernel(&ok, 1, a, shared).refused;
}

START_TEST(test_as_kernel)
{
	struct outcome *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned refused = 0, answered = 0, killed = 0;

	ck_assert_ptr_ne(shared, MAP_FAILED);
	if (!kernel_has_filters(shared)) {
		printf("# this machine's kernel takes no filters: not compared\n");
		return;
	}
	state = 0x9e3779b97f4a7c15 * (uint64_t)(_i + 1);
	for (unsigned n = 0; n < 150; n++) {
		struct sock_filter f[PREFIX + BODY_MAX + SUFFIX];
		unsigned len = rnd_program(f);
		uint64_t a[6];
		struct outcome k, u;

		if (looks_at_place(f, len))
			continue;
		for (unsigned i = 0; i < 6; i++)
			a[i] = (uint64_t)rnd_value() << 32 | rnd_value();
		k = ask_kernel(f, len, a, shared);
		u = ask_us(f, len, a);
		if (k.refused != u.refused || k.status != u.status || k.ret != u.ret)
			show(f, len);
		ck_assert_int_eq(k.refused, u.refused);
		ck_assert_int_eq(k.status, u.status);
		ck_assert_int_eq(k.ret, u.ret);
		refused += k.refused != 0;
		killed += k.status != 0;
		answered += k.ret < 0;
	}
	/* The programs are worth comparing. */
	ck_assert_uint_gt(refused, 10);
	ck_assert_uint_gt(answered, 20);
	ck_assert_uint_gt(killed, 0);
}
END_TEST

/* ---- installing ---- */

static int64_t with_facts(const struct sys_desc *d, uint8_t facts, uint64_t a0, uint64_t a1, uint64_t a2)
{
	const uint64_t nr = d->emulate == do_seccomp ? SYS_seccomp : SYS_prctl;

	ck_assert_int_eq(plan_build(&task.plan, &task, d, nr, (const uint64_t[6]){ a0, a1, a2 }), 0);
	plan_set_annex(&task.plan, &facts, sizeof(facts));
	return d->emulate(&task, &task.plan);
}

static int64_t install(const struct sock_filter *f, unsigned len, uint8_t facts)
{
	struct sock_fprog p = { (unsigned short)len, at(INSN_AT) };

	memcpy(at(PROG_AT), &p, sizeof(p));
	memcpy(at(INSN_AT), f, len * sizeof(*f));
	return with_facts(sys_by_name("seccomp$SECCOMP_SET_MODE_FILTER"), facts, SECCOMP_SET_MODE_FILTER, 0, PROG_AT);
}

static const struct sys_desc *row_for(uint64_t nr, uint64_t arg0)
{
	regs.rax = nr;
	regs.rdi = arg0;
	return seccomp_filtered_row(&task, sys_row((unsigned)nr));
}

static int64_t refuse_with(const struct sys_desc *d)
{
	ck_assert(seccomp_is_refusal(d));
	return d->emulate(&task, &task.plan);
}

/* What the host once said decides, not this process's own rights. */
START_TEST(test_permission)
{
	struct sock_filter ok = ALLOW;

	ck_assert_int_eq(install(&ok, 1, 0), -EACCES);
	ck_assert_uint_eq(task.seccomp.mode, SECCOMP_MODE_DISABLED);
	ck_assert_int_eq(install(&ok, 1, 1), 0);
	ck_assert_uint_eq(task.seccomp.mode, SECCOMP_MODE_FILTER);
	ck_assert_uint_eq(task.seccomp.count, 1);
}
END_TEST

START_TEST(test_strict)
{
	const struct sys_desc *strict = sys_by_name("prctl$PR_SET_SECCOMP");
	struct sock_filter ok = ALLOW;

	ck_assert_int_eq(with_facts(strict, 2, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0), -EINVAL);
	ck_assert_int_eq(with_facts(strict, 0, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0), 0);
	ck_assert_ptr_eq(row_for(SYS_read, 0), sys_row(SYS_read));
	ck_assert_ptr_eq(row_for(SYS_exit, 0), sys_row(SYS_exit));
	ck_assert_ptr_eq(row_for(SYS_rt_sigreturn, 0), sys_row(SYS_rt_sigreturn));
	ck_assert_int_eq(refuse_with(row_for(SYS_exit_group, 0)), SYS_REGS_SET);
	ck_assert(task.dead);
	ck_assert_int_eq(task.wait_status, SIGKILL);

	seccomp_release(&task);
	ck_assert_int_eq(install(&ok, 1, 1), 0);
	ck_assert_int_eq(with_facts(strict, 1, PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0), -EINVAL);
}
END_TEST

static void install_answer(uint32_t nr, uint32_t answer)
{
	const struct sock_filter f[] = {
		LOAD(nr), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), BPF_STMT(BPF_RET | BPF_K, answer), ALLOW,
	};

	ck_assert_int_eq(install(f, LEN(f), 1), 0);
}

START_TEST(test_answers)
{
	install_answer(SYS_getuid, SECCOMP_RET_LOG);
	install_answer(SYS_getgid, SECCOMP_RET_ERRNO | EPERM);
	install_answer(SYS_getgid, SECCOMP_RET_ERRNO | EACCES);
	install_answer(SYS_getgid, SECCOMP_RET_LOG);
	install_answer(SYS_getpid, SECCOMP_RET_ERRNO | 0xffff);
	install_answer(SYS_gettid, SECCOMP_RET_USER_NOTIF);
	install_answer(SYS_getsid, SECCOMP_RET_KILL_THREAD);
	ck_assert_ptr_eq(row_for(SYS_getuid, 0), sys_row(SYS_getuid));
	ck_assert_int_eq(refuse_with(row_for(SYS_getgid, 0)), -EACCES);
	ck_assert_int_eq(refuse_with(row_for(SYS_getpid, 0)), -4095);
	ck_assert_int_eq(refuse_with(row_for(SYS_gettid, 0)), -ENOSYS);
	ck_assert(!task.dead);
	ck_assert_int_eq(refuse_with(row_for(SYS_getsid, 0)), SYS_REGS_SET);
	ck_assert(task.dead);
	ck_assert_int_eq(task.wait_status, SIGSYS | 0x80);
}
END_TEST

/* Only the calls Linux's vDSO does not make, and only from ours. */
START_TEST(test_vdso)
{
	install_answer(SYS_clock_gettime, SECCOMP_RET_ERRNO | EPERM);
	install_answer(SYS_getuid, SECCOMP_RET_ERRNO | EPERM);
	ck_assert(seccomp_is_refusal(row_for(SYS_clock_gettime, CLOCK_REALTIME)));
	proc.vdso = MEM_BASE + 0x20000;
	ck_assert(seccomp_is_refusal(row_for(SYS_clock_gettime, CLOCK_REALTIME)));
	regs.rip = proc.vdso + guest_vdso_size;
	ck_assert(seccomp_is_refusal(row_for(SYS_clock_gettime, CLOCK_REALTIME)));
	regs.rip = proc.vdso + 16;
	ck_assert(!seccomp_is_refusal(row_for(SYS_clock_gettime, CLOCK_REALTIME)));
	ck_assert(seccomp_is_refusal(row_for(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID)));
	ck_assert(seccomp_is_refusal(row_for(SYS_clock_gettime, 1000)));
	ck_assert(seccomp_is_refusal(row_for(SYS_getuid, 0)));
	task.seccomp.mode = SECCOMP_MODE_STRICT;
	ck_assert(seccomp_is_refusal(row_for(SYS_clock_gettime, CLOCK_REALTIME)));
	ck_assert(!seccomp_is_refusal(row_for(SYS_clock_gettime, CLOCK_REALTIME_COARSE)));
}
END_TEST

/* ---- over an execution ---- */

START_TEST(test_save)
{
	struct task other = { .proc = &proc, .regs = &regs };
	void *blob, *again;
	uint32_t len, len2;

	ck_assert_int_eq(seccomp_save(&task, &blob, &len), 0);
	ck_assert_int_eq(seccomp_restore(&other, blob, len), 0);
	ck_assert_uint_eq(other.seccomp.mode, SECCOMP_MODE_DISABLED);
	free(blob);

	install_answer(SYS_getuid, SECCOMP_RET_ERRNO | EPERM);
	install_answer(SYS_getuid, SECCOMP_RET_ERRNO | EACCES);
	install_answer(SYS_getgid, SECCOMP_RET_ERRNO | ENOENT);
	ck_assert_int_eq(seccomp_save(&task, &blob, &len), 0);
	for (uint32_t cut = 0; cut < len; cut++) {
		void *exact = malloc(cut ? cut : 1);

		memcpy(exact, blob, cut);
		ck_assert_int_eq(seccomp_restore(&other, exact, cut), -EBADMSG);
		free(exact);
	}
	ck_assert_ptr_null(other.seccomp.newest);
	ck_assert_int_eq(seccomp_restore(&other, blob, len), 0);
	ck_assert_uint_eq(other.seccomp.count, 3);
	ck_assert_uint_eq(other.seccomp.mode, SECCOMP_MODE_FILTER);
	ck_assert_int_eq(seccomp_save(&other, &again, &len2), 0);
	ck_assert_uint_eq(len, len2);
	ck_assert_mem_eq(blob, again, len);
	seccomp_release(&task);
	seccomp_inherit(&task, &other);
	seccomp_release(&other);
	ck_assert_int_eq(refuse_with(row_for(SYS_getuid, 0)), -EACCES);
	ck_assert_int_eq(refuse_with(row_for(SYS_getgid, 0)), -ENOENT);
	free(blob);
	free(again);
}
END_TEST

/* Threads share filters: what one adds is its own, and what one gives up stays the other's. */
START_TEST(test_inherit)
{
	struct task other = { .proc = &proc, .regs = &regs };

	install_answer(SYS_getuid, SECCOMP_RET_ERRNO | EPERM);
	seccomp_inherit(&other, &task);
	install_answer(SYS_getuid, SECCOMP_RET_ERRNO | EACCES);
	ck_assert_uint_eq(other.seccomp.count, 1);
	ck_assert_int_eq(refuse_with(row_for(SYS_getuid, 0)), -EACCES);
	seccomp_release(&task);
	ck_assert_ptr_eq(row_for(SYS_getuid, 0), sys_row(SYS_getuid));
	seccomp_inherit(&task, &other);
	seccomp_release(&other);
	ck_assert_int_eq(refuse_with(row_for(SYS_getuid, 0)), -EPERM);
}
END_TEST

/* No number of filters passes the limit, whichever way they come. */
START_TEST(test_limit)
{
	static struct sock_filter f[BPF_MAXINSNS];
	struct task other = { .proc = &proc };
	uint32_t len, count;
	void *blob;
	int64_t rc = 0;

	for (unsigned i = 0; i < BPF_MAXINSNS; i++)
		f[i] = (struct sock_filter)ALLOW;
	for (unsigned n = BPF_MAXINSNS; n; n--)
		while ((rc = install(f, n, 1)) == 0)
			;
	ck_assert_int_eq(rc, -ENOMEM);
	/* The longest costs 3 + 2 * 4096, and 4 more under others: three fit, and shorter ones beside them. */
	ck_assert_uint_ge(task.seccomp.count, 4);
	ck_assert_int_eq(seccomp_save(&task, &blob, &len), 0);
	ck_assert_int_eq(seccomp_restore(&other, blob, len), 0);
	count = task.seccomp.count + 1;
	memcpy((char *)blob + 4, &count, sizeof(count));
	ck_assert_int_eq(seccomp_restore(&other, blob, len), -EBADMSG);
	free(blob);
	seccomp_release(&other);
}
END_TEST

static void setup(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	guest_setup();
	task.regs = &regs;
	task.dead = false;
}

static void teardown(void)
{
	seccomp_release(&task);
	guest_teardown();
}

int main(void)
{
	Suite *s = suite_create("seccomp");
	TCase *c = tcase_create("seccomp");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, test_as_kernel, 0, 4);
	tcase_add_test(c, test_permission);
	tcase_add_test(c, test_strict);
	tcase_add_test(c, test_answers);
	tcase_add_test(c, test_vdso);
	tcase_add_test(c, test_save);
	tcase_add_test(c, test_inherit);
	tcase_add_test(c, test_limit);
	suite_add_tcase(s, c);
	return unit_run(s);
}
