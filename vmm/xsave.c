/* The vCPU's extended state in the standard XSAVE format. Contract: vcpu.h. Source: Intel SDM vol. 1, chapter 13. */
#include <errno.h>
#include <string.h>

#include "vmm/vcpu_int.h"

#define OFF_MXCSR 24
#define OFF_ST 32
#define OFF_XMM 160
#define OFF_XMM_END 416
#define OFF_BV 512
#define OFF_COMP 520
#define OFF_AREA 576
#define FCW_INIT 0x037f
#define MXCSR_INIT 0x1f80

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

static uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool component_initial(const struct cpu_table *t, const uint8_t *area, unsigned i)
{
	if (i == 0)
		return area[0] == (FCW_INIT & 0xff) && area[1] == FCW_INIT >> 8 && all_zero(area + 2, OFF_MXCSR - 2) &&
		       all_zero(area + OFF_ST, OFF_XMM - OFF_ST);
	if (i == 1)
		return load32(area + OFF_MXCSR) == MXCSR_INIT && all_zero(area + OFF_XMM, OFF_XMM_END - OFF_XMM);
	for (uint32_t k = 0; k < t->n; k++) {
		const struct kvm_cpuid_entry2 *e = &t->e[k];

		if (e->function == 0xd && e->index == i && e->ebx >= OFF_AREA && (uint64_t)e->ebx + e->eax <= t->xsave_size)
			return all_zero(area + e->ebx, e->eax);
	}
	return true;
}

/*
 * The CPU's own note of which components are in use depends on what the host did in between; the guest must not see
 * that. So a component counts as in use exactly when it differs from its initial state.
 */
static void canonical_header(const struct cpu_table *t, uint8_t *area)
{
	uint64_t bv = 0;

	for (unsigned i = 0; i < 63; i++)
		if ((t->xcr0 >> i & 1) && !component_initial(t, area, i))
			bv |= 1ULL << i;
	memset(area + OFF_BV, 0, OFF_AREA - OFF_BV);
	memcpy(area + OFF_BV, &bv, sizeof(bv));
}

int vcpu_get_xsave(struct vcpu *v, void *buf, size_t size)
{
	const struct cpu_table *t = &v->vm->cpu;
	int rc;

	if (size < t->xsave_size)
		return -EINVAL;
	rc = kvm_ioctl(v->fd, v->vm->host.xsave2 ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, v->xsave);
	if (rc < 0)
		return rc;
	memcpy(buf, v->xsave, t->xsave_size);
	/* Bytes 464-511 are the program's in a signal frame; KVM puts its own there. */
	memset((uint8_t *)buf + OFF_XMM_END, 0, OFF_BV - OFF_XMM_END);
	canonical_header(t, buf);
	return 0;
}

/*
 * An image without the legacy components means their initial state, but MXCSR comes from memory all the same (SDM vol. 1,
 * 13.8.1). KVM takes neither from such an image: it is spelt out.
 */
static void spell_out_legacy(uint8_t *area)
{
	uint64_t bv = load64(area + OFF_BV);

	if (!(bv & 1)) {
		memset(area, 0, OFF_MXCSR);
		memset(area + OFF_ST, 0, OFF_XMM - OFF_ST);
		area[0] = FCW_INIT & 0xff;
		area[1] = FCW_INIT >> 8;
	}
	if (!(bv & 2))
		memset(area + OFF_XMM, 0, OFF_XMM_END - OFF_XMM);
	bv |= 3;
	memcpy(area + OFF_BV, &bv, sizeof(bv));
}

int vcpu_set_xsave(struct vcpu *v, const void *buf, size_t size)
{
	const struct cpu_table *t = &v->vm->cpu;
	const uint8_t *area = buf;
	uint8_t *kvm = v->xsave;

	if (size < t->xsave_size || load64(area + OFF_BV) & ~t->xcr0 || !all_zero(area + OFF_COMP, 16) ||
	    load32(area + OFF_MXCSR) & ~v->mxcsr_mask)
		return -EINVAL;
	memset(kvm, 0, v->xsave_size);
	memcpy(kvm, buf, t->xsave_size);
	memset(kvm + OFF_XMM_END, 0, OFF_BV - OFF_XMM_END);
	memset(kvm + OFF_COMP, 0, OFF_AREA - OFF_COMP);
	spell_out_legacy(kvm);
	return kvm_ioctl(v->fd, KVM_SET_XSAVE, kvm);
}
