include %D%/unit/local.mk
include %D%/guest/local.mk
include %D%/bpf/local.mk
include %D%/chaos/local.mk
include %D%/exec/local.mk
include %D%/sandbox/local.mk

if HAVE_CHECK
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif

# One a line, so that additions do not meet.
shell_tests += %D%/guest.sh
shell_tests += %D%/signals.sh
shell_tests += %D%/programs.sh
shell_tests += %D%/errors.sh
shell_tests += %D%/kill.sh
shell_tests += %D%/trees.sh
shell_tests += %D%/async.sh
shell_tests += %D%/test_exec.sh
shell_tests += %D%/sandbox.sh
shell_tests += %D%/tutorial.sh
shell_tests += %D%/chaos.sh
shell_tests += %D%/chaos_find.sh
shell_tests += %D%/patch.sh
shell_tests += %D%/bpf.sh
shell_tests += %D%/bpf_tools.sh
shell_tests += %D%/gdb.sh
shell_tests += %D%/shared.sh
shell_tests += %D%/threads.sh
shell_tests += %D%/fast_path.sh
shell_tests += %D%/fast_replay.sh
shell_tests += %D%/patch_calls.sh
EXTRA_DIST += $(sort $(wildcard $(srcdir)/%D%/unit/*.h)) %D%/fuzz/fuzz.h
EXTRA_DIST += %D%/check-hosts.sh %D%/check-hosts-job.sh %D%/check-branches-job.sh %D%/tools/pty_session.py %D%/tools/json_schema.py %D%/tools/tutorial.py
EXTRA_DIST += %D%/tools/rsp.py %D%/tools/gdb_exact.py %D%/tools/gdb_hostile.py $(sort $(wildcard $(srcdir)/%D%/gdb/*.c $(srcdir)/%D%/gdb/*.py))

check_PROGRAMS += %D%/tools/limit %D%/tools/counter %D%/tools/no_bpf
%C%_tools_limit_LDADD =
%C%_tools_counter_LDADD =
%C%_tools_no_bpf_LDADD =

TESTS += $(shell_tests)
dist_check_DATA += $(shell_tests) %D%/lib.sh

# Everything speaks TAP: Check's programs, and the shell tests by tests/lib.sh. Those end with 1 when something failed,
# for people who run them by hand; one that breaks off is noticed by its missing plan.
TEST_EXTENSIONS = .sh
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
SH_LOG_DRIVER = $(LOG_DRIVER)
# A failure's details stand where it does: whoever reads a long log may see no more than that part of it.
SH_LOG_DRIVER_FLAGS = --ignore-exit --comments
SH_LOG_COMPILER = bash
AM_TESTS_ENVIRONMENT = \
	CK_TAP_LOG_FILE_NAME=-; CK_VERBOSITY=silent; CK_TIMEOUT_MULTIPLIER=5; \
	export CK_TAP_LOG_FILE_NAME CK_VERBOSITY CK_TIMEOUT_MULTIPLIER; \
	top_srcdir='$(abs_top_srcdir)'; top_builddir='$(abs_top_builddir)'; export top_srcdir top_builddir; \
	SANDREC_BUILT_SANITIZERS='$(enable_sanitizers)'; export SANDREC_BUILT_SANITIZERS;

check-hosts: sandrec $(check_PROGRAMS) $(check_DATA)
	$(AM_TESTS_ENVIRONMENT) bash $(srcdir)/%D%/check-hosts.sh
.PHONY: check-hosts

# One at a time: each keeps two processors busy, and two of them would mostly wait for each other.
%D%/fast_replay.log: %D%/fast_path.log
%D%/patch_calls.log: %D%/fast_replay.log
