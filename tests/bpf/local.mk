# Programs that use bpf(2), for tests/bpf.sh. Every .c file here is one program, built as those of tests/guest/ are.
bpf_sources := $(sort $(wildcard $(srcdir)/%D%/*.c))
bpf_headers := $(sort $(wildcard $(srcdir)/%D%/*.h))
bpf_programs = $(patsubst $(srcdir)/%D%/%.c,%D%/bin/%,$(bpf_sources))

check_DATA += $(bpf_programs)
EXTRA_DIST += $(bpf_sources) $(bpf_headers) %D%/libbpf/everything.c %D%/libbpf/everything.bpf.c

%D%/bin/%: $(srcdir)/%D%/%.c $(bpf_headers) $(guest_headers)
	$(AM_V_CC)$(MKDIR_P) %D%/bin && $(CC) $(guest_cflags) -fPIE -pie -o $@ $<

bpf-clean:
	-rm -rf %D%/bin
.PHONY: bpf-clean
clean-local: bpf-clean
