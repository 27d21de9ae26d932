/*
 * A VM that runs a few instructions, to find out what a host does. Inside vmm/. Its memory is two pages at SELFTEST_CODE
 * (selftest.h), mapped while it lasts: one for code, one for data, with the stack at its end.
 */
#ifndef SANDREC_PROBE_H
#define SANDREC_PROBE_H

#include "vmm/selftest.h"
#include "vmm/vcpu_int.h"

#define PROBE_DATA (SELFTEST_CODE + PAGE_SIZE_4K)
#define PROBE_SIZE (2 * PAGE_SIZE_4K)

struct probe {
	struct vm *vm;
	struct vcpu *vcpu;
	struct vcpu_exit exit;
	uint8_t *page; /* PROBE_SIZE bytes */
};

/* probe_scope struct probe p = { 0 }; ends by itself, begun or not. */
#define probe_scope __attribute__((cleanup(probe_end)))
void probe_end(struct probe *p);
int probe_begin(struct probe *p, const struct kvm_host *h, const struct cpu_table *t);

/* Puts code (which must stop by itself) at the start of the page, with all registers zero, and runs it. */
void probe_load(struct probe *p, const void *code, size_t len);
int probe_run(struct probe *p, const void *code, size_t len);

#define PROBE_RUN(p, ...) probe_run(p, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

#endif
