libsandrec_a_SOURCES += %D%/inject.c %D%/inject.h
libsandrec_a_SOURCES += %D%/dispatch.c %D%/file_map.c %D%/file_map.h %D%/loop.c %D%/serve.c %D%/serve.h %D%/serve_calls.c %D%/serve_calls.h %D%/at_once.c %D%/at_once.h \
	%D%/session.h %D%/start.c %D%/task.h \
	%D%/futex_pi.c %D%/futex_pi.h %D%/threads.c %D%/threads.h
libsandrec_a_SOURCES += %D%/efault.c %D%/exception.c %D%/exception.h %D%/forward.S %D%/forward.h %D%/process.c %D%/process.h %D%/processors.c %D%/processors.h %D%/rseq.c %D%/rseq.h %D%/sandbox.c %D%/sandbox.h \
	%D%/sigframe.c %D%/signal.c %D%/signal.h %D%/signal_host.c %D%/signal_host.h %D%/tsc_insn.c \
	%D%/vsyscall.c
libsandrec_a_SOURCES += %D%/seccomp.c %D%/seccomp.h %D%/seccomp_bpf.c %D%/seccomp_bpf.h
libsandrec_a_SOURCES += %D%/fd.c %D%/fd.h %D%/fd_copy.c %D%/fd_open.c %D%/fd_output.c %D%/fd_pass.c %D%/fdtable.h %D%/limits.c \
	%D%/procfs.c %D%/procfs.h %D%/procfs_mem.c %D%/procfs_text.c
libsandrec_a_SOURCES += %D%/fingerprint.c %D%/fingerprint.h %D%/landmark.c %D%/landmark.h
libsandrec_a_SOURCES += %D%/generic.c %D%/guest_mem.c %D%/lookup.c %D%/plan.c %D%/plan.h %D%/plan_len.c %D%/plan_len.h %D%/plan_scratch.c %D%/plan_scratch.h \
	%D%/rows.h %D%/rows_len.c %D%/sysdesc.h %D%/table_admin.c %D%/table_attr.c %D%/table_file.c %D%/table_io.c \
	%D%/table_ipc.c %D%/table_mm.c %D%/table_mount.c %D%/table_net.c %D%/table_poll.c %D%/table_process.c \
	%D%/table_sched.c %D%/table_signal.c %D%/table_time.c
libsandrec_a_SOURCES += %D%/names.c %D%/names.h %D%/names_bpf.c %D%/names_data.h %D%/names_file.c %D%/names_ipc.c %D%/names_mm.c \
	%D%/names_net.c %D%/names_process.c %D%/names_sets.h %D%/names_signal.c %D%/names_time.c
libsandrec_a_SOURCES += %D%/mm.c %D%/mm.h %D%/mm_advise.c %D%/mm_calls.c %D%/mm_file.c %D%/mm_fill.c %D%/mm_int.h \
	%D%/mm_maps.c %D%/mm_remap.c %D%/other_mem.c %D%/mm_set.c %D%/mm_shm.c %D%/mm_space.c
libsandrec_a_SOURCES += %D%/variants.h %D%/variants_fcntl.c %D%/variants_futex.c %D%/variants_ioctl.c %D%/variants_ipc.c \
	%D%/variants_prctl.c %D%/variants_sockopt.c
libsandrec_a_SOURCES += %D%/exec_params.c %D%/loader.c %D%/loader.h %D%/loader_elf.c %D%/loader_int.h %D%/loader_script.c \
	%D%/loader_stack.c
libsandrec_a_SOURCES += %D%/clone.c %D%/clone.h %D%/exec.c %D%/exec.h %D%/mm_fork.c %D%/mm_join.c %D%/mm_join.h \
	%D%/namespace.c
libsandrec_a_SOURCES += %D%/kernel_ring.c %D%/kernel_shared.c %D%/kernel_shared.h %D%/kernel_window.h
libsandrec_a_SOURCES += %D%/bpf.c %D%/bpf.h %D%/bpf_abi.h %D%/bpf_object.c %D%/bpf_object.h %D%/variants_bpf.c
libsandrec_a_SOURCES += %D%/text_answer.c %D%/text_answer.h %D%/text_cache.c %D%/text_cache.h \
	%D%/text_jump.c %D%/text_jump.h %D%/text_patch.c %D%/text_patch.h %D%/text_patch_int.h %D%/text_patch_scan.c
