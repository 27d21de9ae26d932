/*
 * Making a vCPU that is in 64-bit user mode from its first instruction: descriptor tables, control registers, MSRs.
 * Sources: Intel SDM vol. 3 chapters 2, 3, 6, 8; KVM's api.rst.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/vcpu_int.h"

#define CR0_USUAL 0x80050033ULL /* PE MP ET NE WP AM PG */
#define CR4_PAE (1ULL << 5)
#define CR4_OSFXSR (1ULL << 9)
#define CR4_OSXMMEXCPT (1ULL << 10)
#define CR4_OSXSAVE (1ULL << 18)
#define EFER_SCE (1ULL << 0)
#define EFER_LME (1ULL << 8)
#define EFER_LMA (1ULL << 10)
#define EFER_NXE (1ULL << 11)

#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_FMASK 0xc0000084

/* Segment descriptors: present, long mode code or data, by privilege level. */
#define DESC_CODE0 0x00af9b000000ffffULL
#define DESC_DATA0 0x00cf93000000ffffULL
#define DESC_CODE3 0x00affb000000ffffULL
#define DESC_DATA3 0x00cff3000000ffffULL

struct tss64 {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, iomap_base;
} __attribute__((packed));

_Static_assert(sizeof(struct tss64) == ABI_TSS_SIZE, "TSS layout");

static void fill_page(struct vcpu *v)
{
	uint64_t *gdt = (uint64_t *)(v->page + ABI_GDT), tss = v->page_addr + ABI_TSS;
	struct tss64 *t = (struct tss64 *)(v->page + ABI_TSS);

	gdt[ABI_KERNEL_CS >> 3] = DESC_CODE0;
	gdt[ABI_KERNEL_SS >> 3] = DESC_DATA0;
	gdt[ABI_USER_SS >> 3] = DESC_DATA3;
	gdt[ABI_USER_CS >> 3] = DESC_CODE3;
	/* Busy 64-bit TSS: TR is loaded by KVM_SET_SREGS, which sets no busy bit. */
	gdt[ABI_TR >> 3] = (ABI_TSS_SIZE - 1) | (tss & 0xffffff) << 16 | 0x8bULL << 40 | (tss >> 24 & 0xff) << 56;
	gdt[(ABI_TR >> 3) + 1] = tss >> 32;
	t->rsp[0] = v->page_addr + ABI_STACK;
	t->ist[0] = v->page_addr + ABI_STACK;
	t->ist[1] = v->page_addr + ABI_STACK_NMI;
	t->ist[2] = v->page_addr + ABI_STACK_DF;
	/* A map that starts beyond the limit opens no port at CPL 3. */
	t->iomap_base = ABI_TSS_SIZE;
}

static struct kvm_segment segment(uint16_t selector, unsigned type, unsigned dpl)
{
	return (struct kvm_segment){
		.limit = 0xffffffff, .selector = selector, .type = (uint8_t)type, .present = 1, .dpl = (uint8_t)dpl,
		.db = type == 0xb ? 0 : 1, .s = 1, .l = type == 0xb, .g = 1,
	};
}

static void fill_sregs(struct vcpu *v, struct kvm_sregs *s, uint64_t cr4)
{
	s->cs = segment(ABI_USER_CS, 0xb, 3);
	s->ss = segment(ABI_USER_SS, 0x3, 3);
	/* Null selectors, as Linux starts programs with. */
	s->ds = s->es = s->fs = s->gs = (struct kvm_segment){ .unusable = 1 };
	s->ldt = (struct kvm_segment){ .unusable = 1 };
	s->tr = (struct kvm_segment){
		.base = v->page_addr + ABI_TSS, .limit = ABI_TSS_SIZE - 1, .selector = ABI_TR, .type = 0xb, .present = 1,
	};
	s->gdt = (struct kvm_dtable){ .base = v->page_addr + ABI_GDT, .limit = ABI_GDT_SIZE - 1 };
	s->idt = (struct kvm_dtable){
		.base = GUESTLIB_BASE + ABI_IDT_PAGE * PAGE_SIZE_4K, .limit = ABI_VECTORS * 16 - 1,
	};
	s->cr0 = CR0_USUAL;
	s->cr2 = 0;
	s->cr3 = v->vm->root;
	s->cr4 = cr4;
	s->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
}

static const struct kvm_cpuid_entry2 *leaf(const struct cpu_table *t, uint32_t function)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (t->e[i].function == function && t->e[i].index == 0)
			return &t->e[i];
	return NULL;
}

/* Control register bits for what the CPUID table shows; a KVM that refuses one is given less, rarest first. */
static int set_sregs(struct vcpu *v)
{
	const struct kvm_cpuid_entry2 *l1 = leaf(&v->vm->cpu, 1), *l7 = leaf(&v->vm->cpu, 7);
	uint64_t extra[2] = { l7 && (l7->ebx & 1) ? CR4_FSGSBASE : 0, l1 && (l1->ecx >> 26 & 1) ? CR4_OSXSAVE : 0 };
	uint64_t cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_TSD;
	struct kvm_sregs s;
	int rc = kvm_ioctl(v->fd, KVM_GET_SREGS, &s);

	if (rc < 0)
		return rc;
	rc = -EINVAL;
	for (unsigned drop = 0; drop < 4 && rc == -EINVAL; drop++) {
		fill_sregs(v, &s, cr4 | (drop & 1 ? 0 : extra[0]) | (drop & 2 ? 0 : extra[1]));
		rc = kvm_ioctl(v->fd, KVM_SET_SREGS, &s);
	}
	v->user = s;
	return rc;
}

static int set_cpuid(struct vcpu *v)
{
	cleanup_free struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + v->vm->cpu.n * sizeof(c->entries[0]));

	if (!c)
		return -ENOMEM;
	c->nent = v->vm->cpu.n;
	memcpy(c->entries, v->vm->cpu.e, c->nent * sizeof(c->entries[0]));
	return kvm_ioctl(v->fd, KVM_SET_CPUID2, c);
}

static int set_msrs(struct vcpu *v)
{
	const struct kvm_msr_entry e[] = {
		{ .index = MSR_STAR, .data = (uint64_t)ABI_USER_CS32 << 48 | (uint64_t)ABI_KERNEL_CS << 32 },
		{ .index = MSR_LSTAR, .data = STUB_SYSCALL },
		{ .index = MSR_CSTAR, .data = 0 },
		/* Everything that could disturb the stub: TF, IF, DF, IOPL, NT, AC, and the arithmetic flags. */
		{ .index = MSR_FMASK, .data = 0x257fd5 },
	};
	const unsigned n = sizeof(e) / sizeof(e[0]);
	cleanup_free struct kvm_msrs *m = calloc(1, sizeof(*m) + sizeof(e));
	int rc;

	if (!m)
		return -ENOMEM;
	m->nmsrs = n;
	memcpy(m->entries, e, sizeof(e));
	rc = kvm_ioctl(v->fd, KVM_SET_MSRS, m);
	return rc < 0 ? rc : rc == (int)n ? 0 : -EIO;
}

static int set_xcr0(struct vcpu *v)
{
	struct kvm_xcrs x = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = v->vm->cpu.xcr0 } } };

	return v->vm->host.xcrs ? kvm_ioctl(v->fd, KVM_SET_XCRS, &x) : 0;
}

static int alloc_xsave(struct vcpu *v)
{
	int size = v->vm->host.xsave2 ?
		kvm_ioctl(v->vm->fd, KVM_CHECK_EXTENSION, (void *)(long)KVM_CAP_XSAVE2) : 0;
	struct {
		uint8_t fx[512];
	} __attribute__((aligned(16))) image = { { 0 } };

	v->xsave_size = size > (int)sizeof(struct kvm_xsave) ? (size_t)size : sizeof(struct kvm_xsave);
	if (v->vm->cpu.xsave_size > v->xsave_size)
		return -EINVAL;
	v->xsave = calloc(1, v->xsave_size);
	__asm__ volatile("fxsave64 %0" : "=m"(image));
	memcpy(&v->mxcsr_mask, image.fx + 28, 4);
	if (!v->mxcsr_mask)
		v->mxcsr_mask = 0xffbf;
	return v->xsave ? 0 : -ENOMEM;
}

int vcpu_setup(struct vcpu *v)
{
	uint64_t gpa;
	int rc;

	if (ABI_VCPU_PAGE + v->id >= GUESTLIB_SIZE / PAGE_SIZE_4K)
		return -ENOSPC;
	v->page = vm_own_page(v->vm, &gpa);
	if (!v->page)
		return -ENOMEM;
	v->page_addr = GUESTLIB_BASE + (ABI_VCPU_PAGE + v->id) * PAGE_SIZE_4K;
	fill_page(v);
	rc = pt_map_own(v->vm, v->page_addr, gpa, true, false);
	if (rc == 0)
		rc = set_cpuid(v);
	if (rc == 0)
		rc = set_sregs(v);
	if (rc == 0)
		rc = set_xcr0(v);
	if (rc == 0)
		rc = set_msrs(v);
	if (rc == 0)
		rc = branches_setup(v);
	return rc < 0 ? rc : alloc_xsave(v);
}
