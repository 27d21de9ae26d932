# What tests use too is in the library; the commands are the program's own.
libsandrec_a_SOURCES += %D%/decode.c %D%/decode.h %D%/decode_bpf.c %D%/decode_signal.c %D%/decode_struct.c %D%/memory.c %D%/memory.h \
	%D%/message.c %D%/message.h %D%/options.c %D%/options.h %D%/cli.h
sandrec_SOURCES += %D%/address.c %D%/address.h %D%/describe.c %D%/describe.h %D%/doctor.c %D%/dump.c %D%/dump_json.c \
	%D%/dump_json.h %D%/gdb.c %D%/handover.c %D%/info.c %D%/ls.c %D%/main.c %D%/outcome.c %D%/outcome.h %D%/procs.c %D%/procs.h %D%/ps.c \
	%D%/replay.c %D%/rm.c %D%/run.c %D%/serve.c %D%/serve.h \
	%D%/syscalls.c %D%/trace.c %D%/trace.h %D%/trace_merge.c %D%/trace_procs.c
sandrec_SOURCES += %D%/compare.c %D%/compare.h %D%/diff.c %D%/diff_log.c %D%/diff_log.h %D%/diff_print.c %D%/diff_print.h %D%/pairing.c %D%/pairing.h
sandrec_SOURCES += %D%/timeline.c %D%/timeline.h %D%/timeline_chrome.c %D%/timeline_html.c %D%/timeline_page.S
EXTRA_DIST += %D%/timeline.html
%D%/timeline_page.$(OBJEXT): $(srcdir)/%D%/timeline.html
sandrec_SOURCES += %D%/chaos.c %D%/chaos_job.c %D%/chaos_job.h %D%/stuck.c %D%/stuck.h %D%/pack.c %D%/test_exec.c %D%/test_exec.h %D%/test.c %D%/test_report.c %D%/test_report.h
sandrec_SOURCES += %D%/event_text.c %D%/event_text.h %D%/stat.c %D%/verify.c %D%/integrity.c %D%/integrity.h %D%/needs.c %D%/needs.h
libsandrec_a_SOURCES += %D%/age.c %D%/age.h %D%/progress_line.c %D%/progress_line.h %D%/tally.c %D%/tally.h %D%/align.c %D%/align.h

dist_man1_MANS += doc/sandrec.1
dist_bashcompletion_DATA += %D%/sandrec.bash
dist_zshcompletion_DATA += %D%/_sandrec
shell_tests += tests/cli_help.sh tests/cli_trees.sh tests/cli_tools.sh
check_PROGRAMS += tests/fuzz/fuzz_options
TESTS += tests/fuzz/fuzz_options
check_PROGRAMS += tests/fuzz/fuzz_inject
TESTS += tests/fuzz/fuzz_inject
unit_tests += tests/unit/test_inject
unit_tests += tests/unit/test_age tests/unit/test_tally tests/unit/test_align
unit_tests += tests/unit/test_decode tests/unit/test_names tests/unit/test_options
