/* Probes of what a host's KVM does. Contract: selftest.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/pmu_proof.h"
#include "vmm/probe.h"

#define ROUNDS 301

#define SYSCALL 0x0f, 0x05

bool host_honours_xcr0(const struct kvm_host *h, const struct cpu_table *t)
{
	cleanup_free struct cpu_table *narrow = malloc(sizeof(*narrow));
	probe_scope struct probe p = { 0 };
	struct guest_regs *r;

	if (!narrow)
		return false;
	*narrow = *t;
	narrow->xcr0 &= 3;
	if (probe_begin(&p, h, narrow) < 0)
		return false;
	/* xor %ecx,%ecx; xgetbv; mov %eax,%ebx; syscall */
	if (PROBE_RUN(&p, 0x31, 0xc9, 0x0f, 0x01, 0xd0, 0x89, 0xc3, SYSCALL) < 0 || p.exit.stop != VCPU_SYSCALL)
		return false;
	r = vcpu_regs(p.vcpu);
	return r->rbx == narrow->xcr0 && r->rdx == 0;
}

/* Does cpuid show the (marked) table, or the machine's own values? */
static bool traps_cpuid(struct probe *p, const struct cpu_table *marked)
{
	/* mov $0x80000002,%eax; cpuid; mov %eax,%esi; syscall: the brand string's first letters */
	if (PROBE_RUN(p, 0xb8, 2, 0, 0, 0x80, 0x0f, 0xa2, 0x89, 0xc6, SYSCALL) < 0 || p->exit.stop != VCPU_SYSCALL)
		return true;
	for (uint32_t i = 0; i < marked->n; i++)
		if (marked->e[i].function == 0x80000002)
			return vcpu_regs(p->vcpu)->rsi == marked->e[i].eax;
	return true;
}

/* Instructions whose results differ from run to run and that CPUID says are not there. */
static const struct {
	uint8_t len, code[14];
} masked[TEXT_KINDS] = {
	[TEXT_RDRAND] = { 5, { 0x0f, 0xc7, 0xf0, SYSCALL } },
	[TEXT_RDSEED] = { 5, { 0x0f, 0xc7, 0xf8, SYSCALL } },
	[TEXT_RDPID] = { 6, { 0xf3, 0x0f, 0xc7, 0xf8, SYSCALL } },
	[TEXT_XBEGIN] = { 11, { 0xc7, 0xf8, 3, 0, 0, 0, 0x0f, 0x01, 0xd5, SYSCALL } },
};

unsigned host_untrapped(const struct kvm_host *h, const struct cpu_table *t)
{
	cleanup_free struct cpu_table *marked = malloc(sizeof(*marked));
	probe_scope struct probe p = { 0 };
	const uint32_t mark = 0x5a5a0000;
	unsigned kinds = 0;

	if (!marked)
		return 0;
	*marked = *t;
	for (uint32_t i = 0; i < marked->n; i++)
		if (marked->e[i].function == 0x80000002)
			marked->e[i].eax ^= mark;
	if (probe_begin(&p, h, marked) < 0)
		return 0;
	if (!traps_cpuid(&p, marked))
		kinds |= TEXT_BIT(TEXT_CPUID);
	for (unsigned k = 0; k < TEXT_KINDS; k++)
		if (masked[k].len && probe_run(&p, masked[k].code, masked[k].len) == 0 && p.exit.stop == VCPU_SYSCALL)
			kinds |= TEXT_BIT(k);
	return kinds;
}

__attribute__((format(printf, 4, 5)))
static void fact(struct host_report *r, const char *name, enum verdict v, const char *fmt, ...)
{
	struct host_fact *f;
	va_list ap;

	if (r->n == HOST_FACTS_MAX)
		return;
	f = &r->fact[r->n++];
	f->name = name;
	f->verdict = v;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median of a stop and the way back, for code that loops over one stop; skip is added to rip at each. */
static double round_trip(struct probe *p, enum vcpu_stop stop, unsigned skip)
{
	double t[ROUNDS], at;

	for (unsigned i = 0; i < ROUNDS; i++) {
		vcpu_regs(p->vcpu)->rip += skip;
		at = now_ns();
		if (vcpu_run(p->vcpu, &p->exit) < 0 || p->exit.stop != stop)
			return 0;
		t[i] = now_ns() - at;
	}
	qsort(t, ROUNDS, sizeof(t[0]), by_value);
	return t[ROUNDS / 2];
}

static void measure_stops(const struct kvm_host *h, const struct cpu_table *t, struct host_report *r)
{
	probe_scope struct probe p = { 0 };

	if (probe_begin(&p, h, t) < 0)
		return;
	/* 1: syscall; jmp 1b */
	if (PROBE_RUN(&p, SYSCALL, 0xeb, 0xfc) == 0 && p.exit.stop == VCPU_SYSCALL)
		r->syscall_ns = round_trip(&p, VCPU_SYSCALL, 0);
	r->syscall_cpl0 = p.vm->syscall_cpl0;
	/* 1: ud2; jmp 1b */
	if (PROBE_RUN(&p, 0x0f, 0x0b, 0xeb, 0xfc) == 0 && p.exit.stop == VCPU_EXCEPTION)
		r->exception_ns = round_trip(&p, VCPU_EXCEPTION, 2);
	if (r->syscall_ns > 0)
		fact(r, "system calls", VERDICT_GOOD, r->syscall_cpl0 ?
		     "enter CPL 0 (a hardware KVM: VMX or SVM)" :
		     "stay at CPL 3 (a software KVM: no VMX or SVM below)");
	else
		fact(r, "system calls", VERDICT_BAD, "do not stop the virtual CPU: %s", p.exit.why);
	fact(r, "system call exit", r->syscall_ns > 10000 ? VERDICT_LIMITED : VERDICT_GOOD, "%.1f us there and back",
	     r->syscall_ns / 1000);
	fact(r, "exception exit", r->exception_ns > 0 ? VERDICT_GOOD : VERDICT_BAD, "%.1f us there and back",
	     r->exception_ns / 1000);
}

static void check_tsc(const struct kvm_host *h, const struct cpu_table *t, struct host_report *r)
{
	probe_scope struct probe p = { 0 };

	r->tsc_traps = probe_begin(&p, h, t) == 0 && PROBE_RUN(&p, 0x0f, 0x31, SYSCALL) == 0 &&
		       p.exit.stop == VCPU_EXCEPTION && p.exit.vector == 13;
	if (r->tsc_traps)
		fact(r, "rdtsc", VERDICT_GOOD, "can be trapped: recorded and replayed");
	else
		fact(r, "rdtsc", VERDICT_BAD, "cannot be trapped: programs that use it will not replay");
}

static void check_step(const struct kvm_host *h, const struct cpu_table *t, struct host_report *r)
{
	probe_scope struct probe p = { 0 };
	struct guest_regs *g;
	bool works = false;

	if (probe_begin(&p, h, t) == 0 && PROBE_RUN(&p, SYSCALL, 0x90, 0x90, SYSCALL) == 0) {
		g = vcpu_regs(p.vcpu);
		g->rflags |= RFLAGS_TF;
		g->r11 = g->rflags;
		works = vcpu_run(p.vcpu, &p.exit) == 0 && p.exit.stop == VCPU_EXCEPTION && p.exit.vector == 1 &&
			g->rip == SELFTEST_CODE + 3;
	}
	fact(r, "single-stepping", works ? VERDICT_GOOD : VERDICT_BAD, works ? "exact" : "does not work");
}

static void check_debug_registers(const struct kvm_host *h, const struct cpu_table *t, struct host_report *r)
{
	/* DR7: breakpoint 0, local, on execution. */
	struct kvm_guest_debug d = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP,
		.arch.debugreg = { [0] = SELFTEST_CODE + 1, [7] = 0x401 },
	};
	probe_scope struct probe p = { 0 };

	r->debug_registers = probe_begin(&p, h, t) == 0 && kvm_ioctl(p.vcpu->fd, KVM_SET_GUEST_DEBUG, &d) == 0 &&
			     PROBE_RUN(&p, 0x90, 0x90, SYSCALL) == 0 && p.exit.stop == VCPU_DEAD &&
			     p.vcpu->run->exit_reason == KVM_EXIT_DEBUG && vcpu_regs(p.vcpu)->rip == SELFTEST_CODE + 1;
	fact(r, "debug registers", r->debug_registers ? VERDICT_GOOD : VERDICT_LIMITED, r->debug_registers ?
	     "usable for watchpoints" : "not honoured: watchpoints by page protection");
}

static void check_masked(const struct cpu_table *t, struct host_report *r)
{
	char runs[64] = "";

	for (unsigned k = 0; k < TEXT_KINDS; k++)
		if (k != TEXT_CPUID && t->patch & TEXT_BIT(k)) {
			strncat(runs, runs[0] ? ", " : "", sizeof(runs) - strlen(runs) - 1);
			strncat(runs, text_kind_name[k], sizeof(runs) - strlen(runs) - 1);
		}
	if (runs[0])
		fact(r, "unrepeatable insns", VERDICT_GOOD, "%s run although CPUID hides them: replaced in programs", runs);
	else
		fact(r, "unrepeatable insns", VERDICT_GOOD, "rdrand, rdseed, rdpid, RTM are refused as CPUID says");
}

static void check_cpuid(const struct kvm_host *h, const struct cpu_table *t, struct host_report *r)
{
	bool narrow = host_honours_xcr0(h, t);

	r->cpuid_traps = !(t->patch & TEXT_BIT(TEXT_CPUID));
	fact(r, "cpuid", VERDICT_GOOD, r->cpuid_traps ? "shows the recorded CPU (%u entries)" :
	     "does not trap: replaced in programs, which then see the recorded CPU (%u entries)", t->n);
	fact(r, "XCR0", narrow ? VERDICT_GOOD : VERDICT_LIMITED, narrow ? "%#llx, and less where asked for" :
	     "%#llx always: recordings replay only on machines with the same", (unsigned long long)t->xcr0);
}

static void check_pmu(const struct kvm_host *h, const struct cpu_table *t, struct host_report *r)
{
	struct kvm_host trial = *h;
	const struct pmu *p = &trial.pmu;

	pmu_prove(&trial, t);
	r->pmu = p->proven;
	if (p->proven)
		fact(r, "branch counter", VERDICT_GOOD, "counts exactly, interrupts at most %u branches late: marks places in code",
		     p->skid);
	else
		fact(r, "branch counter", VERDICT_LIMITED, "%s: places in code are found by their state", p->why);
}

static void check_memory(const struct kvm_host *h, struct host_report *r)
{
	cleanup_fclose FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
	char line[80] = "";
	bool never;

	if (f && !fgets(line, sizeof(line), f))
		line[0] = 0;
	line[strcspn(line, "\n")] = 0;
	never = !line[0] || strstr(line, "[never]");
	fact(r, "huge pages", never ? VERDICT_LIMITED : VERDICT_GOOD, "%s%s", line[0] ? line : "not in this kernel",
	     never ? ": first use of big memory is slow" : "");
	fact(r, "memory slots", h->max_slots >= 500 ? VERDICT_GOOD : VERDICT_LIMITED, "%u, guest-physical addresses of %u bits",
	     h->max_slots, h->phys_bits);
}

static void describe_machine(struct host_report *r)
{
	cleanup_fclose FILE *f = fopen("/proc/cpuinfo", "re");
	char line[160], model[64] = "unknown CPU";
	struct utsname u;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "model name : %63[^\n]", model) == 1)
			break;
	uname(&u);
	fact(r, "machine", VERDICT_GOOD, "%s, Linux %.40s", model, u.release);
}

int host_selftest(const struct kvm_host *h, struct host_report *r)
{
	cleanup_free struct cpu_table *t = calloc(1, sizeof(*t));
	char why[160];
	int rc;

	memset(r, 0, sizeof(*r));
	if (!t)
		return -ENOMEM;
	describe_machine(r);
	rc = cpu_table_make(h, CPU_HOST, t, why, sizeof(why));
	if (rc < 0) {
		fact(r, "CPUID table", VERDICT_BAD, "%s", why);
		return rc;
	}
	{
		probe_scope struct probe p = { 0 };

		rc = probe_begin(&p, h, t);
		if (rc < 0) {
			fact(r, "virtual machine", VERDICT_BAD, "cannot be made: %s", strerror(-rc));
			return rc;
		}
	}
	measure_stops(h, t, r);
	check_step(h, t, r);
	check_debug_registers(h, t, r);
	check_tsc(h, t, r);
	check_masked(t, r);
	check_cpuid(h, t, r);
	check_pmu(h, t, r);
	check_memory(h, r);
	return 0;
}
