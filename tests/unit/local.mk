# One line for each program of Check tests; its only source is the file of its name.
unit_tests += %D%/test_fd %D%/test_fd_copy %D%/test_procfs %D%/test_processors
unit_tests += %D%/test_text_scan %D%/test_text_answer %D%/test_jump
unit_tests += %D%/test_trace %D%/test_memo %D%/test_poke
unit_tests += %D%/test_ring %D%/test_stamp
unit_tests += %D%/test_manifest %D%/test_files %D%/test_tracedir
unit_tests += %D%/test_signal %D%/test_signal_host
%C%_test_signal_SOURCES = %D%/test_signal.c %D%/signal_double.h
%C%_test_signal_host_SOURCES = %D%/test_signal_host.c %D%/signal_double.h
unit_tests += %D%/test_plan %D%/test_table_lint %D%/test_canary
# Their guest has no VM (guest_double.h).
guest_double_ldflags = -Wl,--wrap=mm_range_ok,--wrap=copy_checked,--wrap=forward_syscall_checked
%C%_test_plan_SOURCES = %D%/test_plan.c %D%/guest_double.h
%C%_test_plan_LDFLAGS = $(guest_double_ldflags)
%C%_test_table_lint_SOURCES = %D%/test_table_lint.c %D%/guest_double.h
%C%_test_table_lint_LDFLAGS = $(guest_double_ldflags)
%C%_test_canary_SOURCES = %D%/test_canary.c %D%/guest_double.h
%C%_test_canary_LDFLAGS = $(guest_double_ldflags)
unit_tests += %D%/test_vmm %D%/test_vmm_cpu %D%/test_vm_tables %D%/test_branches %D%/test_switchless %D%/test_switchless_ring
unit_tests += %D%/test_exec_point %D%/test_point_search
# check-hosts.sh runs these on machines that have no Check library.
if !SANITIZERS
%C%_test_vmm_LDFLAGS = -static
%C%_test_vmm_cpu_LDFLAGS = -static
%C%_test_vm_tables_LDFLAGS = -static
%C%_test_branches_LDFLAGS = -static
endif
# Without a VM (vm_double.h).
vm_double_ldflags = -Wl,--wrap=vm_allow,--wrap=vm_deny,--wrap=vm_query,--wrap=vm_cpu,--wrap=vcpu_set_xsave
unit_tests += %D%/test_mm %D%/test_mm_fill
%C%_test_mm_SOURCES = %D%/test_mm.c %D%/mm_test.h %D%/vm_double.h
%C%_test_mm_LDFLAGS = $(vm_double_ldflags)
%C%_test_mm_fill_SOURCES = %D%/test_mm_fill.c %D%/mm_test.h %D%/vm_double.h
%C%_test_mm_fill_LDFLAGS = $(vm_double_ldflags)
unit_tests += %D%/test_kernel_shared
%C%_test_kernel_shared_LDFLAGS = -Wl,--wrap=mm_poke
unit_tests += %D%/test_loader
%C%_test_loader_SOURCES = %D%/test_loader.c %D%/vm_double.h
%C%_test_loader_LDFLAGS = $(vm_double_ldflags)
check_PROGRAMS += tests/fuzz/fuzz_plan
TESTS += tests/fuzz/fuzz_plan
tests_fuzz_fuzz_plan_SOURCES = tests/fuzz/fuzz_plan.c
tests_fuzz_fuzz_plan_LDADD = libsandrec.a $(library_libs)
tests_fuzz_fuzz_plan_LDFLAGS = $(guest_double_ldflags)
check_PROGRAMS += tests/fuzz/fuzz_elf
TESTS += tests/fuzz/fuzz_elf
tests_fuzz_fuzz_elf_SOURCES = tests/fuzz/fuzz_elf.c %D%/vm_double.h
tests_fuzz_fuzz_elf_LDFLAGS = $(vm_double_ldflags)
tests_fuzz_fuzz_elf_LDADD = libsandrec.a $(library_libs)
unit_tests += %D%/test_seccomp
%C%_test_seccomp_SOURCES = %D%/test_seccomp.c %D%/guest_double.h
%C%_test_seccomp_LDFLAGS = $(guest_double_ldflags)
check_PROGRAMS += tests/fuzz/fuzz_seccomp
TESTS += tests/fuzz/fuzz_seccomp
tests_fuzz_fuzz_seccomp_SOURCES = tests/fuzz/fuzz_seccomp.c
tests_fuzz_fuzz_seccomp_LDADD = libsandrec.a $(library_libs)
unit_tests += %D%/test_gdbstub
%C%_test_gdbstub_SOURCES = %D%/test_gdbstub.c %D%/stub_target.h
check_PROGRAMS += tests/fuzz/fuzz_gdb
TESTS += tests/fuzz/fuzz_gdb
tests_fuzz_fuzz_gdb_SOURCES = tests/fuzz/fuzz_gdb.c %D%/stub_target.h
tests_fuzz_fuzz_gdb_LDADD = libsandrec.a $(library_libs)
unit_tests += %D%/test_confine %D%/test_chaos
