/*
 * The branch clock. Contract: branches.h.
 *
 * Counter 0 runs from the vCPU's first instruction on. A target is reached in two parts: freely, with the counter set to
 * overflow a margin ahead (the interrupt comes late by up to the skid), then instruction by instruction.
 *
 * The overflow interrupt is a fixed one of the local APIC: user code always runs with RFLAGS.IF set and stubs with IF
 * clear, so it enters its stub between two user instructions and nowhere else. Its end, and what KVM does to LVTPC on
 * Intel (masked by the interrupt, as on hardware), is done by giving the APIC its first state again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/branches.h"
#include "vmm/step.h"
#include "vmm/vcpu_int.h"

/* AMD APM vol. 2 13.2.1: legacy registers, and those of PerfCtrExtCore. */
#define AMD_SELECT 0xc0010000
#define AMD_COUNTER 0xc0010004
#define AMD_EXT_SELECT 0xc0010200
#define AMD_EXT_COUNTER 0xc0010201
/* Intel SDM vol. 3 20.2. The global registers are there from version 2 on. */
#define INTEL_SELECT 0x186
#define INTEL_COUNTER 0xc1
#define INTEL_GLOBAL_CTRL 0x38f
#define INTEL_GLOBAL_OVF_CTRL 0x390

/* SDM vol. 3 11.4.1: the local APIC's registers. */
#define APIC_TPR 0x80
#define APIC_SPURIOUS 0xf0
#define APIC_ENABLED 0x1ff
#define APIC_LVTPC 0x340

#define SELECT_STUBS (1ULL << 17) /* count CPL 0 too */

#define MSRS_MAX 4

/* struct kvm_msrs with room for its entries. */
struct msrs {
	uint32_t n, pad;
	struct kvm_msr_entry e[MSRS_MAX];
};

_Static_assert(offsetof(struct msrs, e) == offsetof(struct kvm_msrs, entries), "KVM's layout");

static int write_msrs(struct vcpu *v, struct msrs *m)
{
	int rc = kvm_ioctl(v->fd, KVM_SET_MSRS, m);

	return rc < 0 ? rc : rc == (int)m->n ? 0 : -EIO;
}

static int write_msr(struct vcpu *v, uint32_t index, uint64_t value)
{
	struct msrs m = { .n = 1, .e[0] = { .index = index, .data = value } };

	return write_msrs(v, &m);
}

static int read_msr(struct vcpu *v, uint32_t index, uint64_t *value)
{
	struct msrs m = { .n = 1, .e[0].index = index };
	int rc = kvm_ioctl(v->fd, KVM_GET_MSRS, &m);

	*value = m.e[0].data;
	return rc < 0 ? rc : rc == 1 ? 0 : -EIO;
}

static uint64_t counter_mask(const struct vcpu *v)
{
	return (1ULL << v->vm->host.pmu.width) - 1;
}

/* ---- making it ---- */

static void choose_registers(struct vcpu *v)
{
	const struct cpu_table *t = &v->vm->cpu;
	struct branch_clock *c = &v->clock;

	if (v->vm->host.pmu.kind == PMU_INTEL) {
		c->select_msr = INTEL_SELECT;
		c->counter_msr = INTEL_COUNTER;
		return;
	}
	c->select_msr = AMD_SELECT;
	c->counter_msr = AMD_COUNTER;
	for (uint32_t i = 0; i < t->n; i++)
		if (t->e[i].function == 0x80000001 && t->e[i].ecx >> 23 & 1) {
			c->select_msr = AMD_EXT_SELECT;
			c->counter_msr = AMD_EXT_COUNTER;
		}
}

static void put_apic(struct kvm_lapic_state *s, unsigned at, uint32_t value)
{
	memcpy(s->regs + at, &value, sizeof(value));
}

/* With an APIC of KVM's only the first vCPU of a VM is running; the others wait for a message that never comes. */
static int be_running(struct vcpu *v)
{
	struct kvm_mp_state s = { .mp_state = KVM_MP_STATE_RUNNABLE };

	return v->id ? kvm_ioctl(v->fd, KVM_SET_MP_STATE, &s) : 0;
}

int branches_setup(struct vcpu *v)
{
	struct branch_clock *c = &v->clock;
	int rc;

	if (!v->vm->apic)
		return 0;
	choose_registers(v);
	rc = kvm_ioctl(v->fd, KVM_GET_LAPIC, &c->apic);
	if (rc < 0)
		return rc;
	put_apic(&c->apic, APIC_TPR, 0);
	put_apic(&c->apic, APIC_SPURIOUS, APIC_ENABLED);
	put_apic(&c->apic, APIC_LVTPC, ABI_PMI_VECTOR);
	rc = kvm_ioctl(v->fd, KVM_SET_LAPIC, &c->apic);
	if (rc == 0)
		rc = be_running(v);
	c->on = rc == 0;
	return rc;
}

/* ---- counting ---- */

/* The vCPU that this thread's counter is used by. */
static __thread struct vcpu *counting;

/*
 * Sets the counter, stopped: a KVM that lets it be written while it counts (6.1 does) goes on with the old overflow. Until
 * the next run these are only wishes.
 */
static int program(struct vcpu *v, uint64_t value)
{
	const struct branch_clock *c = &v->clock;
	struct msrs m = {
		.n = 3,
		.e = { { .index = c->select_msr }, { .index = c->counter_msr, .data = value },
		       { .index = c->select_msr, .data = v->vm->host.pmu.select | c->variant } },
	};

	return write_msrs(v, &m);
}

/* A run that ends at once, as user code cannot fetch stubs: KVM does what was asked of the counter before it. */
static int settle(struct vcpu *v)
{
	const struct guest_regs saved = v->regs;
	struct vcpu_exit exit;
	bool kicked = false;
	int rc;

	do {
		v->regs.rip = STUB_SYSCALL;
		v->regs.rflags &= ~RFLAGS_TF;
		rc = vcpu_enter(v, &exit);
		kicked |= exit.stop == VCPU_KICK;
	} while (rc == 0 && (exit.stop == VCPU_KICK || exit.stop == VCPU_BRANCHES));
	v->regs = saved;
	if (kicked)
		vcpu_kick(v);
	return rc;
}

static int stop_counting(struct vcpu *v)
{
	int rc = write_msr(v, v->clock.select_msr, 0);

	counting = NULL;
	return rc < 0 ? rc : settle(v);
}

/*
 * KVM counts, with perf, what any guest does on the thread that ran the vCPU when the counter was programmed. So vCPUs that
 * share a thread take turns; and a vCPU that comes to another thread gets a new perf event, for which the setting must
 * differ: stubs have no branches, so it makes no difference whether those are counted.
 */
static int take_counter(struct vcpu *v)
{
	struct branch_clock *c = &v->clock;
	pid_t tid = (pid_t)syscall(SYS_gettid);
	uint64_t value = (0 - c->offset) & counter_mask(v);
	int rc = counting ? stop_counting(counting) : 0;

	if (rc == 0 && c->started)
		rc = read_msr(v, c->counter_msr, &value);
	if (rc < 0)
		return rc;
	if (c->started && c->owner != tid)
		c->variant ^= SELECT_STUBS;
	if (!c->started && v->vm->host.pmu.kind == PMU_INTEL)
		write_msr(v, INTEL_GLOBAL_CTRL, 1); /* version 1 has none */
	c->started = true;
	c->owner = tid;
	counting = v;
	return program(v, value);
}

void branches_forget(const struct vcpu *v)
{
	if (counting == v)
		counting = NULL;
}

/* ---- the count ---- */

bool vcpu_branches_usable(const struct vcpu *v)
{
	return v->clock.on && !v->clock.lost && !v->clock.lent && !v->clock.spoiled;
}

static int usable(const struct vcpu *v)
{
	return vcpu_branches_usable(v) ? 0 : v->clock.on && v->clock.lost ? -EIO : -EOPNOTSUPP;
}

static int read_count(struct vcpu *v, uint64_t *count)
{
	uint64_t value = 0;
	int rc = v->clock.started ? read_msr(v, v->clock.counter_msr, &value) : 0;

	*count = v->clock.started ? (value + v->clock.offset) & counter_mask(v) : 0;
	return rc;
}

int vcpu_branches_read(struct vcpu *v, uint64_t *count)
{
	int rc = usable(v);

	return rc < 0 ? rc : read_count(v, count);
}

void vcpu_branches_spoil(struct vcpu *v)
{
	v->clock.spoiled |= !v->clock.lent;
	vcpu_branches_disarm(v);
}

/* The counter overflows `left` branches from here, where the count is count. */
static int set_counter(struct vcpu *v, uint64_t count, uint64_t left)
{
	struct branch_clock *c = &v->clock;
	uint64_t value = (0 - left) & counter_mask(v);

	c->offset = (count - value) & counter_mask(v);
	return c->started ? program(v, value) : 0;
}

int vcpu_branches_reset(struct vcpu *v)
{
	uint64_t count;
	int rc;

	if (!v->clock.lent)
		v->clock.spoiled = false;
	rc = usable(v);
	if (rc == 0)
		rc = read_count(v, &count);
	if (rc < 0)
		return rc;
	vcpu_branches_disarm(v);
	if (v->clock.started)
		v->clock.offset = (v->clock.offset - count) & counter_mask(v);
	return 0;
}

int vcpu_branches_arm(struct vcpu *v, uint64_t target)
{
	struct branch_clock *c = &v->clock;
	uint64_t count, margin = v->vm->host.pmu.margin;
	int rc = usable(v);

	if (rc == 0)
		rc = read_count(v, &count);
	if (rc < 0)
		return rc;
	c->target = target;
	c->steps = 0;
	c->near = target < count || target - count <= margin;
	if (!c->near)
		rc = set_counter(v, count, target - count - margin);
	c->armed = rc == 0;
	return rc;
}

/* An overflow that is on its way finds nothing to do. */
void vcpu_branches_disarm(struct vcpu *v)
{
	v->clock.armed = v->clock.near = false;
}

bool vcpu_branches_armed(const struct vcpu *v)
{
	return v->clock.armed;
}

uint64_t vcpu_branches_steps(const struct vcpu *v)
{
	return v->clock.steps;
}

void vcpu_branches_lend(struct vcpu *v, bool lent)
{
	v->clock.lent = lent;
}

/* ---- the run ---- */

/* Ends the interrupt, and any that followed it. */
static int end_interrupt(struct vcpu *v)
{
	if (v->vm->host.pmu.kind == PMU_INTEL)
		write_msr(v, INTEL_GLOBAL_OVF_CTRL, 1);
	return kvm_ioctl(v->fd, KVM_SET_LAPIC, &v->clock.apic);
}

static int overflowed(struct vcpu *v)
{
	struct branch_clock *c = &v->clock;
	int rc = end_interrupt(v);
	uint64_t count;

	if (rc < 0 || !c->armed || c->near)
		return rc;
	rc = read_count(v, &count);
	if (rc < 0)
		return rc;
	/* An interrupt of an earlier setting is no reason to step. */
	c->near = count >= c->target || c->target - count <= v->vm->host.pmu.margin;
	return 0;
}

static int reached(struct vcpu *v, struct vcpu_exit *exit)
{
	vcpu_branches_disarm(v);
	memset(exit, 0, sizeof(*exit));
	exit->stop = VCPU_BRANCHES;
	return 0;
}

/* The counter did not count a branch, or counted something else: nothing that it says is of use any more. */
static int lost(struct vcpu *v, struct vcpu_exit *exit)
{
	v->clock.lost = true;
	vcpu_branches_disarm(v);
	memset(exit, 0, sizeof(*exit));
	exit->stop = VCPU_KICK;
	return 0;
}

/* Steps from within the margin to the target. */
static int creep(struct vcpu *v, struct vcpu_exit *exit)
{
	uint64_t count, now;
	bool branch;
	int rc = read_count(v, &count);

	while (rc == 0) {
		if (count >= v->clock.target)
			return reached(v, exit);
		rc = vcpu_step(v, exit, &branch);
		if (rc == 0 && exit->stop == VCPU_BRANCHES) {
			rc = end_interrupt(v); /* late, and of no interest */
			continue;
		}
		if (rc <= 0)
			return rc;
		v->clock.steps++;
		rc = branch ? read_count(v, &now) : 0;
		if (rc == 0 && branch && now != ++count)
			return lost(v, exit);
	}
	return rc;
}

int branches_run(struct vcpu *v, struct vcpu_exit *exit)
{
	int rc = counting == v && v->clock.started ? 0 : take_counter(v);

	while (rc == 0) {
		if (v->clock.armed && v->clock.near && !v->clock.lent)
			return creep(v, exit);
		rc = vcpu_enter(v, exit);
		if (rc < 0 || exit->stop != VCPU_BRANCHES)
			return rc;
		rc = overflowed(v);
	}
	return rc;
}
