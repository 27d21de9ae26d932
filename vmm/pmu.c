/* The branch counter's event, by CPU. Contract: pmu.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cpuid.h>

#include "vmm/cleanup.h"
#include "vmm/kvm.h"
#include "vmm/pmu.h"

/* Event select registers of both makers, but for the event's high bits (Intel SDM vol. 3 20.2.1; AMD APM vol. 2 13.2.1). */
#define SELECT_USER (1ULL << 16)
#define SELECT_INTERRUPT (1ULL << 20)
#define SELECT_ENABLE (1ULL << 22)

#define AMD_WIDTH 48
/* Zen's PMCx0D1, retired conditional branch instructions: PPRs of families 17h, 19h, 1Ah. Earlier families have none. */
#define AMD_CONDITIONAL 0xd1
#define AMD_FIRST_FAMILY 0x17

#define INTEL_BRANCHES 0xc4 /* BR_INST_RETIRED */
#define UMASK(n) ((uint64_t)(n) << 8)

/*
 * The umask of conditional branches, taken or not, by display model of family 6: Intel's event lists.
 * BR_INST_RETIRED.CONDITIONAL (01) from Nehalem to Cannon Lake, .COND (11) from Ice Lake on, .JCC or .COND (7e) on Atoms.
 * Not tried on real machines; the proof at start decides.
 */
static const struct {
	uint8_t umask, n, model[24];
} intel[] = {
	{ 0x01, 24, { 0x1a, 0x1e, 0x1f, 0x2e, 0x25, 0x2c, 0x2f, 0x2a, 0x2d, 0x3a, 0x3e, 0x3c,
		      0x3f, 0x45, 0x46, 0x3d, 0x47, 0x4f, 0x56, 0x4e, 0x5e, 0x55, 0x8e, 0x9e } },
	{ 0x01, 3, { 0xa5, 0xa6, 0x66 } },
	{ 0x11, 19, { 0x7d, 0x7e, 0x6a, 0x6c, 0x9d, 0x8c, 0x8d, 0xa7, 0x8f, 0xcf,
		      0xad, 0xae, 0x97, 0x9a, 0xb7, 0xba, 0xbf, 0xaa, 0xac } },
	{ 0x7e, 14, { 0x37, 0x4a, 0x4c, 0x4d, 0x5a, 0x5d, 0x5c, 0x5f, 0x7a, 0x86, 0x96, 0x9c, 0xaf, 0xbe } },
};

#define INTEL_NEWER 0x11 /* models that are not in the table are likely to be newer than it */

static uint64_t intel_umask(unsigned model)
{
	for (unsigned i = 0; i < sizeof(intel) / sizeof(intel[0]); i++)
		if (memchr(intel[i].model, (int)model, intel[i].n))
			return intel[i].umask;
	return INTEL_NEWER;
}

static void identify(char vendor[13], unsigned *family, unsigned *model)
{
	unsigned a, b, c, d;

	__cpuid(0, a, b, c, d);
	memcpy(vendor, &b, 4);
	memcpy(vendor + 4, &d, 4);
	memcpy(vendor + 8, &c, 4);
	vendor[12] = '\0';
	__cpuid(1, a, b, c, d);
	*family = a >> 8 & 15;
	*model = a >> 4 & 15;
	if (*family == 6 || *family == 15)
		*model |= a >> 12 & 0xf0;
	if (*family == 15)
		*family += a >> 20 & 0xff;
}

/* Leaf 0xA as KVM offers it to guests. */
static bool offered_leaf(const struct kvm_host *h, struct kvm_cpuid_entry2 *out)
{
	const uint32_t max = 256;
	cleanup_free struct kvm_cpuid2 *k = calloc(1, sizeof(*k) + max * sizeof(k->entries[0]));

	if (!k)
		return false;
	k->nent = max;
	if (kvm_ioctl(h->fd, KVM_GET_SUPPORTED_CPUID, k) < 0)
		return false;
	for (uint32_t i = 0; i < k->nent; i++)
		if (k->entries[i].function == 0xa) {
			*out = k->entries[i];
			return true;
		}
	return false;
}

static void none(struct pmu *p, const char *why)
{
	p->kind = PMU_NONE;
	snprintf(p->why, sizeof(p->why), "%s", why);
}

void pmu_find(struct kvm_host *h)
{
	const uint64_t select = SELECT_USER | SELECT_INTERRUPT | SELECT_ENABLE;
	struct pmu *p = &h->pmu;
	struct kvm_cpuid_entry2 leaf;
	unsigned family, model;
	char vendor[13];

	*p = (struct pmu){ 0 };
	identify(vendor, &family, &model);
	if (!h->pmu_cap) {
		none(p, "KVM gives guests none");
	} else if (!strcmp(vendor, "AuthenticAMD") || !strcmp(vendor, "HygonGenuine")) {
		*p = (struct pmu){ .kind = PMU_AMD, .width = AMD_WIDTH, .select = select | AMD_CONDITIONAL };
		if (family < AMD_FIRST_FAMILY)
			none(p, "this CPU cannot count conditional branches");
	} else if (!strcmp(vendor, "GenuineIntel") && family == 6) {
		*p = (struct pmu){ .kind = PMU_INTEL, .select = select | INTEL_BRANCHES | UMASK(intel_umask(model)) };
		if (!offered_leaf(h, &leaf) || !pmu_leaf(p, &leaf, &leaf))
			none(p, "KVM gives guests none");
		p->width = (uint8_t)(leaf.eax >> 16 & 0xff);
	} else {
		none(p, "not known for this make of CPU");
	}
}

/* SDM vol. 2 CPUID 0AH: eax = version, number of counters, their width, length of the mask in ebx of missing events. */
bool pmu_leaf(const struct pmu *p, const struct kvm_cpuid_entry2 *offered, struct kvm_cpuid_entry2 *out)
{
	const uint32_t events = 7;

	if (p->kind != PMU_INTEL || !offered || !(offered->eax & 0xff) || !(offered->eax >> 8 & 0xff) ||
	    (offered->eax >> 16 & 0xff) < 32)
		return false;
	*out = (struct kvm_cpuid_entry2){
		.function = 0xa,
		.eax = ((offered->eax & 0xff) > 1 ? 2 : 1) | 1u << 8 | (offered->eax & 0xff0000) | events << 24,
		.ebx = offered->ebx & ((1u << events) - 1),
	};
	return true;
}
