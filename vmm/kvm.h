/*
 * /dev/kvm by raw ioctls: opening it, what it offers, and calls that name themselves when they fail.
 * Source: Documentation/virt/kvm/api.rst. Any thread.
 */
#ifndef SANDREC_KVM_H
#define SANDREC_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/pmu.h"

struct kvm_host {
	int fd;               /* /dev/kvm; -1 when closed. Close-on-exec. */
	size_t run_size;      /* KVM_GET_VCPU_MMAP_SIZE */
	unsigned max_slots;   /* KVM_CAP_NR_MEMSLOTS */
	uint64_t sync_regs;   /* KVM_CAP_SYNC_REGS bits */
	bool immediate_exit, xsave2, xcrs, pmu_cap;
	struct pmu pmu;       /* the branch counter it gives to guests, not proven yet */
	unsigned phys_bits;   /* guest-physical address width that may be used */
	unsigned image;       /* below KVM_IMAGES; another one after exec, as others may hold the VM of before (vm.c) */
};
#define KVM_IMAGES 4u

/*
 * Opens /dev/kvm and checks everything sandrec cannot do without. On failure returns a negative errno and writes one
 * line saying what is wrong and one saying what to do into why (NUL-terminated, cut to len).
 */
int kvm_host_open(struct kvm_host *h, char *why, size_t len);
void kvm_host_close(struct kvm_host *h);

/*
 * Every descriptor that vmm/ keeps (/dev/kvm, VMs, vCPUs) goes through this hook, which returns its new number or a
 * negative errno. Set once, before kvm_host_open(); NULL (the default) leaves descriptors where they are.
 */
extern int (*kvm_fd_hide)(int fd);
/* Set while a process gives up what it inherited from a parent whose descriptors it shares: they stay open. */
extern bool kvm_keep_fds;
/* A descriptor just received, after the hook: its final number, or a negative errno with fd closed. */
int kvm_keep_fd(int fd);

/* ioctl() that returns a negative errno; EINTR is retried except for KVM_RUN. */
int kvm_ioctl(int fd, unsigned long request, void *arg);
const char *kvm_ioctl_name(unsigned long request); /* "KVM_RUN", never NULL */

#endif
