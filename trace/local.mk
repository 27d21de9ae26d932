libsandrec_a_SOURCES += \
	%D%/escape.c %D%/escape.h \
	%D%/event.h \
	%D%/files.c %D%/files.h \
	%D%/files_copy.c %D%/files_copy.h \
	%D%/manifest.h %D%/manifest_read.c %D%/manifest_write.c \
	%D%/record.c %D%/record.h \
	%D%/ring.c %D%/ring.h \
	%D%/ring_file.c %D%/ring_file.h \
	%D%/stream.h %D%/stream_file.h \
	%D%/stream_index.c %D%/stream_index.h \
	%D%/stream_read.c %D%/stream_write.c \
	%D%/tracedir.c %D%/tracedir.h

# Tests use it to change recorded traces; the fuzzer runs for two seconds as a test.
check_PROGRAMS += tests/tools/trace_edit tests/fuzz/fuzz_trace
TESTS += tests/fuzz/fuzz_trace
EXTRA_DIST += tests/unit/trace_gen.h
