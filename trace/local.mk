libsandrec_a_SOURCES += \
	%D%/escape.c %D%/escape.h \
	%D%/event.h \
	%D%/files.c %D%/files.h \
	%D%/files_copy.c %D%/files_copy.h \
	%D%/frame_diff.c %D%/frame_diff.h \
	%D%/manifest.h %D%/manifest_read.c %D%/manifest_write.c \
	%D%/pack.h %D%/pack_file.h %D%/pack_read.c %D%/pack_write.c %D%/parts.c %D%/parts.h \
	%D%/record.c %D%/record.h \
	%D%/ring.c %D%/ring.h \
	%D%/ring_file.c %D%/ring_file.h \
	%D%/stamp.c %D%/stamp.h \
	%D%/stream.h %D%/stream_file.h \
	%D%/stream_index.c %D%/stream_index.h \
	%D%/stream_read.c %D%/stream_write.c \
	%D%/tracedir.c %D%/tracedir.h

# Tests use it to change recorded traces; the fuzzer runs for two seconds as a test.
check_PROGRAMS += tests/tools/trace_edit tests/fuzz/fuzz_trace
TESTS += tests/fuzz/fuzz_trace
check_PROGRAMS += tests/fuzz/fuzz_pack
TESTS += tests/fuzz/fuzz_pack
unit_tests += tests/unit/test_pack
EXTRA_DIST += tests/unit/trace_gen.h
