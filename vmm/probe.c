/* A VM for a few instructions. Contract: probe.h. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/probe.h"

void probe_end(struct probe *p)
{
	vcpu_destroy(p->vcpu);
	vm_destroy(p->vm);
	if (p->page)
		munmap(p->page, PROBE_SIZE);
}

int probe_begin(struct probe *p, const struct kvm_host *h, const struct cpu_table *t)
{
	int rc;

	p->page = mmap((void *)SELFTEST_CODE, PROBE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (p->page == MAP_FAILED) {
		p->page = NULL;
		return -errno;
	}
	rc = vm_create(h, t, &p->vm);
	if (rc == 0)
		rc = vcpu_create(p->vm, &p->vcpu);
	return rc < 0 ? rc : vm_allow(p->vm, SELFTEST_CODE, PROBE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, false);
}

void probe_load(struct probe *p, const void *code, size_t len)
{
	struct guest_regs *r = vcpu_regs(p->vcpu);

	memcpy(p->page, code, len);
	memset(r, 0, sizeof(*r));
	r->rip = SELFTEST_CODE;
	r->rsp = PROBE_DATA + PAGE_SIZE_4K;
}

int probe_run(struct probe *p, const void *code, size_t len)
{
	probe_load(p, code, len);
	return vcpu_run(p->vcpu, &p->exit);
}
