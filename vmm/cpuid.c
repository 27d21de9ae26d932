/* Building and checking the guest's CPUID table. Contract: cpuid.h; which bits: cpu_features.c. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cpuid.h>

#include "vmm/cleanup.h"
#include "vmm/cpu_features.h"
#include "vmm/cpuid.h"
#include "vmm/selftest.h"

#define XCR0_V2 0x3ULL
#define XCR0_V3 0x7ULL
/* x87, SSE, AVX and the three of AVX-512; not MPX, PKRU, AMX. */
#define XCR0_KNOWN 0xe7ULL
#define XCR0_AVX512 0xe0ULL
#define XSAVE_LEGACY 576u

struct builder {
	struct cpu_table *t;
	const struct kvm_cpuid2 *kvm;
	const struct pmu *pmu;
	bool poor; /* KVM's list describes less than the CPU does for user code: it only says what KVM emulates */
	unsigned level;
};

static struct kvm_cpuid_entry2 native(uint32_t leaf, uint32_t sub)
{
	struct kvm_cpuid_entry2 e = { .function = leaf, .index = sub };

	__cpuid_count(leaf, sub, e.eax, e.ebx, e.ecx, e.edx);
	return e;
}

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid_entry2 *e, uint32_t n, uint32_t leaf, uint32_t sub)
{
	for (uint32_t i = 0; i < n; i++)
		if (e[i].function == leaf &&
		    (!(e[i].flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e[i].index == sub))
			return &e[i];
	return NULL;
}

static uint32_t *reg_of(struct kvm_cpuid_entry2 *e, unsigned reg)
{
	uint32_t *const r[] = { &e->eax, &e->ebx, &e->ecx, &e->edx };

	return r[reg];
}

static int add(struct builder *b, struct kvm_cpuid_entry2 e, bool indexed)
{
	if (b->t->n == CPUID_MAX)
		return -ENOSPC;
	e.flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0;
	b->t->e[b->t->n++] = e;
	return 0;
}

/*
 * Bits of which KVM knows nothing, although it lets the guest use them: these registers are taken from the machine
 * alone. KVM leaves OSXSAVE to CR4 and HYPERVISOR to user space; the TSC's nature and xsaveerptr are facts.
 */
static uint32_t kvm_unknown(uint32_t leaf, unsigned reg)
{
	if (leaf == 1 && reg == REG_ECX)
		return 1u << 27 | 1u << 31;
	if (leaf == 1 && reg == REG_EDX)
		return 1u << 28;
	if (leaf == 0x80000007)
		return ~0u;
	return 0;
}

static void apply_policy(const struct builder *b, struct kvm_cpuid_entry2 *e)
{
	const struct kvm_cpuid_entry2 *k = find(b->kvm->entries, b->kvm->nent, e->function, e->index);
	struct kvm_cpuid_entry2 none = { 0 }, kvm = k ? *k : none;

	for (unsigned reg = REG_EAX; reg <= REG_EDX; reg++) {
		uint32_t mask = cpu_features_mask(e->function, e->index, reg, b->level);

		if (!b->poor)
			mask &= *reg_of(&kvm, reg) | kvm_unknown(e->function, reg);
		/* Registers that hold no feature bits stay: signature, sizes. */
		if (e->function == 1 && (reg == REG_EAX || reg == REG_EBX))
			continue;
		if (e->function == 0x80000001 && (reg == REG_EAX || reg == REG_EBX))
			continue;
		if (e->function == 0x80000008 && (reg == REG_EAX || reg == REG_ECX))
			continue;
		if (e->function == 7 && e->index == 0 && reg == REG_EAX)
			continue;
		*reg_of(e, reg) &= mask;
	}
}

/* What tells one core from another must not: a recording may start on any. */
static void hide_position(struct kvm_cpuid_entry2 *e)
{
	switch (e->function) {
	case 1:
		e->ebx &= 0x00ffffff; /* initial APIC id */
		break;
	case 0xb:
	case 0x1f:
		e->edx = 0; /* x2APIC id */
		break;
	case 0x8000001e:
		e->eax = e->ecx = 0; /* extended APIC id, node */
		e->ebx &= ~0xffu;    /* core */
		break;
	case 0x80000008:
		if ((e->eax >> 8 & 0xff) > 48)
			e->eax = (e->eax & ~0xff00u) | 48 << 8;
		break;
	}
}

static int add_plain(struct builder *b, uint32_t leaf)
{
	struct kvm_cpuid_entry2 e = native(leaf, 0);

	if (cpu_features_has_leaf(leaf, 0))
		apply_policy(b, &e);
	hide_position(&e);
	return add(b, e, false);
}

static bool last_sub(uint32_t leaf, const struct kvm_cpuid_entry2 *e)
{
	return leaf == 0xb || leaf == 0x1f ? (e->ecx & 0xff00) == 0 : (e->eax & 0x1f) == 0;
}

static int add_list(struct builder *b, uint32_t leaf)
{
	for (uint32_t sub = 0; sub < 16; sub++) {
		struct kvm_cpuid_entry2 e = native(leaf, sub);
		int rc;

		hide_position(&e);
		rc = add(b, e, true);
		if (rc < 0 || last_sub(leaf, &e))
			return rc;
	}
	return 0;
}

static int add_features7(struct builder *b)
{
	struct kvm_cpuid_entry2 e = native(7, 0);
	uint32_t max = e.eax > 1 ? 1 : e.eax;
	int rc = 0;

	for (uint32_t sub = 0; rc == 0 && sub <= max; sub++) {
		e = native(7, sub);
		apply_policy(b, &e);
		if (sub == 0)
			e.eax = max;
		rc = add(b, e, true);
	}
	return rc;
}

static void set_xsave_size(struct cpu_table *t)
{
	t->xsave_size = XSAVE_LEGACY;
	for (uint32_t i = 2; i < 63; i++)
		if (t->xcr0 >> i & 1) {
			struct kvm_cpuid_entry2 c = native(0xd, i);

			if (c.ebx + c.eax > t->xsave_size)
				t->xsave_size = c.ebx + c.eax;
		}
}

/* Leaf 0xD. Sub-leaf 1 stays zero: the compacted and optimised forms show what is in its initial configuration. */
static int add_xsave(struct builder *b)
{
	struct cpu_table *t = b->t;
	struct kvm_cpuid_entry2 e = { .function = 0xd };
	int rc;

	e.eax = (uint32_t)t->xcr0;
	e.edx = (uint32_t)(t->xcr0 >> 32);
	e.ebx = e.ecx = t->xsave_size;
	rc = add(b, e, true);
	if (rc == 0)
		rc = add(b, (struct kvm_cpuid_entry2){ .function = 0xd, .index = 1 }, true);
	for (uint32_t i = 2; rc == 0 && i < 63; i++)
		if (t->xcr0 >> i & 1) {
			e = native(0xd, i);
			e.ecx &= 2; /* alignment in the compacted form; not the supervisor bit */
			e.edx = 0;
			rc = add(b, e, true);
		}
	return rc;
}

/* What the branch counter needs to be there, which programs see too. The machine's own leaf says more. */
static int add_pmu(struct builder *b)
{
	struct kvm_cpuid_entry2 e;

	return pmu_leaf(b->pmu, find(b->kvm->entries, b->kvm->nent, 0xa, 0), &e) ? add(b, e, false) : 0;
}

static int add_basic(struct builder *b)
{
	uint32_t max = native(0, 0).eax;
	int rc = 0;

	for (uint32_t leaf = 0; rc == 0 && leaf <= max && leaf <= 0x1f; leaf++)
		switch (leaf) {
		case 0: case 1: case 2: case 0x15: case 0x16:
			rc = add_plain(b, leaf);
			break;
		case 4: case 0xb: case 0x1f:
			rc = add_list(b, leaf);
			break;
		case 7:
			rc = add_features7(b);
			break;
		case 0xa:
			rc = add_pmu(b);
			break;
		case 0xd:
			rc = add_xsave(b);
			break;
		}
	return rc;
}

static int add_extended(struct builder *b)
{
	uint32_t max = native(0x80000000, 0).eax;
	int rc = 0;

	for (uint32_t leaf = 0x80000000; rc == 0 && leaf <= max && leaf <= 0x8000001d; leaf++) {
		if (leaf <= 0x80000008 || leaf == 0x80000019 || leaf == 0x8000001a)
			rc = add_plain(b, leaf);
		else if (leaf == 0x8000001d)
			rc = add_list(b, leaf);
	}
	return rc;
}

static uint64_t native_xcr0(void)
{
	uint32_t a, d;

	if (!(native(1, 0).ecx & 1u << 27))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
	return (uint64_t)d << 32 | a;
}

/* XCR0 for the whole machine: what KVM accepts; on a software host with everything that is saved anyway. */
static uint64_t host_xcr0(const struct builder *b)
{
	const struct kvm_cpuid_entry2 *k = find(b->kvm->entries, b->kvm->nent, 0xd, 0);
	uint64_t kvm = k ? (uint64_t)k->edx << 32 | k->eax : 0, x = native_xcr0() & kvm;

	if (!b->poor)
		x &= XCR0_KNOWN;
	if ((x & XCR0_AVX512) != XCR0_AVX512)
		x &= ~XCR0_AVX512;
	return x;
}

static unsigned level_of(enum cpu_model m)
{
	return m == CPU_V2 ? 2 : m == CPU_V3 ? 3 : 9;
}

static int get_supported(const struct kvm_host *h, struct kvm_cpuid2 **out)
{
	struct kvm_cpuid2 *k = calloc(1, sizeof(*k) + CPUID_MAX * sizeof(k->entries[0]));
	int rc;

	if (!k)
		return -ENOMEM;
	k->nent = CPUID_MAX;
	rc = kvm_ioctl(h->fd, KVM_GET_SUPPORTED_CPUID, k);
	if (rc < 0) {
		free(k);
		return rc;
	}
	*out = k;
	return 0;
}

/* A list without SSE4.2 or XSAVE on a CPU that has them is not about this CPU. */
static bool list_is_poor(const struct kvm_cpuid2 *k)
{
	const struct kvm_cpuid_entry2 *e = find(k->entries, k->nent, 1, 0);
	const uint32_t telling = 1u << 20 | 1u << 26;

	return (native(1, 0).ecx & telling & ~(e ? e->ecx : 0)) != 0;
}

static const char *missing_feature(const struct cpu_table *t, const struct cpu_table *needs, unsigned level)
{
	for (size_t i = 0; i < cpu_nfeatures; i++) {
		const struct cpu_feature *f = &cpu_features[i];
		const struct kvm_cpuid_entry2 *e = find(t->e, t->n, f->leaf, f->sub);
		const struct kvm_cpuid_entry2 *w = needs ? find(needs->e, needs->n, f->leaf, f->sub) : NULL;
		struct kvm_cpuid_entry2 have = { 0 }, want = { 0 };

		if (e)
			have = *e;
		if (w)
			want = *w;
		if (*reg_of(&have, f->reg) >> f->bit & 1)
			continue;
		if (needs ? *reg_of(&want, f->reg) >> f->bit & 1 : f->required && f->level <= level)
			return f->name;
	}
	return NULL;
}

/* narrow: XCR0 has only what the model has, too. */
static int make(const struct kvm_host *h, enum cpu_model model, bool narrow, struct cpu_table *out)
{
	cleanup_free struct kvm_cpuid2 *k = NULL;
	struct builder b = { .t = out, .pmu = &h->pmu, .level = level_of(model) };
	uint64_t want = model == CPU_V2 ? XCR0_V2 : model == CPU_V3 ? XCR0_V3 : ~0ULL;
	int rc = get_supported(h, &k);

	if (rc < 0)
		return rc;
	b.kvm = k;
	b.poor = list_is_poor(k);
	memset(out, 0, sizeof(*out));
	out->xcr0 = host_xcr0(&b);
	if (narrow)
		out->xcr0 &= want;
	set_xsave_size(out);
	rc = add_basic(&b);
	return rc < 0 ? rc : add_extended(&b);
}

static int make_best(const struct kvm_host *h, enum cpu_model model, struct cpu_table *out, char *why, size_t len)
{
	int rc = make(h, model, false, out);

	/* Where XSAVE saves more than XCR0 says, the sizes in CPUID must be those of what it saves. */
	if (rc == 0 && model != CPU_HOST && host_honours_xcr0(h, out))
		rc = make(h, model, true, out);
	if (rc < 0)
		snprintf(why, len, "the CPUID table cannot be made: %s", strerror(-rc));
	else
		out->patch = host_untrapped(h, out);
	return rc;
}

int cpu_table_make(const struct kvm_host *h, enum cpu_model model, struct cpu_table *out, char *why, size_t len)
{
	const char *lacks;
	int rc = make_best(h, model, out, why, len);

	if (rc < 0)
		return rc;
	if (!(out->xcr0 & 2)) {
		snprintf(why, len, "this machine has no XSAVE (an x86-64 CPU of 2009 or later is needed)");
		return -ENOTSUP;
	}
	lacks = model == CPU_HOST ? NULL : missing_feature(out, NULL, level_of(model));
	if (lacks) {
		snprintf(why, len, "--cpu=x86-64-v%u needs %s, which this machine does not offer to virtual machines",
			 level_of(model), lacks);
		return -ENOTSUP;
	}
	return 0;
}

int cpu_table_check(const struct kvm_host *h, struct cpu_table *t, char *why, size_t len)
{
	cleanup_free struct cpu_table *own = calloc(1, sizeof(*own));
	const char *lacks;
	int rc;

	if (!own)
		return -ENOMEM;
	if (t->n == 0 || t->n > CPUID_MAX || t->xsave_size < XSAVE_LEGACY || t->xsave_size > 1u << 16 ||
	    t->patch & ~TEXT_ALL) {
		snprintf(why, len, "the trace's CPUID table is damaged");
		return -EBADMSG;
	}
	rc = make_best(h, CPU_HOST, own, why, len);
	if (rc < 0)
		return rc;
	lacks = missing_feature(own, t, 9);
	if (lacks) {
		snprintf(why, len, "this machine lacks %s, which the recorded program could use", lacks);
		return -ENOTSUP;
	}
	if (t->xcr0 & ~own->xcr0 || (t->xcr0 != own->xcr0 && !host_honours_xcr0(h, own))) {
		snprintf(why, len, "the recorded program saw XCR0 %#llx, this machine gives %#llx",
			 (unsigned long long)t->xcr0, (unsigned long long)own->xcr0);
		return -ENOTSUP;
	}
	/* Own differs from t in what is masked, so this host is asked again for t. */
	t->patch |= own->n == t->n && !memcmp(own->e, t->e, t->n * sizeof(t->e[0])) ? own->patch : host_untrapped(h, t);
	return 0;
}

/* The first leaf of the range that holds leaf: its eax is the last one there is. */
static const struct kvm_cpuid_entry2 *range_of(const struct cpu_table *t, uint32_t leaf)
{
	if (leaf >= 0x40000000 && leaf <= 0x4fffffff)
		return find(t->e, t->n, leaf & 0xffffff00, 0);
	return find(t->e, t->n, leaf >= 0xc0000000 ? 0xc0000000 : leaf & 0x80000000, 0);
}

static bool from_amd(const struct cpu_table *t)
{
	const struct kvm_cpuid_entry2 *e = find(t->e, t->n, 0, 0);

	/* "AuthenticAMD", "HygonGenuine" */
	return e && (e->ebx == 0x68747541 || e->ebx == 0x6f677948);
}

void cpu_table_query(const struct cpu_table *t, uint32_t leaf, uint32_t sub, struct kvm_cpuid_entry2 *out)
{
	const struct kvm_cpuid_entry2 *e = find(t->e, t->n, leaf, sub), *range;

	if (!e && !from_amd(t)) {
		/* Intel: beyond the end of a range stands what the last basic leaf says. */
		range = range_of(t, leaf);
		if (!range || leaf > range->eax) {
			const struct kvm_cpuid_entry2 *basic = find(t->e, t->n, 0, 0);

			leaf = basic ? basic->eax : 0;
			e = find(t->e, t->n, leaf, sub);
		}
	}
	*out = (struct kvm_cpuid_entry2){ .function = leaf, .index = sub };
	if (e) {
		*out = *e;
	} else if (leaf == 0xb || leaf == 0x1f) {
		/* Behind the last level of the topology the level's number and the x2APIC id still stand. */
		const struct kvm_cpuid_entry2 *level = find(t->e, t->n, leaf, 1);

		out->ecx = level ? sub & 0xff : 0;
		out->edx = level ? level->edx : 0;
	}
}

bool cpu_table_fixed(const struct cpu_table *t, uint32_t leaf)
{
	if (leaf == 0xb || leaf == 0x1f)
		return false;
	for (uint32_t i = 0; i < t->n; i++)
		if (t->e[i].function == leaf)
			return !(t->e[i].flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
	return from_amd(t); /* zeros; elsewhere another leaf may be shown */
}

uint32_t cpu_table_hwcap(const struct cpu_table *t)
{
	const struct kvm_cpuid_entry2 *e = find(t->e, t->n, 1, 0);

	return e ? e->edx : 0;
}

uint32_t cpu_table_hwcap2(const struct cpu_table *t)
{
	const struct kvm_cpuid_entry2 *e = find(t->e, t->n, 7, 0);

	return e && e->ebx & 1 ? 2 : 0;
}
