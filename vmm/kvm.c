/* Opening /dev/kvm and talking to it. Contract: kvm.h. Source: Documentation/virt/kvm/api.rst. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cpuid.h>

#include "vmm/kvm.h"

int (*kvm_fd_hide)(int fd);
bool kvm_keep_fds;

int kvm_keep_fd(int fd)
{
	int hidden;

	if (fd < 0 || !kvm_fd_hide)
		return fd;
	hidden = kvm_fd_hide(fd);
	if (hidden < 0)
		close(fd);
	return hidden;
}

int kvm_ioctl(int fd, unsigned long request, void *arg)
{
	int rc;

	do
		rc = ioctl(fd, request, arg);
	while (rc < 0 && errno == EINTR && request != KVM_RUN);
	return rc < 0 ? -errno : rc;
}

const char *kvm_ioctl_name(unsigned long request)
{
	static const struct {
		unsigned long request;
		const char *name;
	} names[] = {
#define NAME(x) { x, #x }
		NAME(KVM_GET_API_VERSION), NAME(KVM_CREATE_VM), NAME(KVM_CHECK_EXTENSION), NAME(KVM_GET_VCPU_MMAP_SIZE),
		NAME(KVM_GET_SUPPORTED_CPUID), NAME(KVM_SET_USER_MEMORY_REGION), NAME(KVM_CREATE_VCPU), NAME(KVM_RUN),
		NAME(KVM_GET_REGS), NAME(KVM_SET_REGS), NAME(KVM_GET_SREGS), NAME(KVM_SET_SREGS), NAME(KVM_SET_MSRS),
		NAME(KVM_SET_CPUID2), NAME(KVM_GET_XSAVE), NAME(KVM_GET_XSAVE2), NAME(KVM_SET_XSAVE), NAME(KVM_SET_XCRS),
		NAME(KVM_ENABLE_CAP), NAME(KVM_SET_GUEST_DEBUG),
#undef NAME
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].request == request)
			return names[i].name;
	return "a KVM call";
}

static int explain_open(int err, char *why, size_t len)
{
	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		snprintf(why, len, "/dev/kvm is missing: this machine has no KVM, or its module is not loaded\n"
			 "load kvm_intel or kvm_amd (modprobe); in a virtual machine turn on nested virtualisation; "
			 "in a container pass --device /dev/kvm");
		break;
	case EACCES:
	case EPERM:
		snprintf(why, len, "/dev/kvm: no permission to open it\n"
			 "join the group that owns it (usermod -aG kvm USER, then log in again) or use sudo");
		break;
	default:
		snprintf(why, len, "/dev/kvm cannot be opened: %s\nsee the kernel's log for KVM's messages", strerror(err));
	}
	return -err;
}

static int need(const struct kvm_host *h, long cap, const char *name, char *why, size_t len)
{
	int rc = kvm_ioctl(h->fd, KVM_CHECK_EXTENSION, (void *)cap);

	if (rc > 0)
		return rc;
	snprintf(why, len, "this kernel's KVM lacks %s\na kernel of Linux 5.8 or later has it", name);
	return rc < 0 ? rc : -ENOTSUP;
}

static int probe(struct kvm_host *h, char *why, size_t len)
{
	const uint64_t want = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
	static const struct {
		long cap;
		const char *name;
	} needed[] = {
		{ KVM_CAP_USER_MEMORY, "memory slots" },
		{ KVM_CAP_SYNC_MMU, "MMU notifiers" },
		{ KVM_CAP_EXT_CPUID, "CPUID tables" },
		{ KVM_CAP_IMMEDIATE_EXIT, "immediate_exit" },
		{ KVM_CAP_XSAVE, "XSAVE access" },
	};
	int rc;

	rc = kvm_ioctl(h->fd, KVM_GET_API_VERSION, NULL);
	if (rc != KVM_API_VERSION) {
		snprintf(why, len, "/dev/kvm speaks API version %d, not %d\nthis is not Linux's KVM", rc, KVM_API_VERSION);
		return -ENOTSUP;
	}
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		rc = need(h, needed[i].cap, needed[i].name, why, len);
		if (rc < 0)
			return rc;
	}
	h->immediate_exit = true;
	rc = need(h, KVM_CAP_SYNC_REGS, "register synchronisation", why, len);
	if (rc < 0)
		return rc;
	h->sync_regs = (uint64_t)rc;
	if ((h->sync_regs & want) != want) {
		snprintf(why, len, "this kernel's KVM cannot synchronise all registers (has %#llx, needs %#llx)\n"
			 "a kernel of Linux 5.8 or later can", (unsigned long long)h->sync_regs, (unsigned long long)want);
		return -ENOTSUP;
	}
	rc = kvm_ioctl(h->fd, KVM_CHECK_EXTENSION, (void *)(long)KVM_CAP_NR_MEMSLOTS);
	h->max_slots = rc > 0 ? (unsigned)rc : 32;
	h->xsave2 = kvm_ioctl(h->fd, KVM_CHECK_EXTENSION, (void *)(long)KVM_CAP_XSAVE2) > 0;
	h->xcrs = kvm_ioctl(h->fd, KVM_CHECK_EXTENSION, (void *)(long)KVM_CAP_XCRS) > 0;
	h->pmu_cap = kvm_ioctl(h->fd, KVM_CHECK_EXTENSION, (void *)(long)KVM_CAP_PMU_CAPABILITY) > 0;
	rc = kvm_ioctl(h->fd, KVM_GET_VCPU_MMAP_SIZE, NULL);
	if (rc < (int)sizeof(struct kvm_run)) {
		snprintf(why, len, "KVM_GET_VCPU_MMAP_SIZE gives %d\nthis KVM is broken or too old", rc);
		return rc < 0 ? rc : -ENOTSUP;
	}
	h->run_size = (size_t)rc;
	return 0;
}

/* A guest of AMD's may have fewer bits than its host (23:16), and nested page tables of four levels end at 48. */
static unsigned phys_bits(void)
{
	unsigned a, b, c, d, bits;

	if (!__get_cpuid(0x80000008, &a, &b, &c, &d))
		return 36;
	bits = a & 0xff;
	if ((a >> 16 & 0xff) && (a >> 16 & 0xff) < bits)
		bits = a >> 16 & 0xff;
	return bits > 46 ? 46 : bits;
}

int kvm_host_open(struct kvm_host *h, char *why, size_t len)
{
	int rc;

	*h = (struct kvm_host){ .fd = -1 };
	h->fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (h->fd < 0)
		return explain_open(errno, why, len);
	h->fd = kvm_keep_fd(h->fd);
	if (h->fd < 0) {
		rc = h->fd;
		h->fd = -1;
		return explain_open(-rc, why, len);
	}
	rc = probe(h, why, len);
	if (rc < 0) {
		kvm_host_close(h);
		return rc;
	}
	h->phys_bits = phys_bits();
	pmu_find(h);
	return 0;
}

void kvm_host_close(struct kvm_host *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}
