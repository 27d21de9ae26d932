# KVM by raw ioctls: the host's abilities, VMs, page tables, vCPUs, the CPUID policy.

libsandrec_a_SOURCES += \
	%D%/access.c \
	%D%/access.h \
	%D%/branches.c \
	%D%/branches.h \
	%D%/cleanup.h \
	%D%/cpu_features.c \
	%D%/cpu_features.h \
	%D%/cpuid.c \
	%D%/decoder.c %D%/decoder.h \
	%D%/cpuid.h \
	%D%/exec_point.c \
	%D%/exec_point.h \
	%D%/insn.c \
	%D%/insn.h \
	%D%/jump.c \
	%D%/jump.h \
	%D%/kvm.c \
	%D%/kvm.h \
	%D%/layout.h \
	%D%/memo.c \
	%D%/memo.h \
	%D%/notsc.c \
	%D%/notsc.h \
	%D%/pagetable.c \
	%D%/pmu.c \
	%D%/pmu.h \
	%D%/pmu_proof.c \
	%D%/pmu_proof.h \
	%D%/probe.c \
	%D%/probe.h \
	%D%/proc_self.c \
	%D%/proc_self.h \
	%D%/regs.c \
	%D%/regs.h \
	%D%/selftest.c \
	%D%/selftest.h \
	%D%/step.c \
	%D%/step.h \
	%D%/switchless.c \
	%D%/switchless_ring.c \
	%D%/switchless_ring.h \
	%D%/switchless.h \
	%D%/switchless_int.h \
	%D%/text_flow.c \
	%D%/text_flow.h \
	%D%/text_funcs.c \
	%D%/text_funcs.h \
	%D%/text_scan.c \
	%D%/text_scan.h \
	%D%/trampoline.c \
	%D%/trampoline.h \
	%D%/vcpu.c \
	%D%/vcpu.h \
	%D%/vcpu_int.h \
	%D%/vcpu_setup.c \
	%D%/vm.c \
	%D%/vm.h \
	%D%/vm_int.h \
	%D%/xsave.c

# The rest of capstone is left out of the program.
if CAPSTONE_X86_ONLY
sandrec_SOURCES += %D%/capstone_x86.c
endif
EXTRA_DIST += %D%/capstone_x86.c
